"""Lossy image compression: round to 8 bits, encode and decode by OpenCV's codecs (JPEG, WebP)."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np

from ...errors import RefbenchError
from .operation import Levels, Operation, Parameter, Pixels, Setting, Values, as_pixels, round_levels

Encoded = np.ndarray[Any, np.dtype[np.uint8]]

CODECS = {"jpeg": (".jpg", cv2.IMWRITE_JPEG_QUALITY), "webp": (".webp", cv2.IMWRITE_WEBP_QUALITY)}


def encode(levels: Levels, codec: str, quality: float) -> Encoded:
    """Encode BGR uint8 (H, W, 3) by a codec of `CODECS`; quality 1 to 100, a fraction is truncated.

    Raises:
        RefbenchError: this build of OpenCV lacks the codec.
    """
    suffix, flag = CODECS[codec]
    ok, encoded = cv2.imencode(suffix, levels, [flag, int(quality)])
    if not ok:
        raise RefbenchError(f"this OpenCV cannot encode {codec}; install opencv-python-headless")
    return encoded


def encode_decode(levels: Levels, codec: str, quality: float) -> Levels:
    """Encode by a codec of `CODECS` and decode again; see `encode`."""
    return np.asarray(cv2.imdecode(encode(levels, codec, quality), cv2.IMREAD_COLOR), dtype=np.uint8)


def _jpeg(pixels: Pixels, values: Values, setting: Setting) -> Pixels:
    return as_pixels(encode_decode(round_levels(pixels), "jpeg", values["quality"]))


def _webp(pixels: Pixels, values: Values, setting: Setting) -> Pixels:
    return as_pixels(encode_decode(round_levels(pixels), "webp", values["quality"]))


JPEG = Operation(
    "jpeg",
    "Encode as JPEG (baseline, 4:2:0) and decode.",
    {"quality": Parameter("codec quality, truncated to an integer", 1, 100)},
    _jpeg,
)
WEBP = Operation(
    "webp",
    "Encode as lossy WebP and decode.",
    {"quality": Parameter("codec quality, truncated to an integer", 1, 100)},
    _webp,
)
