"""Blur and bilinear downscaling in one, computed only at the pixels that the downscaling reads.

Downscaling bilinearly without antialiasing reads 2 x 2 pixels of the blurred image per output pixel: at a
factor of 16 one pixel in 64. `approximate_samples` computes all samples in float32 by the cheapest of

- for a separable kernel (an isotropic Gaussian): one sparse matrix per axis, blur and downscaling in one;
- for any other kernel and few samples: the sum of products at each sample;
- for any other kernel and many samples: the whole blurred channel by discrete Fourier transform.

`exact_samples` computes single samples in float64.
"""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt
from numpy.lib.stride_tricks import sliding_window_view
from scipy.sparse import csr_array

from ..operations.kernels import Kernel
from ..operations.operation import Levels
from ..operations.resampling import Taps
from .buffers import buffers

Single = npt.NDArray[np.float32]
Double = npt.NDArray[np.float64]
Whole = npt.NDArray[np.int64]
ROUNDING_MARGIN = 2e-4  # levels; measured errors with noise: standard deviation 2e-5, maximum below 1e-4
MID_LEVEL = np.float32(128)  # subtracted and added again: float32 is most precise around zero
NEGLIGIBLE = 1e-12
FEW_SAMPLES = 33 * 33
MANY_ROWS = 320
CHUNK = 32


def approximate_samples(levels: Levels, kernel: Kernel, *, rows: Taps, columns: Taps) -> Single:
    """All samples in float32, with an error below `ROUNDING_MARGIN` levels.

    Args:
        levels: BGR uint8, HWC; each side longer than half the kernel.
        kernel: float64, square, of sum 1.
        rows, columns: the bilinear taps of the samples along each axis.
    """
    down, across = kernel.sum(axis=1), kernel.sum(axis=0)
    separates = np.abs(np.outer(down, across) - kernel).max() < NEGLIGIBLE * kernel.max()
    samples = len(rows.weights) * len(columns.weights)
    if separates and len(rows.weights) < MANY_ROWS:
        return _separable(levels, down, across, rows=rows, columns=columns)
    if samples < FEW_SAMPLES:
        return _direct(levels, kernel, rows=rows, columns=columns)
    return _fourier(levels, kernel, rows=rows, columns=columns)


def _separable(levels: Levels, down: Double, across: Double, *, rows: Taps, columns: Taps) -> Single:
    height, width, channels = levels.shape
    picture = buffers.single("picture", height, width * channels)
    np.subtract(levels.reshape(height, -1), MID_LEVEL, out=picture)
    shrunk = _blur_matrix(down, rows, height) @ picture
    transposed = shrunk.reshape(-1, width, channels).transpose(1, 0, 2).reshape(width, -1)
    samples = (_blur_matrix(across, columns, width) @ transposed).reshape(-1, len(shrunk), channels)
    blurred: Single = np.add(samples.transpose(1, 0, 2), MID_LEVEL, order="C")
    return blurred


def _blur_matrix(profile: Double, bilinear: Taps, length: int) -> csr_array:
    """Blur and downscaling of one axis as a matrix (samples, length)."""
    used = np.flatnonzero(np.abs(profile) > NEGLIGIBLE)
    run = profile[used[0] : used[-1] + 1]
    shares = bilinear.weights / bilinear.total
    weights = shares[:, :1] * np.append(run, 0.0) + shares[:, 1:] * np.append(0.0, run)
    offsets = np.arange(len(run) + 1) + used[0] - len(profile) // 2
    positions = reflected(bilinear.positions[:, :1] + offsets, length)
    ends = np.arange(len(weights) + 1) * len(offsets)
    single = weights.astype(np.float32).ravel()
    return csr_array((single, positions.ravel(), ends), shape=(len(weights), length))


def _direct(levels: Levels, kernel: Kernel, *, rows: Taps, columns: Taps) -> Single:
    size = len(kernel)
    half = size // 2
    wide = cv2.copyMakeBorder(levels, half, half + 1, half, half + 1, cv2.BORDER_REFLECT_101)
    planes = buffers.single("planes", 3, *wide.shape[:2])
    np.subtract(wide.transpose(2, 0, 1), MID_LEVEL, out=planes)
    here, beyond = np.pad(kernel, ((0, 0), (0, 1))), np.pad(kernel, ((0, 0), (1, 0)))
    kernels = columns.weights[:, :1, None] * here + columns.weights[:, 1:, None] * beyond
    kernels = (kernels / columns.total).astype(np.float32)
    shares = (rows.weights / rows.total).astype(np.float32)
    samples = np.empty((len(rows.weights), len(columns.weights), 3), dtype=np.float32)
    for sample, y, (share, next_share) in zip(samples, rows.positions[:, 0], shares, strict=True):
        strip = share * planes[:, y : y + size] + next_share * planes[:, y + 1 : y + 1 + size]
        windows = sliding_window_view(strip, size + 1, axis=2)[:, :, columns.positions[:, 0]]
        np.einsum("cujv,juv->jc", windows, kernels, out=sample)
    return np.add(samples, MID_LEVEL, out=samples)


def _fourier(levels: Levels, kernel: Kernel, *, rows: Taps, columns: Taps) -> Single:
    size = len(kernel)
    height, width, channels = levels.shape
    tall, broad = (cv2.getOptimalDFTSize(length + size - 1) for length in (height, width))
    half = size // 2
    border = (half, tall - height - half, half, broad - width - half)
    bordered = cv2.copyMakeBorder(levels, *border, cv2.BORDER_REFLECT_101)
    plane, spectrum = buffers.single("plane", tall, broad), buffers.single("spectrum", tall, broad)
    plane[:] = 0.0
    plane[:size, :size] = kernel
    cv2.dft(plane, spectrum, nonzeroRows=size)
    samples = np.empty((len(rows.weights), len(columns.weights), channels), dtype=np.float32)
    for channel in range(channels):
        np.subtract(bordered[..., channel], MID_LEVEL, out=plane)
        cv2.dft(plane, plane)
        cv2.mulSpectrums(plane, spectrum, 0, plane, conjB=True)
        cv2.dft(plane, plane, flags=cv2.DFT_INVERSE | cv2.DFT_SCALE | cv2.DFT_REAL_OUTPUT)
        shrunk = _between(plane[:height, :width], rows, axis=0)
        np.add(_between(shrunk, columns, axis=1), MID_LEVEL, out=samples[..., channel])
    return samples


def _between(plane: Single, bilinear: Taps, axis: int) -> Single:
    """One axis of bilinear resizing."""
    shape = [len(bilinear.weights) if a == axis else length for a, length in enumerate(plane.shape)]
    parts = [buffers.single(f"tap {tap} of axis {axis}", *shape) for tap in (0, 1)]
    for tap, part in enumerate(parts):
        np.take(plane, bilinear.positions[:, tap], axis=axis, out=part, mode="clip")
        shares = (bilinear.weights[:, tap] / bilinear.total).astype(np.float32)
        part *= np.expand_dims(shares, 1 - axis)
    near, far = parts
    near += far
    return near


def exact_samples(
    levels: Levels, kernel: Kernel, *, rows: Taps, columns: Taps, places: tuple[Whole, ...]
) -> Double:
    """Samples at ``places`` (rows, columns, channels) of the result, in float64."""
    size = len(kernel)
    half = size // 2
    bordered = cv2.copyMakeBorder(levels, half, half + 1, half, half + 1, cv2.BORDER_REFLECT_101)
    shifts = [np.pad(kernel, ((y, 1 - y), (x, 1 - x))).ravel() for y in (0, 1) for x in (0, 1)]
    kernels = np.stack(shifts, axis=1)
    tops, lefts = rows.positions[places[0], 0], columns.positions[places[1], 0]
    blurred = np.empty((len(tops), 4))
    windows = np.empty((CHUNK, size + 1, size + 1))
    for start in range(0, len(tops), CHUNK):
        part = slice(start, start + CHUNK)
        corners = zip(tops[part].tolist(), lefts[part].tolist(), places[2][part].tolist(), strict=True)
        for window, (top, left, channel) in zip(windows, corners, strict=False):
            window[:] = bordered[top : top + size + 1, left : left + size + 1, channel]
        count = len(blurred[part])
        np.matmul(windows[:count].reshape(count, -1), kernels, out=blurred[part])
    weights = rows.weights[places[0]][:, :, None] * columns.weights[places[1]][:, None, :]
    summed: Double = (blurred * weights.reshape(-1, 4)).sum(axis=1)
    return summed / (rows.total * columns.total)


def reflected(positions: Whole, length: int) -> Whole:
    """Positions beyond the border, reflected about the outermost pixel; those still outside have weight 0."""
    inside = np.abs(positions)
    return np.clip(np.where(inside < length, inside, 2 * length - 2 - inside), 0, length - 1)
