"""Autoencoder of latent diffusion: VQGAN (Esser et al., 2021) as in ReF-LDM, and a light variant.

Diffusion works on the latents before quantisation, with no scale factor; decoding quantises first. Images are
in [-1, 1] here. Submodules are named as in the released weights.
"""

from __future__ import annotations

from itertools import pairwise

import torch
from pydantic import BaseModel, ConfigDict
from torch import Tensor, nn
from torch.nn import functional as F

from .scaled_dot_product import attend

GROUPS = 32


class AutoencoderConfig(BaseModel):
    """Sizes of an autoencoder; the defaults are ReF-LDM's (57.18 M parameters).

    Attributes:
        channels: channels of the finest level.
        multipliers: factor of the channels at each level, finest first; each next level has half the sides.
        residual_blocks: residual blocks per level of the encoder; the decoder has one more.
        latent_channels, codebook_channels: channels of the latents before and after the 1x1 convolution.
        codebook_size: number of codebook vectors; 0 for no codebook: latents are decoded as they are.
        image_channels: 3 for RGB.
        patch: space-to-depth factor before the first and after the last convolution. Above 1 the finest and
            most expensive level is left out.

    ``codebook_size=0`` and ``patch`` are for the minis; the paper has neither.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    channels: int = 128
    multipliers: tuple[int, ...] = (1, 1, 2, 4)
    residual_blocks: int = 2
    latent_channels: int = 8
    codebook_channels: int = 8
    codebook_size: int = 8192
    image_channels: int = 3
    patch: int = 1

    @property
    def downsampling(self) -> int:
        """Image pixels per latent pixel, along a side."""
        return int(self.patch * 2 ** (len(self.multipliers) - 1))


class Autoencoder(nn.Module):
    """Autoencoder of encoder, codebook and decoder. Images are (B, 3, H, W) in [-1, 1]."""

    def __init__(self, config: AutoencoderConfig) -> None:
        super().__init__()
        self.config = config
        self.encoder = Encoder(config)
        self.decoder = Decoder(config)
        self.quantize = (
            Codebook(config.codebook_size, config.codebook_channels)
            if config.codebook_size
            else nn.Identity()
        )
        self.quant_conv = nn.Conv2d(config.latent_channels, config.codebook_channels, 1)
        self.post_quant_conv = nn.Conv2d(config.codebook_channels, config.latent_channels, 1)

    def encode(self, images: Tensor) -> Tensor:
        """Encode (B, 3, H, W) in [-1, 1] to latents (B, C, H / f, W / f), not quantised."""
        latents: Tensor = self.quant_conv(self.encoder(F.pixel_unshuffle(images, self.config.patch)))
        return latents

    def decode(self, latents: Tensor) -> Tensor:
        """Quantise latents (B, C, h, w) and decode them to (B, 3, H, W), about [-1, 1], not clamped.

        Gradients use the straight-through estimator of the quantisation.
        """
        quantised = self.quantize(latents)
        if torch.is_grad_enabled() and latents.requires_grad:
            quantised = latents + (quantised - latents).detach()
        return self.decode_quantised(quantised)

    def decode_quantised(self, quantised: Tensor) -> Tensor:
        """Decode quantised latents (B, C, h, w) to images (B, 3, H, W)."""
        images: Tensor = self.decoder(self.post_quant_conv(quantised))
        return F.pixel_shuffle(images, self.config.patch)

    @torch.no_grad()
    def standardise(self, mean: Tensor, deviation: Tensor) -> None:
        """Normalise the latents to mean 0 and standard deviation 1 per channel, and undo it before decoding.

        For autoencoders without codebook; the decoded images stay the same.

        Args:
            mean, deviation: of the present latents, per channel (C,).
        """
        inwards, outwards = self.quant_conv, self.post_quant_conv
        assert inwards.bias is not None
        assert outwards.bias is not None
        inwards.weight.div_(deviation.view(-1, 1, 1, 1))
        inwards.bias.sub_(mean).div_(deviation)
        outwards.bias.add_(outwards.weight[..., 0, 0] @ mean)
        outwards.weight.mul_(deviation.view(1, -1, 1, 1))


class Codebook(nn.Module):
    """Vector quantisation: latents are replaced by their nearest codebook vectors."""

    def __init__(self, size: int, channels: int) -> None:
        super().__init__()
        self.embedding = nn.Embedding(size, channels)
        nn.init.uniform_(self.embedding.weight, -1 / size, 1 / size)

    def forward(self, latents: Tensor) -> Tensor:
        """The nearest vector at each position: (B, C, h, w) to (B, C, h, w)."""
        return F.embedding(self.nearest(latents), self.embedding.weight).permute(0, 3, 1, 2)

    def nearest(self, latents: Tensor) -> Tensor:
        """The index of the nearest vector at each position: (B, h, w); in float32 always."""
        with torch.autocast(latents.device.type, enabled=False):
            tokens = latents.permute(0, 2, 3, 1).float()
            vectors = self.embedding.weight.float()
            return (vectors.square().sum(1) - 2 * tokens @ vectors.T).argmin(-1)


class Encoder(nn.Module):
    """Convolutional encoder, images (B, 3, H, W) to latents (B, latent_channels, h, w)."""

    def __init__(self, config: AutoencoderConfig) -> None:
        super().__init__()
        channels = config.channels
        self.conv_in = nn.Conv2d(config.image_channels * config.patch**2, channels, 3, padding=1)
        self.down = nn.ModuleList()
        for level, multiplier in enumerate(config.multipliers):
            widths = [channels] + [config.channels * multiplier] * config.residual_blocks
            channels = widths[-1]
            last = level == len(config.multipliers) - 1
            self.down.append(Level(widths, downsample=None if last else Downsample(channels)))
        self.mid = Middle(channels)
        self.norm_out = group_norm(channels)
        self.conv_out = nn.Conv2d(channels, config.latent_channels, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        """Encode (B, 3, H, W)."""
        x = self.conv_in(x)
        for level in self.down:
            x = level(x)
        out: Tensor = self.conv_out(activated(self.norm_out, self.mid(x)))
        return out


class Decoder(nn.Module):
    """Convolutional decoder, latents to images; level 0 is the finest and comes last."""

    def __init__(self, config: AutoencoderConfig) -> None:
        super().__init__()
        channels = config.channels * config.multipliers[-1]
        self.conv_in = nn.Conv2d(config.latent_channels, channels, 3, padding=1)
        self.mid = Middle(channels)
        levels: list[Level] = []
        for level, multiplier in reversed(list(enumerate(config.multipliers))):
            widths = [channels] + [config.channels * multiplier] * (config.residual_blocks + 1)
            channels = widths[-1]
            levels.insert(0, Level(widths, upsample=Upsample(channels) if level > 0 else None))
        self.up = nn.ModuleList(levels)
        self.norm_out = group_norm(channels)
        self.conv_out = nn.Conv2d(channels, config.image_channels * config.patch**2, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        """Decode (B, latent_channels, h, w)."""
        x = self.mid(self.conv_in(x))
        for level in reversed(self.up):
            x = level(x)
        out: Tensor = self.conv_out(activated(self.norm_out, x))
        return out


class Level(nn.Module):
    """Residual blocks at one resolution, then a change of resolution where there is one."""

    def __init__(
        self, widths: list[int], downsample: Downsample | None = None, upsample: Upsample | None = None
    ) -> None:
        super().__init__()
        self.block = nn.ModuleList(ResidualBlock(inner, outer) for inner, outer in pairwise(widths))
        if downsample is not None:
            self.downsample = downsample
        if upsample is not None:
            self.upsample = upsample

    def forward(self, x: Tensor) -> Tensor:
        """Apply to (B, widths[0], h, w)."""
        for block in self.block:
            x = block(x)
        for change in ("downsample", "upsample"):
            if hasattr(self, change):
                x = getattr(self, change)(x)
        return x


class Middle(nn.Module):
    """A residual block, attention, a residual block."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.block_1 = ResidualBlock(channels, channels)
        self.attn_1 = AttentionBlock(channels)
        self.block_2 = ResidualBlock(channels, channels)

    def forward(self, x: Tensor) -> Tensor:
        """Apply to (B, channels, h, w)."""
        out: Tensor = self.block_2(self.attn_1(self.block_1(x)))
        return out


class ResidualBlock(nn.Module):
    """Two convolutions and a skip connection."""

    def __init__(self, inner: int, outer: int) -> None:
        super().__init__()
        self.norm1 = group_norm(inner)
        self.conv1 = nn.Conv2d(inner, outer, 3, padding=1)
        self.norm2 = group_norm(outer)
        self.conv2 = nn.Conv2d(outer, outer, 3, padding=1)
        if inner != outer:
            self.nin_shortcut = nn.Conv2d(inner, outer, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Apply to (B, inner, h, w)."""
        inside = self.conv2(activated(self.norm2, self.conv1(activated(self.norm1, x))))
        out: Tensor = inside + (self.nin_shortcut(x) if hasattr(self, "nin_shortcut") else x)
        return out


class AttentionBlock(nn.Module):
    """Attention with one head over all pixels."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.norm = group_norm(channels)
        self.q = nn.Conv2d(channels, channels, 1)
        self.k = nn.Conv2d(channels, channels, 1)
        self.v = nn.Conv2d(channels, channels, 1)
        self.proj_out = nn.Conv2d(channels, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Apply to (B, channels, h, w)."""
        inside = self.norm(x)
        q, k, v = (layer(inside).flatten(2).transpose(1, 2)[:, None] for layer in (self.q, self.k, self.v))
        attended = attend(q, k, v)[:, 0].transpose(1, 2).reshape(x.shape)
        out: Tensor = x + self.proj_out(attended)
        return out


class Downsample(nn.Module):
    """Halve the sides with a strided convolution, padded at the right and the bottom only."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels, channels, 3, stride=2)

    def forward(self, x: Tensor) -> Tensor:
        """Apply to (B, channels, h, w)."""
        out: Tensor = self.conv(F.pad(x, (0, 1, 0, 1)))
        return out


class Upsample(nn.Module):
    """Double the sides by repetition, then a convolution."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels, channels, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        """Apply to (B, channels, h, w).

        Without gradients both steps are one transposed convolution, whose kernel sums the taps that fall
        on the same repeated pixel: 4 multiplications where there were 9, and the same result.
        """
        if torch.is_grad_enabled():
            out: Tensor = self.conv(F.interpolate(x, scale_factor=2, mode="nearest"))
            return out
        kernel = _summed_taps(_summed_taps(self.conv.weight, 2), 3).transpose(0, 1)
        return F.conv_transpose2d(x, kernel, self.conv.bias, stride=2, padding=1)


def _summed_taps(kernel: Tensor, axis: int) -> Tensor:
    first, second, third = kernel.unbind(axis)
    return torch.stack([third, second + third, first + second, first], axis)


def group_norm(channels: int) -> nn.GroupNorm:
    """The normalisation of all blocks."""
    return nn.GroupNorm(GROUPS, channels, eps=1e-6)


def activated(norm: nn.GroupNorm, x: Tensor) -> Tensor:
    """Normalise, then SiLU; in place where no gradients are needed."""
    return F.silu(norm(x), inplace=not torch.is_grad_enabled())
