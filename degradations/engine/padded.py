"""Padded batches: images of different sizes in one tensor, each with its own height and width."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from ..operations.operation import Size
from ..operations.resampling import Taps


@dataclass(frozen=True)
class PaddedBatch:
    """Images in the upper left corners of one tensor.

    Attributes:
        pixels: (B, C, H, W) floating point, levels 0 to 255; finite but otherwise undefined outside an image.
        sizes: (height, width) of each image.
    """

    pixels: Tensor
    sizes: tuple[Size, ...]

    @classmethod
    def of(cls, images: Sequence[Tensor]) -> PaddedBatch:
        """Pad images (C, h, w) to the largest height and width."""
        sizes = tuple((image.shape[1], image.shape[2]) for image in images)
        if len(set(sizes)) == 1:
            return cls(torch.stack(list(images)), sizes)
        height, width = (max(lengths) for lengths in zip(*sizes, strict=True))
        padded = [F.pad(image, (0, width - image.shape[2], 0, height - image.shape[1])) for image in images]
        return cls(torch.stack(padded), sizes)

    def images(self) -> list[Tensor]:
        """Views of the images, each (C, h, w)."""
        return [image[:, :h, :w] for image, (h, w) in zip(self.pixels, self.sizes, strict=True)]

    def read(self, rows: Tensor, columns: Tensor) -> Tensor:
        """Gather image b at rows[b] and columns[b]: (B, C, number of rows, number of columns)."""
        batch = torch.arange(len(self.sizes), device=self.pixels.device)[:, None, None]
        taken = self.pixels[batch, :, rows[:, :, None], columns[:, None, :]]
        return taken.permute(0, 3, 1, 2)

    def extended(self, before: int, size: Size, place: Callable[[Tensor, Tensor], Tensor]) -> Tensor:
        """Extend every image to ``size``, starting ``before`` pixels above and left of it.

        ``place`` maps positions (1, n) and lengths (B, 1) to the pixel that is read: the border mode.
        """
        device = self.pixels.device
        lengths = torch.tensor(self.sizes, device=device)
        rows, columns = (
            place(torch.arange(-before, room - before, device=device)[None, :], lengths[:, axis, None])
            for axis, room in enumerate(size)
        )
        return self.read(rows, columns)


def reflected(positions: Tensor, lengths: Tensor) -> Tensor:
    """Border mode reflect-101; positions beyond one reflection are clamped."""
    inside = positions.abs()
    return torch.where(inside < lengths, inside, 2 * lengths - 2 - inside).clamp_min(0)


def replicated(positions: Tensor, lengths: Tensor) -> Tensor:
    """Border mode: the outermost pixels repeated (replicate)."""
    return torch.minimum(positions.clamp_min(0), lengths - 1)


def matrices(all_taps: Sequence[Taps], length: int) -> Tensor:
    """Resampling matrices (B, outputs, ``length``), float64; zero rows where an image has fewer outputs.

    As in `Taps`, the rows of a matrix add up to ``total``, by which to divide.
    """
    count = max(len(taps.weights) for taps in all_taps)
    dense = torch.zeros(len(all_taps), count, length, dtype=torch.float64)
    for matrix, taps in zip(dense, all_taps, strict=True):
        weights = torch.from_numpy(taps.weights)
        matrix[: len(weights)].scatter_add_(1, torch.from_numpy(taps.positions), weights)
    return dense
