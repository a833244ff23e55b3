"""Composite-context model: latent diffusion restoration with references through cross-attention.

*Reference-Guided Identity Preserving Face Restoration*: trained with one reference, guided by several at
sampling time without further training. Autoencoder, noise schedule and U-Net are ReF-LDM's, so that the two
models differ only where the papers do.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from pydantic import BaseModel, ConfigDict, model_validator
from torch import Tensor, nn

from ..diffusion.ddim import Denoise
from ..diffusion.schedule import DiffusionConfig, Schedule
from ..networks.autoencoder import Autoencoder, AutoencoderConfig
from ..networks.context import ContextConfig, ContextEncoder
from ..networks.losses import Embedder
from ..networks.unet import UNet, UNetConfig
from ..networks.vision_tower import VisionTower


class CompositeContextConfig(BaseModel):
    """Configuration of the composite-context model: networks, schedule, context, image size in pixels."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    autoencoder: AutoencoderConfig = AutoencoderConfig()
    unet: UNetConfig = UNetConfig(context_channels=768)
    diffusion: DiffusionConfig = DiffusionConfig()
    context: ContextConfig = ContextConfig()
    image_size: int = 512

    @model_validator(mode="after")
    def _context_fits(self) -> CompositeContextConfig:
        if self.unet.context_channels != self.context.channels:
            raise ValueError(
                f"unet.context_channels is {self.unet.context_channels}, "
                f"but the context is {self.context.channels} wide (context.channels)"
            )
        if self.unet.context_grid**2 > self.context.tokens:
            raise ValueError(
                f"context_grid {self.unet.context_grid} wants {self.unet.context_grid**2} tokens, "
                f"but the context has {self.context.tokens}"
            )
        return self


@dataclass(frozen=True)
class Towers:
    """Frozen networks that encode references; not part of the model's own weights.

    Attributes:
        identity: differentiable face embedder; None if the context has no identity token.
        appearance: vision tower; None if the context has no appearance tokens or trains its own tower.
    """

    identity: Embedder | None = None
    appearance: VisionTower | None = None


class CompositeContext(nn.Module):
    """Composite-context network. Images are RGB (B, 3, H, W) in [0, 1]; latents are before quantisation."""

    def __init__(self, config: CompositeContextConfig, towers: Towers) -> None:
        super().__init__()
        self.config = config
        self.autoencoder = Autoencoder(config.autoencoder)
        self.unet = UNet(config.unet)
        self.context = ContextEncoder(config.context)
        if config.context.appearance and config.context.tower_source == "own":
            self.tower = VisionTower(config.context.tower)
        self.towers = towers
        self.schedule = Schedule.from_config(config.diffusion)

    @property
    def latent_stride(self) -> int:
        """Downsampling factor of the autoencoder: image pixels per latent pixel, along a side."""
        return self.config.autoencoder.downsampling

    @property
    def size_multiple(self) -> int:
        """Height and width of an image must be multiples of this, in pixels."""
        return self.latent_stride * self.config.unet.downsampling

    def encode(self, images: Tensor) -> Tensor:
        """Latents (B, C, h, w) of images (B, 3, H, W) in [0, 1]."""
        return self.autoencoder.encode(images * 2 - 1)

    def decode(self, latents: Tensor) -> Tensor:
        """Images (B, 3, H, W) of latents (B, C, h, w); about [0, 1], not clamped."""
        return (self.autoencoder.decode(latents) + 1) / 2

    def encode_context(self, references: Tensor) -> Tensor:
        """Context (B, tokens, channels) of one reference per image, (B, 3, H, W) in [0, 1]."""
        wanted = self.config.context
        identity, appearance = None, []
        if wanted.identity:
            assert self.towers.identity is not None
            identity = self.towers.identity(references)
        if wanted.appearance:
            tower = self.tower if wanted.tower_source == "own" else self.towers.appearance
            assert tower is not None
            appearance = tower(references, wanted.layers)
        context: Tensor = self.context(identity, appearance)
        return context

    def null_context(self, batch: int) -> Tensor:
        """Context (batch, tokens, channels) of no reference: zeros."""
        parameter = next(self.unet.parameters())
        return parameter.new_zeros(batch, self.config.context.tokens, self.config.context.channels)

    def eps(self, x_t: Tensor, timesteps: Tensor, lq_latents: Tensor, *, context: Tensor) -> Tensor:
        """Noise prediction (B, C, h, w) for ``x_t`` at ``timesteps`` (B,), given LQ latents and contexts."""
        output = self.unet(torch.cat([x_t, lq_latents], 1), timesteps, context=context)
        return self.schedule.predicted_noise(output, x_t, timesteps)

    def guided_eps(
        self, lq_latents: Tensor, contexts: Tensor, *, image_scale: float, context_scale: float
    ) -> Denoise:
        """Noise prediction guided by N references per image, as a function of (x_t, timesteps).

        eps = (1 - s_i) eps(none, none) + (s_i - s_c) eps(LQ, none) + s_c / N sum_n eps(LQ, c_n), where s_i
        is ``image_scale`` and s_c is ``context_scale``. Terms of weight zero are skipped, the others computed
        in one pass.

        Args:
            lq_latents: (B, C, h, w).
            contexts: (B, N, tokens, channels); N = 0 means no reference, and then s_c is 0.
            image_scale, context_scale: guidance scales.
        """
        batch, count = contexts.shape[:2]
        context_scale = context_scale if count else 0.0
        none, no_lq = self.null_context(batch), torch.zeros_like(lq_latents)
        terms = [(1 - image_scale, no_lq, none), (image_scale - context_scale, lq_latents, none)]
        terms += [(context_scale / count, lq_latents, own) for own in contexts.unbind(1)] if count else []
        terms = [term for term in terms if term[0] != 0]
        weights = lq_latents.new_tensor([weight for weight, _, _ in terms]).view(-1, 1, 1, 1, 1)
        lq = torch.cat([latents for _, latents, _ in terms])
        seen = torch.cat([context for _, _, context in terms])

        def eps(x_t: Tensor, timesteps: Tensor) -> Tensor:
            times = len(terms)
            all_eps = self.eps(x_t.repeat(times, 1, 1, 1), timesteps.repeat(times), lq, context=seen)
            return (weights * all_eps.view(times, batch, *all_eps.shape[1:])).sum(0)

        return eps
