"""The blurred and shrunk picture, computed only where the shrinking looks: all roughly, or some exactly.

Shrinking bilinearly without antialias reads 2 x 2 pixels of the blurred picture for each pixel it writes: at
r = 16 one pixel in 64. `rough_samples` gives all samples in float32 by the cheapest of

- for a kernel that separates (an isotropic Gaussian): one sparse matrix per axis, blur and shrinking in one;
- for any other kernel and few samples: the sum of products at each sample;
- for any other kernel and many samples: the whole blurred channel by discrete Fourier transform.

`exact_samples` gives single ones in float64.
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
from .buffers import scratch

Single = npt.NDArray[np.float32]
Double = npt.NDArray[np.float64]
Whole = npt.NDArray[np.int64]
DOUBT = 2e-4  # levels; measured errors with noise: standard deviation 2e-5, none above 1e-4
MIDDLE = np.float32(128)  # taken off and put back: float32 is finest around zero
NEGLIGIBLE = 1e-12
FEW_SAMPLES = 33 * 33
MANY_ROWS = 320
AT_ONCE = 32


def rough_samples(levels: Levels, kernel: Kernel, rows: Taps, *, columns: Taps) -> Single:
    """All samples in float32, off by less than `DOUBT` levels.

    Args:
        levels: BGR uint8, HWC; no smaller than the kernel reaches.
        kernel: float64, square, of sum 1.
        rows, columns: the bilinear taps of the samples along each axis.
    """
    down, across = kernel.sum(axis=1), kernel.sum(axis=0)
    separates = np.abs(np.outer(down, across) - kernel).max() < NEGLIGIBLE * kernel.max()
    samples = len(rows.weights) * len(columns.weights)
    if separates and len(rows.weights) < MANY_ROWS:
        return _by_axes(levels, down, across, rows=rows, columns=columns)
    if samples < FEW_SAMPLES:
        return _by_sums(levels, kernel, rows, columns=columns)
    return _by_transform(levels, kernel, rows, columns=columns)


def _by_axes(levels: Levels, down: Double, across: Double, *, rows: Taps, columns: Taps) -> Single:
    height, width, channels = levels.shape
    picture = scratch.single("picture", height, width * channels)
    np.subtract(levels.reshape(height, -1), MIDDLE, out=picture)
    shrunk = _blur_matrix(down, rows, height) @ picture
    turned = shrunk.reshape(-1, width, channels).transpose(1, 0, 2).reshape(width, -1)
    samples = (_blur_matrix(across, columns, width) @ turned).reshape(-1, len(shrunk), channels)
    blurred: Single = np.add(samples.transpose(1, 0, 2), MIDDLE, order="C")
    return blurred


def _blur_matrix(profile: Double, bilinear: Taps, length: int) -> csr_array:
    """One axis of blurring and shrinking, (samples, length): the profile about both pixels that are read."""
    used = np.flatnonzero(np.abs(profile) > NEGLIGIBLE)
    run = profile[used[0] : used[-1] + 1]
    shares = bilinear.weights / bilinear.total
    weights = shares[:, :1] * np.append(run, 0.0) + shares[:, 1:] * np.append(0.0, run)
    offsets = np.arange(len(run) + 1) + used[0] - len(profile) // 2
    positions = mirrored(bilinear.positions[:, :1] + offsets, length)
    ends = np.arange(len(weights) + 1) * len(offsets)
    single = weights.astype(np.float32).ravel()
    return csr_array((single, positions.ravel(), ends), shape=(len(weights), length))


def _by_sums(levels: Levels, kernel: Kernel, rows: Taps, *, columns: Taps) -> Single:
    size = len(kernel)
    half = size // 2
    wide = cv2.copyMakeBorder(levels, half, half + 1, half, half + 1, cv2.BORDER_REFLECT_101)
    planes = scratch.single("planes", 3, *wide.shape[:2])
    np.subtract(wide.transpose(2, 0, 1), MIDDLE, out=planes)
    here, beyond = np.pad(kernel, ((0, 0), (0, 1))), np.pad(kernel, ((0, 0), (1, 0)))
    kernels = columns.weights[:, :1, None] * here + columns.weights[:, 1:, None] * beyond
    kernels = (kernels / columns.total).astype(np.float32)
    shares = (rows.weights / rows.total).astype(np.float32)
    samples = np.empty((len(rows.weights), len(columns.weights), 3), dtype=np.float32)
    for sample, y, (share, next_share) in zip(samples, rows.positions[:, 0], shares, strict=True):
        strip = share * planes[:, y : y + size] + next_share * planes[:, y + 1 : y + 1 + size]
        windows = sliding_window_view(strip, size + 1, axis=2)[:, :, columns.positions[:, 0]]
        np.einsum("cujv,juv->jc", windows, kernels, out=sample)
    return np.add(samples, MIDDLE, out=samples)


def _by_transform(levels: Levels, kernel: Kernel, rows: Taps, *, columns: Taps) -> Single:
    size = len(kernel)
    height, width, channels = levels.shape
    tall, broad = (cv2.getOptimalDFTSize(length + size - 1) for length in (height, width))
    half = size // 2
    border = (half, tall - height - half, half, broad - width - half)
    bordered = cv2.copyMakeBorder(levels, *border, cv2.BORDER_REFLECT_101)
    plane, spectrum = scratch.single("plane", tall, broad), scratch.single("spectrum", tall, broad)
    plane[:] = 0.0
    plane[:size, :size] = kernel
    cv2.dft(plane, spectrum, nonzeroRows=size)
    samples = np.empty((len(rows.weights), len(columns.weights), channels), dtype=np.float32)
    for channel in range(channels):
        np.subtract(bordered[..., channel], MIDDLE, out=plane)
        cv2.dft(plane, plane)
        cv2.mulSpectrums(plane, spectrum, 0, plane, conjB=True)
        cv2.dft(plane, plane, flags=cv2.DFT_INVERSE | cv2.DFT_SCALE | cv2.DFT_REAL_OUTPUT)
        shrunk = _between(plane[:height, :width], rows, axis=0)
        np.add(_between(shrunk, columns, axis=1), MIDDLE, out=samples[..., channel])
    return samples


def _between(plane: Single, bilinear: Taps, axis: int) -> Single:
    """One axis of bilinear resizing."""
    shape = [len(bilinear.weights) if a == axis else length for a, length in enumerate(plane.shape)]
    parts = [scratch.single(f"tap {tap} of axis {axis}", *shape) for tap in (0, 1)]
    for tap, part in enumerate(parts):
        np.take(plane, bilinear.positions[:, tap], axis=axis, out=part, mode="clip")
        shares = (bilinear.weights[:, tap] / bilinear.total).astype(np.float32)
        part *= np.expand_dims(shares, 1 - axis)
    near, far = parts
    near += far
    return near


def exact_samples(
    levels: Levels, kernel: Kernel, rows: Taps, *, columns: Taps, places: tuple[Whole, ...]
) -> Double:
    """Samples at some ``places`` (rows, columns, channels) of the result, in float64."""
    size = len(kernel)
    half = size // 2
    bordered = cv2.copyMakeBorder(levels, half, half + 1, half, half + 1, cv2.BORDER_REFLECT_101)
    shifts = [np.pad(kernel, ((y, 1 - y), (x, 1 - x))).ravel() for y in (0, 1) for x in (0, 1)]
    kernels = np.stack(shifts, axis=1)
    tops, lefts = rows.positions[places[0], 0], columns.positions[places[1], 0]
    blurred = np.empty((len(tops), 4))
    windows = np.empty((AT_ONCE, size + 1, size + 1))
    for start in range(0, len(tops), AT_ONCE):
        part = slice(start, start + AT_ONCE)
        corners = zip(tops[part].tolist(), lefts[part].tolist(), places[2][part].tolist(), strict=True)
        for window, (top, left, channel) in zip(windows, corners, strict=False):
            window[:] = bordered[top : top + size + 1, left : left + size + 1, channel]
        count = len(blurred[part])
        np.matmul(windows[:count].reshape(count, -1), kernels, out=blurred[part])
    weights = rows.weights[places[0]][:, :, None] * columns.weights[places[1]][:, None, :]
    summed: Double = (blurred * weights.reshape(-1, 4)).sum(axis=1)
    return summed / (rows.total * columns.total)


def mirrored(positions: Whole, length: int) -> Whole:
    """Positions beyond the border, reflected about its outermost pixel; farther ones weigh nothing."""
    inside = np.abs(positions)
    return np.clip(np.where(inside < length, inside, 2 * length - 2 - inside), 0, length - 1)
