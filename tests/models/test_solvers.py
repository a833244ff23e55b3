"""Solvers on a problem with a known answer: data that are Gaussian have an exact denoiser and flow."""

from __future__ import annotations

import pytest
import torch
from refbench.models.diffusion.ddim import ddim, spaced_timesteps
from refbench.models.diffusion.dpm_solver import dpm_solver
from refbench.models.diffusion.schedule import DiffusionConfig, Schedule
from torch import Tensor

SCHEDULE = Schedule.from_config(DiffusionConfig())
SPREAD = 0.3


def exact_noise(x_t: Tensor, t: Tensor) -> Tensor:
    """The best guess of the noise when x_0 is drawn from a Gaussian of standard deviation SPREAD."""
    alpha = SCHEDULE.alphas_cumprod[t].view(-1, 1)
    return (1 - alpha).sqrt() * x_t / (alpha * SPREAD**2 + 1 - alpha)


def deviation(t: int) -> Tensor:
    alpha = SCHEDULE.alphas_cumprod[t]
    return (alpha * SPREAD**2 + 1 - alpha).sqrt()


@pytest.mark.parametrize("steps", [5, 10, 20])
def test_second_order_is_nearer_than_first(steps: int) -> None:
    chosen = spaced_timesteps(steps, "uniform_trailing")
    start = torch.linspace(-2, 2, 9)[:, None]
    end = start * deviation(0) / deviation(chosen[-1])
    first = (ddim(exact_noise, start, SCHEDULE, timesteps=chosen) - end).abs().max()
    second = (dpm_solver(exact_noise, start, SCHEDULE, timesteps=chosen) - end).abs().max()
    assert second < 0.6 * first


def test_both_arrive_with_many_steps() -> None:
    chosen = spaced_timesteps(500, "uniform_trailing")
    start = torch.linspace(-2, 2, 9)[:, None]
    end = start * deviation(0) / deviation(chosen[-1])
    for solve in (ddim, dpm_solver):
        assert torch.allclose(solve(exact_noise, start, SCHEDULE, timesteps=chosen), end, atol=0.02)


def test_one_step_of_either_is_the_same() -> None:
    start = torch.linspace(-2, 2, 9)[:, None]
    for t in (999, 300):
        first, second = (solve(exact_noise, start, SCHEDULE, timesteps=[t]) for solve in (ddim, dpm_solver))
        assert torch.allclose(first, second, atol=1e-5)


def test_noise_follows_from_velocity() -> None:
    schedule = Schedule.from_config(DiffusionConfig(prediction="velocity"))
    x0, noise = torch.randn(2, 4, 8, 4, 4, dtype=torch.float64)
    t = torch.tensor([0, 300, 700, 999])
    x_t = schedule.add_noise(x0, noise, t)
    signal, spread = schedule.scales(t, x0)
    found = schedule.predicted_noise((signal * noise - spread * x0).double(), x_t, t)
    assert torch.allclose(found.double(), noise, atol=1e-5)
    assert schedule.predicted_noise(x0, x_t, t) is not x0
    assert Schedule.from_config(DiffusionConfig()).predicted_noise(x0, x_t, t) is x0
