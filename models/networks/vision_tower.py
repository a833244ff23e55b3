"""Vision transformer of CLIP (Radford et al., 2021), as trained on faces by FaRL (Zheng et al., 2022).

Submodules are named as in the published checkpoints, below ``visual.``.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence

import torch
from pydantic import BaseModel, ConfigDict
from torch import Tensor, nn
from torch.nn import functional as F

MEAN = (0.48145466, 0.4578275, 0.40821073)
DEVIATION = (0.26862954, 0.26130258, 0.27577711)


class VisionTowerConfig(BaseModel):
    """Sizes of a tower; the defaults are those of ViT-B/16, which FaRL published."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    image_size: int = 224
    patch: int = 16
    channels: int = 768
    layers: int = 12
    heads: int = 12

    @property
    def tokens(self) -> int:
        """Number of tokens: the class token and one per patch."""
        return 1 + (self.image_size // self.patch) ** 2


class VisionTower(nn.Module):
    """Vision transformer: aligned faces (B, 3, H, W) in [0, 1] to tokens of chosen layers."""

    def __init__(self, config: VisionTowerConfig) -> None:
        super().__init__()
        self.config = config
        width = config.channels
        self.class_embedding = nn.Parameter(torch.randn(width) * width**-0.5)
        self.positional_embedding = nn.Parameter(torch.randn(config.tokens, width) * width**-0.5)
        self.conv1 = nn.Conv2d(3, width, config.patch, stride=config.patch, bias=False)
        self.ln_pre = nn.LayerNorm(width)
        blocks = nn.ModuleList(TransformerBlock(width, config.heads) for _ in range(config.layers))
        self.transformer = nn.ModuleDict({"resblocks": blocks})
        self.ln_post = nn.LayerNorm(width)

    def forward(self, images: Tensor, layers: Sequence[int]) -> list[Tensor]:
        """Tokens after some layers.

        Args:
            images: (B, 3, H, W) in [0, 1]; they are resized to the tower's size.
            layers: numbers of layers, 1 to the number of layers, ascending.

        Returns:
            For each layer (B, tokens, channels), class token first, after the final layer norm.
        """
        size = (self.config.image_size, self.config.image_size)
        if tuple(images.shape[-2:]) != size:
            images = F.interpolate(images, size, mode="bicubic", antialias=True).clamp(0, 1)
        mean, deviation = (images.new_tensor(values).view(1, 3, 1, 1) for values in (MEAN, DEVIATION))
        patches = self.conv1((images - mean) / deviation).flatten(2).transpose(1, 2)
        first = self.class_embedding.to(patches.dtype).expand(len(patches), 1, -1)
        x = self.ln_pre(torch.cat([first, patches], 1) + self.positional_embedding)
        kept = []
        for number, block in enumerate(self.transformer["resblocks"].children(), start=1):
            x = block(x)
            if number in layers:
                kept.append(self.ln_post(x))
        return kept


class TransformerBlock(nn.Module):
    """Self-attention and two linear layers, each normalised before and added to its input."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.ln_1 = nn.LayerNorm(width)
        self.attn = nn.MultiheadAttention(width, heads, batch_first=True)
        self.ln_2 = nn.LayerNorm(width)
        layers = [("c_fc", nn.Linear(width, 4 * width)), ("gelu", QuickGELU())]
        self.mlp = nn.Sequential(OrderedDict([*layers, ("c_proj", nn.Linear(4 * width, width))]))

    def forward(self, x: Tensor) -> Tensor:
        """Apply to (B, tokens, width)."""
        normed = self.ln_1(x)
        x = x + self.attn(normed, normed, normed, need_weights=False)[0]
        out: Tensor = x + self.mlp(self.ln_2(x))
        return out


class QuickGELU(nn.Module):
    """CLIP's approximation of GELU."""

    def forward(self, x: Tensor) -> Tensor:
        """Apply to any shape."""
        return x * torch.sigmoid(1.702 * x)
