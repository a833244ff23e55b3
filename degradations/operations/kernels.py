"""Blur kernels: functions that return a square float64 array of odd size and sum 1.

Gaussian, generalised Gaussian and plateau shapes are as in Real-ESRGAN (Wang et al. 2021, section 3.1);
there, and here, a generalised Gaussian of shape 1 is the Gaussian. The Gaussian is the density of
N(0, R diag(sx^2, sy^2) R^T) on the integer grid, with R the rotation by ``rotation`` radians.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.special import j1

from ...errors import RefbenchError

Kernel = npt.NDArray[np.float64]
NEGLIGIBLE = 2.0**-60
SMALLEST_SIGMA = 0.01  # pixels; below about 0.1 a Gaussian is the identity to double precision


def gaussian(size: int, sigma_x: float, sigma_y: float, *, rotation: float = 0.0) -> Kernel:
    """Anisotropic Gaussian of ``size`` x ``size``; sigmas in pixels, rotation in radians.

    A sigma near 0 gives a line, and two such sigmas give the identity.
    """
    return _normalised(np.exp(-0.5 * _squared_distance(size, sigma_x, sigma_y, rotation=rotation)))


def generalised_gaussian(
    size: int, sigma_x: float, sigma_y: float, *, rotation: float, shape: float
) -> Kernel:
    """exp(-d^(2 shape) / 2), with d the Mahalanobis distance; peaked for shape < 1, flat-topped above."""
    return _normalised(np.exp(-0.5 * _squared_distance(size, sigma_x, sigma_y, rotation=rotation) ** shape))


def plateau(size: int, sigma_x: float, sigma_y: float, *, rotation: float, shape: float) -> Kernel:
    """1 / (1 + d^(2 shape)), with d the Mahalanobis distance."""
    return _normalised(1.0 / (1.0 + _squared_distance(size, sigma_x, sigma_y, rotation=rotation) ** shape))


def sinc(size: int, cutoff: float) -> Kernel:
    """Ideal circular low-pass filter with ``cutoff`` in radians per pixel (0 to pi); it causes ringing.

    Real-ESRGAN, equation 6: cutoff / (2 pi d) * J1(cutoff * d), with J1 the Bessel function.
    """
    offsets = _offsets(size)
    distance = np.hypot(offsets[:, None], offsets[None, :])
    centre = size // 2
    distance[centre, centre] = 1.0
    kernel = cutoff * j1(cutoff * distance) / (2.0 * np.pi * distance)
    kernel[centre, centre] = cutoff**2 / (4.0 * np.pi)
    return _normalised(kernel)


def motion(size: int, length: float, angle: float) -> Kernel:
    """A line segment of ``length`` pixels at ``angle`` radians through the centre, one pixel wide.

    Weights fall linearly with the distance to the segment, so that any angle and length is antialiased.
    """
    x, y = _rotated_grid(size, angle)
    beyond = np.maximum(np.abs(x) - max(length - 1.0, 0.0) / 2.0, 0.0)
    return _normalised(np.maximum(1.0 - np.hypot(beyond, y), 0.0))


def defocus(size: int, radius: float) -> Kernel:
    """A disc of ``radius`` pixels with an antialiased edge: the blur of a defocused lens."""
    offsets = _offsets(size)
    distance = np.hypot(offsets[:, None], offsets[None, :])
    return _normalised(np.clip(radius + 0.5 - distance, 0.0, 1.0))


def trimmed(kernel: Kernel) -> Kernel:
    """The kernel without its border of negligible weights; a single weight for the identity."""
    used = np.abs(kernel) > NEGLIGIBLE
    reach = max(int(np.abs(places - len(kernel) // 2).max(initial=0)) for places in np.nonzero(used))
    border = len(kernel) // 2 - reach
    return kernel[border : len(kernel) - border, border : len(kernel) - border]


def _offsets(size: int) -> npt.NDArray[np.float64]:
    if size < 1 or size % 2 == 0:
        raise RefbenchError(f"a kernel has an odd number of pixels a side; got {size}")
    return np.arange(-(size // 2), size // 2 + 1, dtype=np.float64)


def _rotated_grid(size: int, rotation: float) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    x = _offsets(size)[None, :]
    y = _offsets(size)[:, None]
    cos, sin = np.cos(rotation), np.sin(rotation)
    return cos * x + sin * y, cos * y - sin * x


def _squared_distance(
    size: int, sigma_x: float, sigma_y: float, *, rotation: float
) -> npt.NDArray[np.float64]:
    along, across = _rotated_grid(size, rotation)
    squared: npt.NDArray[np.float64] = (along / max(sigma_x, SMALLEST_SIGMA)) ** 2
    return squared + (across / max(sigma_y, SMALLEST_SIGMA)) ** 2


def _normalised(kernel: npt.NDArray[np.float64]) -> Kernel:
    normal: Kernel = kernel / kernel.sum()
    return normal
