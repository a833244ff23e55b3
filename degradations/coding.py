"""Lossy coding: encode the picture as it is now and decode it again, by OpenCV.

The picture is rounded to 8 bits by the encoder; what comes back is float32, a level of 255 over 255.
"""

from __future__ import annotations

import cv2
import numpy as np

from ..errors import RefbenchError
from .operation import Operation, Parameter, Pixels, Setting, Values


def recode(pixels: Pixels, suffix: str, flag: int, quality: float) -> Pixels:
    """Through the codec of ``suffix`` and back; a fractional quality is truncated.

    Raises:
        RefbenchError: this build of OpenCV lacks the codec.
    """
    levels = cv2.cvtColor(round_levels(pixels), cv2.COLOR_RGB2BGR)
    ok, encoded = cv2.imencode(suffix, levels, [flag, int(quality)])
    if not ok:
        raise RefbenchError(f"this OpenCV cannot encode {suffix} pictures; install opencv-python-headless")
    decoded = np.asarray(cv2.imdecode(encoded, cv2.IMREAD_COLOR))
    return cv2.cvtColor(decoded, cv2.COLOR_BGR2RGB).astype(np.float32) / np.float32(255.0)


def round_levels(pixels: Pixels) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    """Times 255, rounded half to even, clipped: the 8-bit levels."""
    return np.clip(np.rint(pixels * pixels.dtype.type(255.0)), 0, 255).astype(np.uint8)


def _jpeg(pixels: Pixels, values: Values, setting: Setting) -> Pixels:
    return recode(pixels, ".jpg", cv2.IMWRITE_JPEG_QUALITY, values["quality"])


def _webp(pixels: Pixels, values: Values, setting: Setting) -> Pixels:
    return recode(pixels, ".webp", cv2.IMWRITE_WEBP_QUALITY, values["quality"])


JPEG = Operation(
    "jpeg",
    "JPEG (baseline, 4:2:0) and back.",
    {"quality": Parameter("truncated to a whole number", 1, 100)},
    _jpeg,
)
WEBP = Operation(
    "webp",
    "Lossy WebP and back.",
    {"quality": Parameter("truncated to a whole number", 1, 100)},
    _webp,
)
