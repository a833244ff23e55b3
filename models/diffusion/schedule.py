"""Diffusion with noise prediction: the schedule, the way to noise and the one-step way back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from pydantic import BaseModel, ConfigDict
from torch import Tensor

Prediction = Literal["noise", "velocity"]


class DiffusionConfig(BaseModel):
    """A schedule linear in sqrt(beta), and what the network says; the defaults are ReF-LDM's.

    ``velocity`` is v = sqrt(a) noise - sqrt(1 - a) x_0 (Salimans and Ho, 2022): at high noise, where noise
    predicted a little wrong is an image gone far wrong, it tells the image; short trainings need that.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    steps: int = 1000
    beta_start: float = 0.0015
    beta_end: float = 0.0155
    prediction: Prediction = "noise"


@dataclass(frozen=True)
class Schedule:
    """Noise at each of T timesteps: ``betas`` and ``alphas_cumprod``, float32 of shape (T,).

    A latent at time t is sqrt(a_t) x_0 + sqrt(1 - a_t) noise, with a_t in ``alphas_cumprod``.
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
        """The latents ``x0`` (B, ...) at ``timesteps`` (B,), given the noise of the same shape."""
        signal, spread = self.scales(timesteps, x0)
        return signal * x0 + spread * noise

    def predict_x0(self, x_t: Tensor, eps: Tensor, timesteps: Tensor) -> Tensor:
        """The one-step estimate of x_0 from latents (B, ...) at ``timesteps`` (B,) and their noise."""
        signal, spread = self.scales(timesteps, x_t)
        return (x_t - spread * eps) / signal

    def noise_of(self, output: Tensor, x_t: Tensor, timesteps: Tensor) -> Tensor:
        """The noise in ``x_t`` by the network's ``output``, whichever of the two that is."""
        if self.prediction == "noise":
            return output
        signal, spread = self.scales(timesteps, x_t)
        return spread * x_t + signal * output.float()

    def scales(self, timesteps: Tensor, like: Tensor) -> tuple[Tensor, Tensor]:
        """sqrt(a_t) and sqrt(1 - a_t), shaped to multiply ``like`` (B, ...)."""
        alphas = self.alphas_cumprod.to(like.device)[timesteps].view(-1, *[1] * (like.ndim - 1))
        return alphas.sqrt(), (1 - alphas).sqrt()
