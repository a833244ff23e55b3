"""Resizing and padding of RGB uint8 images: area averaging for downscaling, interpolation for upscaling."""

from __future__ import annotations

from typing import cast

import cv2

from ..images import RGB


def resize(pixels: RGB, width: int, height: int, *, growing: int = cv2.INTER_LINEAR) -> RGB:
    """Resize RGB uint8 (H, W, 3); ``growing`` is OpenCV's interpolation where either side gets longer."""
    if pixels.shape[:2] == (height, width):
        return pixels
    shrinks = width <= pixels.shape[1] and height <= pixels.shape[0]
    method = cv2.INTER_AREA if shrinks else growing
    return cast(RGB, cv2.resize(pixels, (width, height), interpolation=method))


def pad(
    pixels: RGB, *, top: int, bottom: int, left: int, right: int, border: int = cv2.BORDER_CONSTANT
) -> RGB:
    """Pad RGB uint8 (H, W, 3) by rows and columns, with OpenCV's border mode ``border``; black by default."""
    return cast(RGB, cv2.copyMakeBorder(pixels, top, bottom, left, right, border))
