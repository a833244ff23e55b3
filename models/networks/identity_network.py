"""Small trainable face recogniser: a residual network from ArcFace crops to unit embeddings, ArcFace loss."""

from __future__ import annotations

from itertools import pairwise

import torch
from pydantic import BaseModel, ConfigDict
from torch import Tensor, nn
from torch.nn import functional as F

GROUPS = 16


class IdentityNetworkConfig(BaseModel):
    """Sizes of a recogniser: ``channels`` per level, each of half the sides; length of the ``embedding``."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    channels: tuple[int, ...] = (32, 64, 128, 256)
    embedding: int = 256


class IdentityNetwork(nn.Module):
    """Crops (B, 3, 112, 112) in [-1, 1], aligned as ArcFace's, to unit vectors (B, D).

    Group normalisation instead of batch normalisation: an embedding does not depend on the other images.
    """

    def __init__(self, config: IdentityNetworkConfig) -> None:
        super().__init__()
        self.config = config
        first = config.channels[0]
        self.stem = nn.Sequential(nn.Conv2d(3, first, 3, stride=2, padding=1), nn.GroupNorm(GROUPS, first))
        widths = pairwise((first, *config.channels))
        self.levels = nn.ModuleList(Level(inner, outer) for inner, outer in widths)
        self.head = nn.Linear(config.channels[-1] * 16, config.embedding)

    def forward(self, crops: Tensor) -> Tensor:
        """Embed a batch of crops."""
        x = F.silu(self.stem(crops))
        for level in self.levels:
            x = level(x)
        return F.normalize(self.head(F.adaptive_avg_pool2d(x, 4).flatten(1)), dim=1)


class Level(nn.Module):
    """Residual block with stride 2: two convolutions and a skip connection."""

    def __init__(self, inner: int, outer: int) -> None:
        super().__init__()
        self.down = nn.Conv2d(inner, outer, 3, stride=2, padding=1)
        self.norm = nn.GroupNorm(GROUPS, outer)
        self.conv = nn.Conv2d(outer, outer, 3, padding=1)
        self.norm_after = nn.GroupNorm(GROUPS, outer)
        self.skip = nn.Conv2d(inner, outer, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Apply to (B, inner, h, w)."""
        inside = self.norm_after(self.conv(F.silu(self.norm(self.down(x)))))
        return F.silu(self.skip(F.avg_pool2d(x, 2, ceil_mode=True)) + inside)


def angular_margin_logits(
    vectors: Tensor, centres: Tensor, people: Tensor, *, margin: float, scale: float
) -> Tensor:
    """Logits of the ArcFace loss (Deng et al., 2019, equation 3): cosines with an additive angular margin.

    Args:
        vectors: unit embeddings (B, D).
        centres: class centres (P, D), of any length.
        people: class of each embedding (B,), int64 in [0, P).
        margin: added to the angle to the correct class, in radians; the sum is at most pi.
        scale: factor of the cosines.

    Returns:
        Logits (B, P), for a cross entropy loss.
    """
    cosines = (vectors @ F.normalize(centres, dim=1).T).clamp(-1 + 1e-6, 1 - 1e-6)
    right = cosines.gather(1, people[:, None])
    widened = (right.acos() + margin).clamp(max=torch.pi).cos()
    return scale * cosines.scatter(1, people[:, None], widened)
