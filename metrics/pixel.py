"""PSNR and SSIM: what two images differ by, pixel by pixel and window by window."""

from __future__ import annotations

from functools import lru_cache

import cv2
import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from torch import Tensor

MSE_FLOOR = 1e-8
WINDOW = 11
SIGMA = 1.5
C1 = 0.01**2
C2 = 0.03**2


def luma(images: Tensor) -> Tensor:
    """Full-range luma of ITU-R BT.601, (N, 1, H, W) in [0, 1], of RGB in [0, 1]."""
    red, green, blue = images.unbind(1)
    return (0.299 * red + 0.587 * green + 0.114 * blue)[:, None]


def luma_rounded(images: Tensor) -> Tensor:
    """Full-range luma rounded to 256 levels, as pyiqa computes SSIM on it; (N, 1, H, W) in [0, 1]."""
    return torch.round(luma(images) * 255.0) / 255.0


def luma_limited(images: Tensor) -> Tensor:
    """Limited-range luma of BT.601 (16 to 235 of 255, MATLAB's ``rgb2ycbcr``), (N, 1, H, W), not rounded."""
    red, green, blue = images.unbind(1)
    return ((65.481 * red + 128.553 * green + 24.966 * blue + 16.0) / 255.0)[:, None]


def psnr(restored: Tensor, hq: Tensor) -> Tensor:
    """Peak signal-to-noise ratio in dB, (N,) float64, of two (N, C, H, W) batches in [0, 1].

    The mean squared error has a floor of 1e-8, so equal images give 80 dB instead of infinity.
    """
    error = (restored - hq).double().square().mean(dim=(1, 2, 3))
    return -10.0 * torch.log10(error.clamp_min(MSE_FLOOR))


def ssim(restored: Tensor, hq: Tensor, nonnegative: bool = False) -> Tensor:
    """Structural similarity, (N,) float64, of two (N, C, H, W) batches in [0, 1].

    Wang et al. 2004: Gaussian window of 11 pixels and sigma 1.5, K1 = 0.01, K2 = 0.03, population
    covariance, only windows that lie within the image, mean over channels. ``nonnegative`` clips the
    contrast-structure term at 0 as pyiqa does.
    """
    contrast, luminance = _ssim_maps(restored, hq, nonnegative)
    return (contrast * luminance).mean(dim=(1, 2, 3), dtype=torch.float64)


def _ssim_maps(restored: Tensor, hq: Tensor, nonnegative: bool) -> tuple[Tensor, Tensor]:
    stacked = torch.stack([restored, hq, restored.square() + hq.square(), restored * hq])
    mean_restored, mean_hq, squares, product = blur(stacked)
    crossed = mean_restored * mean_hq
    powers = mean_restored.square() + mean_hq.square()
    contrast = (2.0 * (product - crossed) + C2) / (squares - powers + C2)
    luminance = (2.0 * crossed + C1) / (powers + C1)
    return (contrast.clamp_min(0.0) if nonnegative else contrast), luminance


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
    margin = WINDOW // 2
    flat = planes.reshape(-1, height, width).numpy()
    inner = np.empty((len(flat), height - 2 * margin, width - 2 * margin), flat.dtype)
    for plane, target in zip(flat, inner, strict=True):
        target[:] = cv2.sepFilter2D(plane, -1, _window(), _window())[margin:-margin, margin:-margin]
    return torch.from_numpy(inner).view(*planes.shape[:-2], *inner.shape[1:])


@lru_cache(maxsize=1)
def _window() -> npt.NDArray[np.float64]:
    offsets = np.arange(WINDOW) - WINDOW // 2
    weights: npt.NDArray[np.float64] = np.exp(-(offsets**2) / (2 * SIGMA**2))
    weights /= weights.sum()
    return weights
