"""Noise schedule of the diffusion process (DDPM): adding noise, one-step estimates, velocity prediction."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from pydantic import BaseModel, ConfigDict
from torch import Tensor

Prediction = Literal["noise", "velocity"]


class DiffusionConfig(BaseModel):
    """Noise schedule linear in sqrt(beta) (Rombach et al., 2022), and what the network predicts.

    The defaults are ReF-LDM's.

    Attributes:
        steps: number of timesteps T.
        beta_start, beta_end: beta at the first and the last timestep.
        prediction: ``noise`` (Ho et al., 2020), or ``velocity``: v = sqrt(a) noise - sqrt(1 - a) x_0
            (Salimans and Ho, 2022, appendix D), which keeps the error of x_0 small at high noise; short
            trainings need it.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    steps: int = 1000
    beta_start: float = 0.0015
    beta_end: float = 0.0155
    prediction: Prediction = "noise"


@dataclass(frozen=True)
class Schedule:
    """Noise schedule over T timesteps: ``betas`` and ``alphas_cumprod``, float32 (T,).

    A noisy latent is x_t = sqrt(a_t) x_0 + sqrt(1 - a_t) noise, with a_t in ``alphas_cumprod`` (Ho et al.,
    2020, equation 4).
    """

    betas: Tensor
    alphas_cumprod: Tensor
    prediction: Prediction = "noise"

    @classmethod
    def from_config(cls, config: DiffusionConfig) -> Schedule:
        """Compute the schedule in float64 and round it to float32."""
        ends = config.beta_start**0.5, config.beta_end**0.5
        roots = torch.linspace(*ends, config.steps, dtype=torch.float64, device="cpu")
        betas = roots.square()
        return cls(betas.float(), (1 - betas).cumprod(0).float(), config.prediction)

    def __len__(self) -> int:
        return len(self.betas)

    def add_noise(self, x0: Tensor, noise: Tensor, timesteps: Tensor) -> Tensor:
        """Noisy latents (B, ...) at ``timesteps`` (B,) of latents ``x0`` and ``noise`` (B, ...)."""
        signal, spread = self.scales(timesteps, x0)
        return signal * x0 + spread * noise

    def predict_x0(self, x_t: Tensor, eps: Tensor, timesteps: Tensor) -> Tensor:
        """One-step estimate of x_0 (B, ...) from noisy latents (B, ...), ``timesteps`` (B,) and the noise."""
        signal, spread = self.scales(timesteps, x_t)
        return (x_t - spread * eps) / signal

    def predicted_noise(self, output: Tensor, x_t: Tensor, timesteps: Tensor) -> Tensor:
        """Noise (B, ...) from the network's ``output``, which is noise or velocity."""
        if self.prediction == "noise":
            return output
        signal, spread = self.scales(timesteps, x_t)
        return spread * x_t + signal * output.float()

    def scales(self, timesteps: Tensor, like: Tensor) -> tuple[Tensor, Tensor]:
        """sqrt(a_t) and sqrt(1 - a_t), shaped to multiply ``like`` (B, ...)."""
        alphas = self.alphas_cumprod.to(like.device)[timesteps].view(-1, *[1] * (like.ndim - 1))
        return alphas.sqrt(), (1 - alphas).sqrt()
