"""Pictures of different sizes as one batch: padded to the largest, each with its own height and width."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from ..operations.operation import Size
from ..operations.resampling import Taps


@dataclass(frozen=True)
class Ragged:
    """``pixels`` (B, C, H, W) float32, and the (height, width) of each picture in its upper left corner.

    What lies outside of a picture is some finite number, and nothing may depend on it.
    """

    pixels: Tensor
    sizes: tuple[Size, ...]

    @classmethod
    def of(cls, pictures: Sequence[Tensor]) -> Ragged:
        """Pictures (C, h, w) as a batch."""
        sizes = tuple((picture.shape[1], picture.shape[2]) for picture in pictures)
        if len(set(sizes)) == 1:
            return cls(torch.stack(list(pictures)), sizes)
        height, width = (max(lengths) for lengths in zip(*sizes, strict=True))
        padded = [F.pad(p, (0, width - p.shape[2], 0, height - p.shape[1])) for p in pictures]
        return cls(torch.stack(padded), sizes)

    def pictures(self) -> list[Tensor]:
        """Views of the pictures, each (C, h, w)."""
        return [picture[:, :h, :w] for picture, (h, w) in zip(self.pixels, self.sizes, strict=True)]

    def read(self, rows: Tensor, columns: Tensor) -> Tensor:
        """Picture b at rows[b] and columns[b]: (B, C, number of rows, number of columns)."""
        batch = torch.arange(len(self.sizes), device=self.pixels.device)[:, None, None]
        taken = self.pixels[batch, :, rows[:, :, None], columns[:, None, :]]
        return taken.permute(0, 3, 1, 2)

    def extended(self, before: int, size: Size, place: Callable[[Tensor, Tensor], Tensor]) -> Tensor:
        """A frame of ``size`` about every picture, which begins ``before`` pixels above and left of it.

        ``place`` says which pixel stands for a position, given positions (1, n) and lengths (B, 1).
        """
        device = self.pixels.device
        lengths = torch.tensor(self.sizes, device=device)
        rows, columns = (
            place(torch.arange(-before, room - before, device=device)[None, :], lengths[:, axis, None])
            for axis, room in enumerate(size)
        )
        return self.read(rows, columns)


def mirrored(positions: Tensor, lengths: Tensor) -> Tensor:
    """Reflected about the outermost pixels; what is too far off may stand for any pixel."""
    inside = positions.abs()
    return torch.where(inside < lengths, inside, 2 * lengths - 2 - inside).clamp_min(0)


def repeated(positions: Tensor, lengths: Tensor) -> Tensor:
    """The outermost pixels repeated."""
    return torch.minimum(positions.clamp_min(0), lengths - 1)


def matrices(all_taps: Sequence[Taps], length: int) -> Tensor:
    """Resampling as matrices (B, outputs, ``length``), float64; zeros where a picture has fewer outputs.

    As in `Taps`, the rows of a matrix add up to its taps' ``total``, by which to divide.
    """
    count = max(len(taps.weights) for taps in all_taps)
    dense = torch.zeros(len(all_taps), count, length, dtype=torch.float64)
    for matrix, taps in zip(dense, all_taps, strict=True):
        weights = torch.from_numpy(taps.weights)
        matrix[: len(weights)].scatter_add_(1, torch.from_numpy(taps.positions), weights)
    return dense
