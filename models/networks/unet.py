"""Denoising U-Net of latent diffusion (Rombach et al., 2022) with a memory for its self-attention.

Submodules are named as in the released ReF-LDM weights, so that checkpoints load without renaming.
Cross-attention to a context sequence can be added after each self-attention; it changes no other name.
"""

from __future__ import annotations

import math
from typing import TypeVar

import torch
from pydantic import BaseModel, ConfigDict
from torch import Tensor, nn
from torch.nn import functional as F

from .attention import Memory, SelfAttention
from .scaled_dot_product import attend

Layer = TypeVar("Layer", bound=nn.Module)
GROUPS = 32


class UNetConfig(BaseModel):
    """Sizes of a U-Net; the defaults are ReF-LDM's (117.76 M parameters).

    Attributes:
        in_channels, out_channels: channels of the input (noisy latent and condition) and the output.
        channels: channels of the finest level.
        multipliers: factor of the channels at each level, finest first; each next level has half the sides.
        residual_blocks: residual blocks per level on the way down; one more on the way up.
        attention_at: downsampling factors with self-attention; the middle block always has it.
        head_channels: channels of an attention head.
        dropout: dropout probability in the residual blocks.
        context_channels: width of a context; adds cross-attention to it. None for no cross-attention.
        context_grid: the last context_grid x context_grid tokens of the context lie on a grid, see
            ``positions``.
        positions: learned locality of the attention heads: some heads are initialised to attend to their own
            position, in the image, in references and on the context's grid. Aligned faces need less training
            with it. It is for the minis; no paper has it.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    in_channels: int = 16
    out_channels: int = 8
    channels: int = 160
    multipliers: tuple[int, ...] = (1, 2, 2, 4)
    residual_blocks: int = 2
    attention_at: tuple[int, ...] = (2, 4, 8)
    head_channels: int = 32
    dropout: float = 0.0
    context_channels: int | None = None
    context_grid: int = 0
    positions: bool = False

    @property
    def downsampling(self) -> int:
        """Downsampling factor of the deepest level; the sides of the latent must be multiples of it."""
        return int(2 ** (len(self.multipliers) - 1))


class UNet(nn.Module):
    """U-Net that predicts the noise (or velocity) in a latent."""

    def __init__(self, config: UNetConfig) -> None:
        super().__init__()
        self.config = config
        width = config.channels * 4
        self.time_embed = nn.Sequential(nn.Linear(config.channels, width), nn.SiLU(), nn.Linear(width, width))
        layers = 0

        def attention(channels: int) -> AttentionBlock:
            nonlocal layers
            layers += 1
            return AttentionBlock(channels, layers - 1, config)

        def residual(inner: int, outer: int) -> ResidualBlock:
            return ResidualBlock(inner, outer, width, dropout=config.dropout)

        channels, factor = config.channels, 1
        self.input_blocks = nn.ModuleList([Stage([nn.Conv2d(config.in_channels, channels, 3, padding=1)])])
        skipped = [channels]
        for level, multiplier in enumerate(config.multipliers):
            for _ in range(config.residual_blocks):
                stage = Stage([residual(channels, config.channels * multiplier)])
                channels = config.channels * multiplier
                if factor in config.attention_at:
                    stage.append(attention(channels))
                self.input_blocks.append(stage)
                skipped.append(channels)
            if level < len(config.multipliers) - 1:
                self.input_blocks.append(Stage([Downsample(channels)]))
                skipped.append(channels)
                factor *= 2

        self.middle_block = Stage(
            [residual(channels, channels), attention(channels), residual(channels, channels)]
        )

        self.output_blocks = nn.ModuleList()
        for level, multiplier in reversed(list(enumerate(config.multipliers))):
            for block in range(config.residual_blocks + 1):
                stage = Stage([residual(channels + skipped.pop(), config.channels * multiplier)])
                channels = config.channels * multiplier
                if factor in config.attention_at:
                    stage.append(attention(channels))
                if level > 0 and block == config.residual_blocks:
                    stage.append(Upsample(channels))
                    factor //= 2
                self.output_blocks.append(stage)
        self.out = nn.Sequential(
            nn.GroupNorm(GROUPS, channels),
            nn.SiLU(),
            zero_initialised(nn.Conv2d(channels, config.out_channels, 3, padding=1)),
        )
        self.attention_layers = layers

    def forward(
        self, x: Tensor, timesteps: Tensor, memory: Memory | None = None, context: Tensor | None = None
    ) -> Tensor:
        """Predict the noise.

        Args:
            x: (B, in_channels, h, w): the noisy latent, and the LQ latent on further channels.
            timesteps: (B,) int64.
            memory: what self-attention attends to; None for the image's own tokens.
            context: (B, tokens, context_channels) for a U-Net with cross-attention.

        Returns:
            (B, out_channels, h, w); with `GuidanceBranches` once per branch along the batch. The first and
            the last convolution and the time embedding are float32 under autocast too.
        """
        memory = memory or SelfAttention()
        first, *others = self.input_blocks
        with torch.autocast(x.device.type, enabled=False):
            embedding = self.time_embed(timestep_embedding(timesteps, self.config.channels))
            x = first(x.float(), embedding, memory, context)
        skipped = [x]
        for stage in others:
            x = stage(x, embedding, memory, context)
            skipped.append(x)
        x = self.middle_block(x, embedding, memory, context)
        for stage in self.output_blocks:
            x = stage(torch.cat([x, repeat_batch(skipped.pop(), len(x))], 1), embedding, memory, context)
        with torch.autocast(x.device.type, enabled=False):
            out: Tensor = self.out(x.float())
        return out


class Stage(nn.ModuleList):
    """Sequence of layers, each called with the arguments it takes."""

    def forward(self, x: Tensor, embedding: Tensor, memory: Memory, context: Tensor | None) -> Tensor:
        """Apply the layers."""
        for layer in self:
            if isinstance(layer, ResidualBlock):
                x = layer(x, embedding)
            elif isinstance(layer, AttentionBlock):
                x = layer(x, memory, context)
            else:
                x = layer(x)
        return x


class ResidualBlock(nn.Module):
    """Two convolutions, the time embedding added between them, and a skip connection."""

    def __init__(self, inner: int, outer: int, width: int, *, dropout: float) -> None:
        super().__init__()
        self.in_layers = nn.Sequential(
            nn.GroupNorm(GROUPS, inner), nn.SiLU(), nn.Conv2d(inner, outer, 3, padding=1)
        )
        self.emb_layers = nn.Sequential(nn.SiLU(), nn.Linear(width, outer))
        self.out_layers = nn.Sequential(
            nn.GroupNorm(GROUPS, outer),
            nn.SiLU(),
            nn.Dropout(dropout),
            zero_initialised(nn.Conv2d(outer, outer, 3, padding=1)),
        )
        self.skip_connection = nn.Conv2d(inner, outer, 1) if inner != outer else nn.Identity()

    def forward(self, x: Tensor, embedding: Tensor) -> Tensor:
        """Apply the block to (B, inner, h, w)."""
        inside = self.in_layers(x) + repeat_batch(self.emb_layers(embedding), len(x))[..., None, None]
        out: Tensor = self.skip_connection(x) + self.out_layers(inside)
        return out


class AttentionBlock(nn.Module):
    """Self-attention of the pixels through the memory of the pass, then optional cross-attention."""

    def __init__(self, channels: int, layer: int, config: UNetConfig) -> None:
        super().__init__()
        self.layer = layer
        self.heads = channels // config.head_channels
        self.nearness = locality_init(self.heads) if config.positions else None
        self.norm = nn.GroupNorm(GROUPS, channels)
        self.qkv = nn.Conv1d(channels, 3 * channels, 1)
        self.proj_out = zero_initialised(nn.Conv1d(channels, channels, 1))
        self.cross = CrossAttention(channels, config) if config.context_channels else None

    def forward(self, x: Tensor, memory: Memory, context: Tensor | None) -> Tensor:
        """Apply the block to (B, channels, h, w)."""
        batch, channels, height, width = x.shape
        tokens = self.norm(x).flatten(2).transpose(1, 2)
        qkv = F.linear(tokens, self.qkv.weight[..., 0], self.qkv.bias)
        q, k, v = qkv.view(batch, -1, self.heads, 3, channels // self.heads).transpose(1, 2).unbind(3)
        if self.nearness is not None:
            places = self.nearness[:, None, None] * grid_positions(q.shape[-1], height, width).to(x)
            q, k = q + places.to(q), k + places.to(k)
        attended = memory.attend(q, k, v, layer=self.layer).transpose(1, 2).flatten(2)
        out = F.linear(attended, self.proj_out.weight[..., 0], self.proj_out.bias)
        x = repeat_batch(x, len(out)) + out.transpose(1, 2).view(-1, channels, height, width)
        if self.cross is not None and context is not None:
            x = self.cross(x, context)
        return x


class CrossAttention(nn.Module):
    """Cross-attention of the pixels to the tokens of a context."""

    def __init__(self, channels: int, config: UNetConfig) -> None:
        super().__init__()
        self.heads = channels // config.head_channels
        self.grid = config.context_grid
        self.nearness = locality_init(self.heads) if config.positions and self.grid else None
        self.norm = nn.GroupNorm(GROUPS, channels)
        self.q = nn.Linear(channels, channels)
        self.kv = nn.Linear(config.context_channels or 0, 2 * channels)
        self.proj_out = zero_initialised(nn.Linear(channels, channels))

    def forward(self, x: Tensor, context: Tensor) -> Tensor:
        """Attend from (B, channels, h, w) to (B, tokens, context_channels)."""
        batch, channels, height, width = x.shape
        q = self._heads(self.q(self.norm(x).flatten(2).transpose(1, 2)))
        k, v = map(self._heads, self.kv(context).chunk(2, -1))
        if self.nearness is not None:
            nearness, grid = self.nearness[:, None, None], self.grid
            places = nearness * grid_positions(q.shape[-1], grid, grid).to(x)
            q = q + (nearness * grid_positions(q.shape[-1], height, width, spacing=grid / width).to(x)).to(q)
            k = k + F.pad(places, (0, 0, k.shape[2] - grid**2, 0)).to(k)
        attended = attend(q, k, v).transpose(1, 2).reshape(batch, -1, channels)
        out: Tensor = x + self.proj_out(attended).transpose(1, 2).reshape(batch, channels, height, width)
        return out

    def _heads(self, tokens: Tensor) -> Tensor:
        batch, count, channels = tokens.shape
        return tokens.view(batch, count, self.heads, channels // self.heads).transpose(1, 2)


class Downsample(nn.Module):
    """Halve the sides with a strided convolution."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.op = nn.Conv2d(channels, channels, 3, stride=2, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        """Apply to (B, channels, h, w)."""
        out: Tensor = self.op(x)
        return out


class Upsample(nn.Module):
    """Double the sides by repetition, then a convolution."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels, channels, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        """Apply to (B, channels, h, w)."""
        out: Tensor = self.conv(F.interpolate(x, scale_factor=2, mode="nearest"))
        return out


def cast_to_bfloat16(network: UNet) -> None:
    """Cast the weights to bfloat16 that `UNet.forward` uses in bfloat16 under autocast.

    Casting once instead of in every pass changes no result and is faster.
    """
    exact = (network.time_embed, network.input_blocks[0], network.out)
    kept = {id(layer) for part in exact for layer in part.modules()}
    for layer in network.modules():
        if isinstance(layer, nn.Conv2d | nn.Conv1d | nn.Linear) and id(layer) not in kept:
            layer.to(torch.bfloat16)


def timestep_embedding(timesteps: Tensor, channels: int) -> Tensor:
    """Sinusoidal embedding (B, channels) of timesteps (B,), cosines first; frequencies from 1 to 1/10000."""
    half = channels // 2
    steps = torch.arange(half, dtype=torch.float32, device=timesteps.device)
    angles = timesteps[:, None].float() * torch.exp(-math.log(10000) * steps / half)
    return torch.cat([angles.cos(), angles.sin()], -1)


def locality_init(heads: int) -> nn.Parameter:
    """Initial strength of each head's attention to its own position (heads,): from 0 to 2.5."""
    return nn.Parameter(torch.linspace(0, 2.5, heads))


def grid_positions(channels: int, height: int, width: int, *, spacing: float = 1.0) -> Tensor:
    """Two-dimensional sinusoidal positions, rows then columns: (height width, channels) float32.

    A quarter of the channels each; the wavelengths go from 4 to 64, where pixels are ``spacing`` apart.
    """
    waves = torch.pi / 2 * 16 ** -torch.linspace(0, 1, channels // 4, device="cpu")
    row, column = (
        (torch.arange(side, device="cpu")[:, None] + 0.5) * spacing * waves for side in (height, width)
    )
    rows = torch.cat([row.sin(), row.cos()], 1)[:, None].expand(-1, width, -1)
    columns = torch.cat([column.sin(), column.cos()], 1)[None].expand(height, -1, -1)
    return torch.cat([rows, columns], 2).flatten(0, 1)


def repeat_batch(x: Tensor, batch: int) -> Tensor:
    """Repeat ``x`` along its first axis to the length ``batch``, a multiple of its own."""
    return x if len(x) == batch else x.repeat(batch // len(x), *[1] * (x.ndim - 1))


def zero_initialised(layer: Layer) -> Layer:
    """Set a layer's parameters to zero, so that its residual block is initialised as the identity."""
    for parameter in layer.parameters():
        nn.init.zeros_(parameter)
    return layer
