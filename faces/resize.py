"""One way to resize pixels: area averaging where a picture shrinks, interpolation where it grows."""

from __future__ import annotations

from typing import cast

import cv2

from ..images import RGB


def resize(pixels: RGB, width: int, height: int, *, growing: int = cv2.INTER_LINEAR) -> RGB:
    """RGB uint8 HWC at another size; ``growing`` is OpenCV's interpolation where either side gets longer."""
    if pixels.shape[:2] == (height, width):
        return pixels
    shrinks = width <= pixels.shape[1] and height <= pixels.shape[0]
    method = cv2.INTER_AREA if shrinks else growing
    return cast(RGB, cv2.resize(pixels, (width, height), interpolation=method))


def pad(
    pixels: RGB, top: int, bottom: int, *, left: int, right: int, border: int = cv2.BORDER_CONSTANT
) -> RGB:
    """RGB uint8 HWC with rows and columns added, black or as OpenCV's ``border`` says."""
    return cast(RGB, cv2.copyMakeBorder(pixels, top, bottom, left, right, border))
