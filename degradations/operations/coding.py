"""Lossy coding: round to 8 bits, encode the picture as it is now, decode it again, by OpenCV's codecs."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np

from ...errors import RefbenchError
from .operation import Levels, Operation, Parameter, Pixels, Setting, Values, as_pixels, round_levels

Encoded = np.ndarray[Any, np.dtype[np.uint8]]

CODECS = {"jpeg": (".jpg", cv2.IMWRITE_JPEG_QUALITY), "webp": (".webp", cv2.IMWRITE_WEBP_QUALITY)}


def encode(levels: Levels, codec: str, quality: float) -> Encoded:
    """The bytes of a BGR picture in a codec of `CODECS`; a fractional quality is truncated.

    Raises:
        RefbenchError: this build of OpenCV lacks the codec.
    """
    suffix, flag = CODECS[codec]
    ok, encoded = cv2.imencode(suffix, levels, [flag, int(quality)])
    if not ok:
        raise RefbenchError(f"this OpenCV cannot encode {codec}; install opencv-python-headless")
    return encoded


def recode(levels: Levels, codec: str, quality: float) -> Levels:
    """Through a codec of `CODECS` and back; see `encode`."""
    return np.asarray(cv2.imdecode(encode(levels, codec, quality), cv2.IMREAD_COLOR), dtype=np.uint8)


def _jpeg(pixels: Pixels, values: Values, setting: Setting) -> Pixels:
    return as_pixels(recode(round_levels(pixels), "jpeg", values["quality"]))


def _webp(pixels: Pixels, values: Values, setting: Setting) -> Pixels:
    return as_pixels(recode(round_levels(pixels), "webp", values["quality"]))


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
