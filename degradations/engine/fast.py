"""Fast path of the classical chain (blur, downscale, Gaussian noise, coding, full size), equal to the byte.

Samples are computed in float32, and only where the bilinear downscaling reads them (`sparse_sampling`).
Before the coding, the image is rounded to 8 bits: a sample so close to a half that float32 cannot decide the
rounding is computed again in float64, as the reference implementation does. So every rounding is equal. The
resizing to full size needs no such care: integer levels times integer weights are integers, exact in float64
in any order of summation, matrix products included.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from ..operations.blurring import require_larger_than_kernel
from ..operations.kernels import Kernel
from ..operations.operation import Levels, Size, round_levels
from ..operations.resampling import taps
from ..operations.resizing import require_nonempty
from .buffers import buffers
from .sparse_sampling import ROUNDING_MARGIN, approximate_samples, exact_samples

Double = npt.NDArray[np.float64]
ROWS_AT_ONCE = 32


def blur_shrink_round(
    levels: Levels, kernel: Kernel, size: Size, *, normal: npt.NDArray[np.float32], sigma: float
) -> Levels:
    """Correlate, downscale bilinearly, add noise and round to 8 bits.

    Args:
        levels: BGR uint8, HWC.
        kernel: float64, square; the border is reflect-101.
        size: (height, width) after downscaling.
        normal: standard normal numbers, (height, width, 3) or (height, width, 1).
        sigma: the noise's standard deviation, in levels.

    Raises:
        InvalidInputError: the image is too small for the kernel or for the downscaling.
    """
    have = levels.shape[:2]
    require_larger_than_kernel(have, kernel)
    require_nonempty(have, size)
    rows, columns = (taps(length, count, "bilinear") for length, count in zip(have, size, strict=True))
    samples = approximate_samples(levels, kernel, rows=rows, columns=columns)
    small = np.empty(samples.shape, dtype=np.uint8)
    doubtful = np.empty(samples.shape, dtype=bool)
    for start in range(0, size[0], ROWS_AT_ONCE):
        part = slice(start, start + ROWS_AT_ONCE)
        approximate = samples[part]
        approximate += normal[part] * np.float32(sigma)
        rounded = np.rint(approximate)
        approximate -= rounded
        np.greater(np.abs(approximate, out=approximate), 0.5 - ROUNDING_MARGIN, out=doubtful[part])
        small[part] = np.clip(rounded, 0, 255, out=rounded)
    places = np.nonzero(doubtful)
    drawn = np.broadcast_to(normal, samples.shape)[places].astype(np.float64)
    exact = exact_samples(levels, kernel, rows=rows, columns=columns, places=places) + drawn * sigma
    small[places] = round_levels(exact)
    return small


def enlarge_round(levels: Levels, size: Size) -> Levels:
    """Upscale BGR uint8 bilinearly to ``size`` = (height, width) and round to 8 bits; no side may shrink."""
    height, width, channels = *size, levels.shape[2]
    rows, columns = (_dense_bands(n, count) for n, count in zip(levels.shape[:2], size, strict=True))
    wide = buffers.double("wide", len(levels), width, channels)
    for channel in range(channels):
        narrow = levels[..., channel].astype(np.float64)
        for band in columns:
            wide[:, band.writes, channel] = narrow[:, band.reads] @ band.weights.T
    enlarged = np.empty((height, width, channels), dtype=np.uint8)
    for band in rows:
        sums = band.weights @ wide[band.reads].reshape(-1, width * channels)
        np.divide(sums, 4.0 * height * width, out=sums)
        enlarged[band.writes] = np.rint(sums, out=sums).reshape(-1, width, channels)
    return enlarged


@dataclass(frozen=True, slots=True)
class _Band:
    """A dense block of a resampling matrix: the outputs it writes, the inputs it reads, the weights."""

    writes: slice
    reads: slice
    weights: Double


@lru_cache(maxsize=128)
def _dense_bands(length: int, count: int) -> tuple[_Band, ...]:
    """The matrix of bilinear resizing, in integers that add up to 2 x ``count`` in each row."""
    matrix = taps(length, count, "bilinear").matrix(length)
    bands = []
    for start in range(0, count, ROWS_AT_ONCE):
        writes = slice(start, min(start + ROWS_AT_ONCE, count))
        piece = matrix[writes]
        reads = slice(piece.indices.min(), piece.indices.max() + 1)
        bands.append(_Band(writes, reads, piece.toarray()[:, reads]))
    return tuple(bands)
