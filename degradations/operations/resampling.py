"""Resampling (bilinear, bicubic, area, torch-area) as sparse matrices per image axis.

The weights are equal on every machine. Pixel centres lie at half integers, as in OpenCV: output pixel i is
centred at (i + 1/2) length / count - 1/2. Only the methods ``area`` (OpenCV's) and ``torch-area`` (PyTorch's
`interpolate(mode="area")`) antialias. The others and ``area`` equal `cv2.resize` in exact arithmetic; OpenCV
itself keeps the weights in float32 on some machines and in float64 on others.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_array

CUBIC = -0.75  # the free parameter of cubic convolution (Keys 1981), as in OpenCV and PyTorch
METHODS = ("bilinear", "area", "bicubic", "torch-area")


@dataclass(frozen=True, slots=True)
class Taps:
    """Filter taps of ``count`` output pixels.

    Attributes:
        positions: (count, taps) input pixels that are read.
        weights: (count, taps); integers for `bilinear` and `area`, so that sums of integer levels are exact.
        total: sum of the weights of a pixel, by which a sum is divided.
    """

    positions: npt.NDArray[np.int64]
    weights: npt.NDArray[np.float64]
    total: float

    def matrix(self, length: int) -> csr_array:
        """The sparse matrix (count, length) of the resampling, not divided by ``total``."""
        count, taps = self.positions.shape
        ends = np.arange(count + 1) * taps
        return csr_array((self.weights.ravel(), self.positions.ravel(), ends), shape=(count, length))


def bilinear(length: int, count: int) -> Taps:
    """Linear interpolation between the two nearest pixels; the border pixel is repeated."""
    first, share = _centres(length, count)
    share = np.where((first < 0) | (first >= length - 1), 0, share)
    positions = np.clip(np.stack([first, first + 1], axis=1), 0, length - 1)
    return Taps(positions, np.stack([2.0 * count - share, share], axis=1), 2.0 * count)


def bicubic(length: int, count: int) -> Taps:
    """Cubic convolution over four pixels (Keys 1981); the border pixel is repeated."""
    first, share = _centres(length, count)
    offsets = np.arange(-1, 3)
    distance = np.abs(share[:, None] / (2.0 * count) - offsets)
    near = ((CUBIC + 2) * distance - (CUBIC + 3)) * distance**2 + 1
    far = ((CUBIC * distance - 5 * CUBIC) * distance + 8 * CUBIC) * distance - 4 * CUBIC
    positions = np.clip(first[:, None] + offsets, 0, length - 1)
    return Taps(positions, np.where(distance <= 1, near, far), 1.0)


def area(length: int, count: int) -> Taps:
    """Mean over the interval that an output pixel covers, partial pixels in proportion."""
    starts = np.arange(count)[:, None] * length
    positions = starts // count + np.arange(-(-length // count) + 1)
    covered = np.minimum((positions + 1) * count, starts + length) - np.maximum(positions * count, starts)
    return Taps(np.minimum(positions, length - 1), np.maximum(covered, 0).astype(np.float64), float(length))


def torch_area(length: int, count: int) -> Taps:
    """Mean over every pixel that an output pixel touches, partial ones as much as whole ones.

    It is adaptive average pooling: pixels floor(i length / count) to ceil((i + 1) length / count).
    """
    starts = np.arange(count) * length // count
    ends = -(-(np.arange(count) + 1) * length // count)
    positions = starts[:, None] + np.arange(int((ends - starts).max()))
    weights = np.where(positions < ends[:, None], 1.0 / (ends - starts)[:, None], 0.0)
    return Taps(np.minimum(positions, length - 1), weights, 1.0)


@lru_cache(maxsize=512)
def taps(length: int, count: int, method: str) -> Taps:
    """The taps of a method of `METHODS`; cached, so callers must not modify them."""
    made = {"bilinear": bilinear, "area": area, "bicubic": bicubic, "torch-area": torch_area}
    return made[method](length, count)


def _centres(length: int, count: int) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """The pixel at or before each centre, and how far the centre is beyond it, in parts of 2 count."""
    first, share = np.divmod((2 * np.arange(count, dtype=np.int64) + 1) * length - count, 2 * count)
    return first, share
