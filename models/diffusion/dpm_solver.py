"""DPM-Solver++ of second order, multistep (Lu et al., 2022): fewer steps than DDIM for the same image."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from .ddim import Denoise
from .schedule import Schedule


def dpm_solver(denoise: Denoise, noise: Tensor, schedule: Schedule, *, timesteps: list[int]) -> Tensor:
    """Walk from ``noise`` (B, ...) down the ascending ``timesteps`` to a latent, as `ddim.ddim` does.

    The estimate of x_0 is carried on along the line through the last two estimates, over
    lambda = log(signal / noise). The first step has one estimate and equals a step of DDIM.
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
