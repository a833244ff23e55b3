"""PSNR, SSIM and MS-SSIM on RGB or luma, as kernels on tensors and as protocols."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from torch import Tensor

from ...errors import RefbenchError
from ...images import LUMA_WEIGHTS
from ...records.protocol import Protocol
from ..core.feature import PIXELS
from ..core.metric import ImageMetric

MSE_FLOOR = 1e-8
WINDOW = 11
SIGMA = 1.5
C1 = 0.01**2
C2 = 0.03**2
SCALE_WEIGHTS = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)
WANG = "Wang, Bovik, Sheikh, Simoncelli: Image quality assessment, IEEE TIP 2004"
STRIPE = 64
"""Rows of windows that SSIM computes at a time on a CPU."""
Planes = Callable[[Tensor], Tensor]
Floats = npt.NDArray[np.float32]
Doubles = npt.NDArray[np.float64]


def luma(images: Tensor) -> Tensor:
    """Full-range luma of ITU-R BT.601, (N, 1, H, W) in [0, 1], of RGB in [0, 1]."""
    red, green, blue = images.unbind(1)
    weights = LUMA_WEIGHTS
    return (weights[0] * red + weights[1] * green + weights[2] * blue)[:, None]


def luma_rounded(images: Tensor) -> Tensor:
    """Full-range luma rounded to 256 levels, as pyiqa computes SSIM on it; (N, 1, H, W) in [0, 1]."""
    return torch.round(luma(images) * 255.0) / 255.0


def luma_limited(images: Tensor) -> Tensor:
    """Limited-range luma of BT.601 (16 to 235 of 255, MATLAB's ``rgb2ycbcr``), (N, 1, H, W), not rounded."""
    red, green, blue = images.unbind(1)
    return ((65.481 * red + 128.553 * green + 24.966 * blue + 16.0) / 255.0)[:, None]


def psnr(restored: Tensor, hq: Tensor) -> Tensor:
    """Peak signal-to-noise ratio in dB, (N,) float64, of two (N, C, H, W) batches in [0, 1].

    The mean squared error has a floor of 1e-8, so equal images give 80 dB instead of infinity. pyiqa adds
    1e-8 to it instead: equal to 1e-5 relative up to 38 dB, .27 dB less at 68 dB, 80 dB for equal images too.
    """
    error = (restored - hq).double().square().mean(dim=(1, 2, 3))
    return -10.0 * torch.log10(error.clamp_min(MSE_FLOOR))


def ssim(restored: Tensor, hq: Tensor, nonnegative: bool = False) -> Tensor:
    """Structural similarity, (N,) float64, never above 1, of two (N, C, H, W) batches in [0, 1].

    Wang et al. 2004: Gaussian window of 11 pixels and sigma 1.5, K1 = 0.01, K2 = 0.03, population
    covariance, only windows that lie within the image, mean over channels. ``nonnegative`` clips the
    contrast-structure term at 0 as pyiqa does.

    Variances are taken in float64, of the sum and of the difference of the images: with
    v(x + y) = v(x) + v(y) + 2 c(x, y), equation 13 becomes 1 minus a ratio that is never negative. It agrees
    with the same equation in float64 to 1e-6.

    Raises:
        RefbenchError: a side is shorter than the window.
    """
    _require_window(restored)
    return _ssim_means(restored, hq, nonnegative)[1]


def ms_ssim(restored: Tensor, hq: Tensor) -> Tensor:
    """Structural similarity over five scales, (N,) float64, of two (N, C, H, W) batches in [0, 1].

    Wang, Simoncelli, Bovik 2003: contrast and structure at every scale, luminance at the coarsest one, each
    halving by the mean of 2x2 pixels (an odd side is first filled up with zeros, as pyiqa does); every
    term is clipped at 0, then averaged over channels and windows.

    Raises:
        RefbenchError: a side is shorter than 176 pixels, so that the coarsest scale has no window.
    """
    if min(restored.shape[-2:]) < 16 * WINDOW:
        height, width = restored.shape[-2:]
        raise RefbenchError(f"MS-SSIM needs sides of {16 * WINDOW} pixels or more; got {width}x{height}")
    product = torch.ones(len(restored), dtype=torch.float64, device=restored.device)
    for scale, weight in enumerate(SCALE_WEIGHTS):
        contrast, both = _ssim_means(restored, hq, nonnegative=True)
        last = scale == len(SCALE_WEIGHTS) - 1
        product = product * (both if last else contrast).clamp_min(0.0) ** weight
        if not last:
            filling = (restored.shape[2] % 2, restored.shape[3] % 2)
            restored, hq = (F.avg_pool2d(images, 2, padding=filling) for images in (restored, hq))
    return product


def _require_window(images: Tensor) -> None:
    height, width = images.shape[-2:]
    if min(height, width) < WINDOW:
        raise RefbenchError(f"SSIM needs sides of {WINDOW} pixels or more; got {width}x{height}")


def _ssim_means(restored: Tensor, hq: Tensor, nonnegative: bool) -> tuple[Tensor, Tensor]:
    """Means over channels and windows of the contrast-structure term, and of its product with luminance."""
    if restored.device.type == "cpu" and not (restored.requires_grad or hq.requires_grad):
        return _ssim_means_by_opencv(restored.float().numpy(), hq.float().numpy(), nonnegative)
    restored, hq = restored.double(), hq.double()
    (power, variance), (error, error_variance) = _moments(restored + hq), _moments(restored - hq)
    contrast = 1.0 - 2.0 * error_variance / (variance + error_variance + 2.0 * C2)
    luminance = 1.0 - 2.0 * error / (power + error + 2.0 * C1)
    contrast = contrast.clamp_min(0.0) if nonnegative else contrast
    return contrast.mean(dim=(1, 2, 3)), (contrast * luminance).mean(dim=(1, 2, 3))


def _moments(planes: Tensor) -> tuple[Tensor, Tensor]:
    """Squared means and variances over the windows of float64 planes."""
    power = blur(planes).square()
    return power, (blur(planes.square()) - power).clamp_min(0.0)


def _ssim_means_by_opencv(restored: Floats, hq: Floats, nonnegative: bool) -> tuple[Tensor, Tensor]:
    """`_ssim_means` on a CPU, in stripes of rows that fit a core's cache."""
    sums = np.zeros((len(restored), 2))
    windows = 0
    for image, (planes, hq_planes) in enumerate(zip(restored, hq, strict=True)):
        windows = 0
        for plane, hq_plane in zip(planes, hq_planes, strict=True):
            for row in range(0, plane.shape[0] - WINDOW + 1, STRIPE):
                rows = slice(row, row + STRIPE + WINDOW - 1)
                first, second = plane[rows].astype(np.float64), hq_plane[rows].astype(np.float64)
                contrast, luminance = _similarity_maps(first, second, nonnegative)
                sums[image] += contrast.sum(dtype=np.float64), (contrast * luminance).sum(dtype=np.float64)
                windows += contrast.size
    contrast_mean, product_mean = torch.from_numpy(sums / windows).unbind(1)
    return contrast_mean, product_mean


def _similarity_maps(first: Doubles, second: Doubles, nonnegative: bool) -> tuple[Floats, Floats]:
    """Contrast-structure and luminance of every window of two planes (H, W): (H - 10, W - 10) float32."""
    error, error_variance = _moments_by_opencv(first - second)
    power, variance = _moments_by_opencv(first + second)
    variance += error_variance
    variance += np.float32(2.0 * C2)
    power += error
    power += np.float32(2.0 * C1)
    contrast = np.float32(1.0) - np.float32(2.0) * error_variance / variance
    luminance = np.float32(1.0) - np.float32(2.0) * error / power
    return (np.maximum(contrast, np.float32(0.0)) if nonnegative else contrast), luminance


def _moments_by_opencv(plane: Doubles) -> tuple[Floats, Floats]:
    """Squared means and variances over the windows of one plane, taken in float64, given as float32."""
    power = np.square(_windows_of(cv2.sepFilter2D(plane, -1, _window(), _window())))
    squares = _windows_of(cv2.sepFilter2D(np.square(plane), -1, _window(), _window()))
    return power.astype(np.float32), np.maximum(squares - power, 0.0).astype(np.float32)


def _windows_of(plane: npt.NDArray[Any]) -> Doubles:
    margin = WINDOW // 2
    return plane[margin:-margin, margin:-margin]


def blur(planes: Tensor) -> Tensor:
    """Gaussian-weighted means over 11x11 windows within the image: (..., H, W) to (..., H - 10, W - 10)."""
    height, width = planes.shape[-2:]
    if planes.device.type == "cpu" and not planes.requires_grad:
        return _blur_by_opencv(planes)
    window = torch.from_numpy(_window()).to(planes)
    flat = planes.reshape(-1, 1, height, width)
    rows = F.conv2d(flat, window.view(1, 1, 1, WINDOW))
    return F.conv2d(rows, window.view(1, 1, WINDOW, 1)).view(
        *planes.shape[:-2], height - WINDOW + 1, width - WINDOW + 1
    )


def _blur_by_opencv(planes: Tensor) -> Tensor:
    height, width = planes.shape[-2:]
    flat = planes.reshape(-1, height, width).numpy()
    inner = np.empty((len(flat), height - WINDOW + 1, width - WINDOW + 1), flat.dtype)
    for plane, target in zip(flat, inner, strict=True):
        target[:] = _windows_of(cv2.sepFilter2D(plane, -1, _window(), _window()))
    return torch.from_numpy(inner).view(*planes.shape[:-2], *inner.shape[1:])


@lru_cache(maxsize=1)
def _window() -> npt.NDArray[np.float64]:
    offsets = np.arange(WINDOW) - WINDOW // 2
    weights: npt.NDArray[np.float64] = np.exp(-(offsets**2) / (2 * SIGMA**2))
    weights /= weights.sum()
    return weights


def _psnr(name: str, title: str, planes: Planes, *, colour: str) -> ImageMetric:
    protocol = Protocol(
        id=name,
        title=title,
        higher_is_better=True,
        unit="dB",
        bounds=(0.0, 80.0),
        compared_with="hq",
        decimals=2,
        weights=(),
        definition=f"10 log10(1 / MSE) on {colour}; MSE has a floor of 1e-8, so equal images give 80 dB "
        "(pyiqa adds 1e-8 to it instead: .01 dB less at 54 dB, .27 dB less at 68 dB).",
        licence="Apache-2.0",
        citation="ITU-T J.340",
    )
    return ImageMetric(protocol, PIXELS, lambda restored, hq: psnr(planes(restored[0]), planes(hq[0])))


def _ssim(name: str, title: str, planes: Planes, *, colour: str, nonnegative: bool = False) -> ImageMetric:
    clipped = "; the contrast-structure term is clipped at 0, as in pyiqa" if nonnegative else ""
    protocol = Protocol(
        id=name,
        title=title,
        higher_is_better=True,
        unit="1",
        bounds=(0.0 if nonnegative else -1.0, 1.0),
        compared_with="hq",
        decimals=4,
        weights=(),
        definition=f"SSIM on {colour}; Gaussian window of 11 pixels, sigma 1.5, K1 0.01, K2 0.03, "
        f"population covariance in float64, windows inside the image only{clipped}.",
        licence="Apache-2.0",
        citation=WANG,
    )
    return ImageMetric(
        protocol,
        PIXELS,
        lambda restored, hq: ssim(planes(restored[0]), planes(hq[0]), nonnegative),
        min_side=WINDOW,
    )


MS_SSIM = ImageMetric(
    Protocol(
        id="ms-ssim/y-full@2",
        title="MS-SSIM (Y)",
        higher_is_better=True,
        unit="1",
        bounds=(0.0, 1.0),
        compared_with="hq",
        decimals=4,
        weights=(),
        definition="SSIM over five scales on full-range BT.601 luma rounded to 256 levels, variances in "
        "float64; clipped at 0.",
        licence="Apache-2.0",
        citation="Wang, Simoncelli, Bovik: Multiscale structural similarity, Asilomar 2003",
    ),
    PIXELS,
    lambda restored, hq: ms_ssim(luma_rounded(restored[0]), luma_rounded(hq[0])),
    min_side=16 * WINDOW,
)

METRICS = (
    _psnr("psnr/rgb", "PSNR (RGB)", lambda images: images, colour="RGB"),
    _psnr("psnr/y-full", "PSNR (Y)", luma, colour="full-range BT.601 luma, not rounded"),
    _psnr(
        "psnr/y-limited", "PSNR (Y, limited)", luma_limited, colour="limited-range BT.601 luma (16 to 235)"
    ),
    _ssim("ssim/rgb@2", "SSIM (RGB)", lambda images: images, colour="RGB, mean over channels"),
    _ssim(
        "ssim/y-full@2",
        "SSIM (Y)",
        luma_rounded,
        colour="full-range BT.601 luma rounded to 256 levels",
        nonnegative=True,
    ),
    _ssim(
        "ssim/y-limited@2", "SSIM (Y, limited)", luma_limited, colour="limited-range BT.601 luma (16 to 235)"
    ),
    MS_SSIM,
)
