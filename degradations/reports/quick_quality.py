"""PSNR and SSIM in NumPy for previews and statistics; scores have protocols, in `metrics`."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from ...images import RGB, luma, psnr_of_error

WINDOW, SIGMA = 11, 1.5
C1, C2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2


def psnr(one: RGB, other: RGB) -> float:
    """Peak signal-to-noise ratio of RGB uint8 (H, W, 3) over all channels, dB; infinite for equal images."""
    return psnr_of_error(one.astype(np.float64) - other)


def ssim(one: RGB, other: RGB) -> float:
    """Structural similarity of the luma of RGB uint8 (H, W, 3), -1 to 1 (Wang et al. 2004).

    An 11 x 11 Gaussian window with a sigma of 1.5; pixels whose window crosses the border are left out.
    """
    x, y = luma(one).astype(np.float64), luma(other).astype(np.float64)
    mean_x, mean_y = _smooth(x), _smooth(y)
    variance_x, variance_y = _smooth(x * x) - mean_x**2, _smooth(y * y) - mean_y**2
    covariance = _smooth(x * y) - mean_x * mean_y
    numerator = (2 * mean_x * mean_y + C1) * (2 * covariance + C2)
    denominator = (mean_x**2 + mean_y**2 + C1) * (variance_x + variance_y + C2)
    border = WINDOW // 2
    return float(np.mean((numerator / denominator)[border:-border, border:-border]))


def _smooth(plane: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    return np.asarray(cv2.GaussianBlur(plane, (WINDOW, WINDOW), SIGMA))
