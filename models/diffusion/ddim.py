"""DDIM sampling (Song et al., 2021), deterministic (eta 0), and spacing of the timesteps."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import torch
from torch import Tensor

from ...errors import RefbenchError
from .schedule import Schedule

Spacing = Literal["uniform", "uniform_trailing"]
Denoise = Callable[[Tensor, Tensor], Tensor]


def spaced_timesteps(steps: int, spacing: Spacing, total: int = 1000) -> list[int]:
    """Choose exactly ``steps`` of ``total`` timesteps, ascending.

    ``uniform`` begins at 1 (1, 11, ..., 991 for 100 of 1000); ``uniform_trailing`` ends at the last
    (19, 39, ..., 999 for 50 of 1000). Where ``steps`` does not divide ``total``, gaps differ by one.

    Raises:
        RefbenchError: fewer than 1 or more than ``total`` steps.
    """
    if not 1 <= steps <= total:
        raise RefbenchError(f"the number of sampling steps must be 1 to {total}; got {steps}")
    starts = [index * total // steps for index in range(steps)]
    if spacing == "uniform_trailing":
        return [total - 1 - start for start in reversed(starts)]
    shift = min(1, total - 1 - starts[-1])
    return [start + shift for start in starts]


def ddim(denoise: Denoise, noise: Tensor, schedule: Schedule, *, timesteps: list[int]) -> Tensor:
    """Sample latents by DDIM (Song et al., 2021, equation 12 with sigma 0).

    Args:
        denoise: ``denoise(x_t, t)`` predicts the noise in latents (B, ...) at timesteps (B,), int64.
        noise: starting noise (B, ...).
        schedule: noise schedule.
        timesteps: ascending, see `spaced_timesteps`.

    Returns:
        Latents (B, ...). The last step goes to the noise level of timestep 0, as in the latent diffusion
        code, not to zero noise.
    """
    x = noise
    alphas = schedule.alphas_cumprod
    for t, earlier in zip(reversed(timesteps), [*reversed(timesteps[:-1]), 0], strict=True):
        now = torch.full((len(x),), t, dtype=torch.long, device=x.device)
        eps = denoise(x, now)
        x0 = schedule.predict_x0(x, eps, now)
        x = alphas[earlier].sqrt() * x0 + (1 - alphas[earlier]).sqrt() * eps
    return x
