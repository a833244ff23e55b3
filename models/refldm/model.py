"""ReF-LDM (Hsiao et al., 2024): latent diffusion restoration with references through CacheKV.

The references pass once through the same U-Net, at timestep 0 and without an LQ image; the keys and values of
their self-attention are stored (CacheKV) and attended to beside the image's own in every sampling step.
Classifier-free guidance goes from null references, whose latents are zero, to the real ones.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import torch
from pydantic import BaseModel, ConfigDict
from torch import Tensor, nn

from ..diffusion.schedule import DiffusionConfig, Schedule
from ..networks.attention import CacheKV, GuidanceBranches, KeyValueRecorder, Memory
from ..networks.autoencoder import Autoencoder, AutoencoderConfig
from ..networks.unet import UNet, UNetConfig, repeat_batch

ReferenceEncoding = Literal["wide", "separate"]


class RefLdmConfig(BaseModel):
    """Configuration of ReF-LDM; the defaults are those of the released weights.

    Attributes:
        autoencoder, unet, diffusion: sizes of the networks and the noise schedule.
        image_size: side of the images that the network was trained on, in pixels.
        reference_encoding: ``wide`` joins the references side by side and encodes them as one image, so that
            normalisation and attention of the encoder mix them, as in the released weights; ``separate``
            encodes each alone, so that their order does not matter and each can be cached for other images of
            the person.
        reference_mechanism: ``cachekv``, or ``none`` for the network without references (the paper's LDM).
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    autoencoder: AutoencoderConfig = AutoencoderConfig()
    unet: UNetConfig = UNetConfig()
    diffusion: DiffusionConfig = DiffusionConfig()
    image_size: int = 512
    reference_encoding: ReferenceEncoding = "wide"
    reference_mechanism: Literal["cachekv", "none"] = "cachekv"


class RefLdm(nn.Module):
    """ReF-LDM network. Images are RGB (B, 3, H, W) in [0, 1]; latents (B, C, h, w) are not quantised."""

    def __init__(self, config: RefLdmConfig) -> None:
        super().__init__()
        self.config = config
        self.autoencoder = Autoencoder(config.autoencoder)
        self.unet = UNet(config.unet)
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
        recorder = KeyValueRecorder()
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
        """Noise prediction (B, C, h, w) for latents ``x_t`` at ``timesteps`` (B,), given the LQ latents.

        With `GuidanceBranches` as memory the result has one batch per branch.
        """
        output = self.unet(torch.cat([x_t, lq_latents], 1), timesteps, memory)
        batch = len(output)
        return self.schedule.predicted_noise(output, repeat_batch(x_t, batch), repeat_batch(timesteps, batch))

    def guided_eps(
        self, lq_latents: Tensor, references: CacheKV, null: CacheKV, *, scale: float
    ) -> Callable[[Tensor, Tensor], Tensor]:
        """Noise prediction with classifier-free guidance, as a function of (x_t, timesteps).

        eps = eps(null) + scale (eps(references) - eps(null)), both computed in one pass, see
        `GuidanceBranches`; scales of 0 and 1 need one of them only.
        """
        if scale in (0, 1):
            memory = references if scale == 1 else null
            return lambda x_t, timesteps: self.eps(x_t, timesteps, lq_latents, memory=memory)
        branches = GuidanceBranches((null, references))

        def eps(x_t: Tensor, timesteps: Tensor) -> Tensor:
            without, with_references = self.eps(x_t, timesteps, lq_latents, memory=branches).chunk(2)
            return without + scale * (with_references - without)

        return eps
