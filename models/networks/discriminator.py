"""Patch discriminator (Isola et al., 2017) for the adversarial loss of the autoencoder."""

from __future__ import annotations

from itertools import pairwise

from torch import Tensor, nn

GROUPS = 32


class PatchDiscriminator(nn.Module):
    """Images (B, 3, H, W) in [-1, 1] to logits (B, 1, h, w): positive for real, negative for restored ones.

    Group normalisation instead of batch normalisation: logits do not depend on the other images.
    """

    def __init__(self, channels: int = 64, layers: int = 3) -> None:
        super().__init__()
        widths = [channels * min(2**level, 8) for level in range(layers + 1)]
        blocks: list[nn.Module] = [nn.Conv2d(3, widths[0], 4, stride=2, padding=1), nn.LeakyReLU(0.2)]
        for level, (inner, outer) in enumerate(pairwise(widths), start=1):
            stride = 1 if level == layers else 2
            blocks += [nn.Conv2d(inner, outer, 4, stride=stride, padding=1), nn.GroupNorm(GROUPS, outer)]
            blocks += [nn.LeakyReLU(0.2)]
        self.blocks = nn.Sequential(*blocks, nn.Conv2d(widths[-1], 1, 4, padding=1))

    def forward(self, images: Tensor) -> Tensor:
        """Logits (B, 1, h, w) of images (B, 3, H, W) in [-1, 1]."""
        logits: Tensor = self.blocks(images)
        return logits
