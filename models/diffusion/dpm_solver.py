"""DPM-Solver++(2M) sampling, second order multistep (Lu et al., 2022): needs fewer steps than DDIM."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from .ddim import Denoise
from .schedule import Schedule


def dpm_solver(denoise: Denoise, noise: Tensor, schedule: Schedule, *, timesteps: list[int]) -> Tensor:
    """Sample latents by DPM-Solver++(2M) (Lu et al., 2022, algorithm 2).

    Estimates of x_0 are extrapolated linearly from the last two, over lambda = log(signal / noise). The first
    step has one estimate and equals a step of DDIM.

    Args:
        denoise: ``denoise(x_t, t)`` predicts the noise in latents (B, ...) at timesteps (B,), int64.
        noise: starting noise (B, ...).
        schedule: noise schedule.
        timesteps: ascending, see `spaced_timesteps`.

    Returns:
        Latents (B, ...), at the noise level of timestep 0 as with `ddim`.
    """
    x = noise
    alphas = schedule.alphas_cumprod.double()
    signals, spreads = alphas.sqrt(), (1 - alphas).sqrt()
    lambdas = (signals / spreads).log()
    before: Tensor | None = None
    last_step = 1.0
    for t, earlier in zip(reversed(timesteps), [*reversed(timesteps[:-1]), 0], strict=True):
        now = torch.full((len(x),), t, dtype=torch.long, device=x.device)
        x0 = schedule.predict_x0(x, denoise(x, now), now)
        step = float(lambdas[earlier] - lambdas[t])
        onward = 0 if before is None else (x0 - before) * (step / (2 * last_step))
        keep, add = float(spreads[earlier] / spreads[t]), float(signals[earlier]) * -math.expm1(-step)
        x = keep * x + add * (x0 + onward)
        before, last_step = x0, step
    return x
