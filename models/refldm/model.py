"""ReF-LDM (Hsiao et al., 2024): a latent diffusion model that looks at references through CacheKV.

The references pass once through the same U-Net, at time 0 and without an LQ image; the keys and values of
their self-attention are kept (CacheKV) and looked at beside the image's own in every step. Guidance goes
from null references, whose latents are zero, to the real ones.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import torch
from pydantic import BaseModel, ConfigDict
from torch import Tensor, nn

from ..diffusion.schedule import DiffusionConfig, Schedule
from ..networks.attention import Branches, CacheKV, Memory, Recorder
from ..networks.autoencoder import Autoencoder, AutoencoderConfig
from ..networks.unet import UNet, UNetConfig, repeated

ReferenceEncoding = Literal["wide", "separate"]


class RefLdmConfig(BaseModel):
    """Everything that fixes the network; the defaults are those of the released weights.

    ``reference_encoding`` says how the autoencoder sees the references: ``wide`` joins them side by side
    and encodes them as one image, so that its normalisation and attention mix them (the released weights
    were trained so); ``separate`` encodes each alone, so that their order means nothing and each can be
    kept for other images of the person. ``reference_mechanism`` is ``none`` for the same network trained
    without references (the paper's LDM).
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    autoencoder: AutoencoderConfig = AutoencoderConfig()
    unet: UNetConfig = UNetConfig()
    diffusion: DiffusionConfig = DiffusionConfig()
    image_size: int = 512
    reference_encoding: ReferenceEncoding = "wide"
    reference_mechanism: Literal["cachekv", "none"] = "cachekv"


class RefLdm(nn.Module):
    """The network. Images are RGB in [0, 1]; latents are (B, C, h, w), before quantisation."""

    def __init__(self, config: RefLdmConfig) -> None:
        super().__init__()
        self.config = config
        self.autoencoder = Autoencoder(config.autoencoder)
        self.unet = UNet(config.unet)
        self.schedule = Schedule.from_config(config.diffusion)

    @property
    def latent_step(self) -> int:
        """Image pixels per latent pixel, along a side."""
        return self.config.autoencoder.downsampling

    @property
    def side_step(self) -> int:
        """What the sides of an image must be multiples of."""
        return self.latent_step * self.config.unet.downsampling

    def encode(self, images: Tensor) -> Tensor:
        """Latents of images (B, 3, H, W)."""
        return self.autoencoder.encode(images * 2 - 1)

    def decode(self, latents: Tensor) -> Tensor:
        """Images of latents, not clamped."""
        return (self.autoencoder.decode(latents) + 1) / 2

    def encode_references(self, references: Tensor) -> Tensor:
        """Latents (B, N, C, h, w) of the references (B, N, 3, H, W) of each image."""
        count = references.shape[1]
        if self.config.reference_encoding == "separate":
            alone = self.encode(references.flatten(0, 1))
            return alone.view(-1, count, *alone.shape[1:])
        wide = torch.cat(references.unbind(1), -1)
        return torch.stack(self.encode(wide).chunk(count, -1), 1)

    def cache_references(self, latents: Tensor) -> CacheKV:
        """CacheKV of the reference latents (B, N, C, h, w) of each image: N times its tokens."""
        recorder = Recorder()
        alone = latents.flatten(0, 1)
        now = torch.zeros(len(alone), dtype=torch.long, device=alone.device)
        self.unet(torch.cat([alone, torch.zeros_like(alone)], 1), now, recorder)
        return recorder.cache().gather(len(latents))

    def cache_null(self, latent_size: tuple[int, int], references: int) -> CacheKV:
        """CacheKV of ``references`` null references, whose latents are zero, for a batch of any size."""
        parameter = next(self.unet.parameters())
        zeros = parameter.new_zeros(1, 1, self.config.unet.out_channels, *latent_size)
        return self.cache_references(zeros).times(references)

    def eps(
        self, x_t: Tensor, timesteps: Tensor, lq_latents: Tensor, *, memory: Memory | None = None
    ) -> Tensor:
        """The noise in latents ``x_t`` at ``timesteps`` (B,), given the latents of the LQ images.

        It is B long, or B for each branch of the memory.
        """
        output = self.unet(torch.cat([x_t, lq_latents], 1), timesteps, memory)
        batch = len(output)
        return self.schedule.noise_of(output, repeated(x_t, batch), repeated(timesteps, batch))

    def guided_eps(
        self, lq_latents: Tensor, references: CacheKV, null: CacheKV, *, scale: float
    ) -> Callable[[Tensor, Tensor], Tensor]:
        """The noise as a function of (x_t, timesteps), guided from null references to the real ones.

        eps = eps(null) + scale (eps(references) - eps(null)), both in one pass that parts at the first
        attention; a scale of 1 needs no null references and 0 no real ones, and then there is one branch.
        """
        if scale in (0, 1):
            memory = references if scale == 1 else null
            return lambda x_t, timesteps: self.eps(x_t, timesteps, lq_latents, memory=memory)
        branches = Branches((null, references))

        def eps(x_t: Tensor, timesteps: Tensor) -> Tensor:
            without, with_references = self.eps(x_t, timesteps, lq_latents, memory=branches).chunk(2)
            return without + scale * (with_references - without)

        return eps
