"""How far LQ is from HQ: PSNR and SSIM for previews and statistics (scores have protocols, in `metrics`)."""

from __future__ import annotations

import math

import cv2
import numpy as np
import numpy.typing as npt

from ...images import RGB

WINDOW, SIGMA = 11, 1.5
C1, C2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2


def psnr(one: RGB, other: RGB) -> float:
    """Peak signal-to-noise ratio over all channels, dB; infinite for equal pictures."""
    error = float(np.mean((one.astype(np.float64) - other) ** 2))
    return math.inf if error == 0 else 10.0 * math.log10(255.0**2 / error)


def ssim(one: RGB, other: RGB) -> float:
    """Structural similarity of the luma, 11 x 11 Gaussian window (Wang et al. 2004), borders left out."""
    x, y = _luma(one), _luma(other)
    mean_x, mean_y = _smooth(x), _smooth(y)
    variance_x, variance_y = _smooth(x * x) - mean_x**2, _smooth(y * y) - mean_y**2
    covariance = _smooth(x * y) - mean_x * mean_y
    likeness = (2 * mean_x * mean_y + C1) * (2 * covariance + C2)
    scale = (mean_x**2 + mean_y**2 + C1) * (variance_x + variance_y + C2)
    border = WINDOW // 2
    return float(np.mean((likeness / scale)[border:-border, border:-border]))


def _luma(pixels: RGB) -> npt.NDArray[np.float64]:
    return np.asarray(cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY)).astype(np.float64)


def _smooth(plane: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    return np.asarray(cv2.GaussianBlur(plane, (WINDOW, WINDOW), SIGMA))
