"""Resizing by OpenCV: bilinear (no antialias), area or bicubic, with pixel centres at half integers."""

from __future__ import annotations

import math
from typing import cast

import cv2

from ..errors import FaultyInput
from .operation import Operation, Parameter, Pixels, Setting, Size, Values

METHODS = {"bilinear": cv2.INTER_LINEAR, "area": cv2.INTER_AREA, "bicubic": cv2.INTER_CUBIC}


def resize(pixels: Pixels, size: Size, method: str) -> Pixels:
    """Resize to ``size`` = (height, width) by a method of `METHODS`; same dtype, not clipped.

    Raises:
        FaultyInput: nothing would be left of the picture.
    """
    height, width = size
    if height < 1 or width < 1:
        have = f"{pixels.shape[1]}x{pixels.shape[0]} pixels"
        raise FaultyInput(f"{have} is too small to be resized to {width}x{height}; use larger images")
    resized = cv2.resize(pixels, (width, height), interpolation=METHODS[method])
    return cast(Pixels, resized)


def downscaled_size(size: Size, by: float) -> Size:
    """(floor(height / by), floor(width / by))."""
    return int(size[0] // by), int(size[1] // by)


def _downscale(pixels: Pixels, values: Values, setting: Setting) -> Pixels:
    return resize(pixels, downscaled_size(pixels.shape[:2], values["by"]), values["method"])


def _rescale(pixels: Pixels, values: Values, setting: Setting) -> Pixels:
    height, width = pixels.shape[:2]
    by = values["by"]
    return resize(pixels, (math.floor(height * by), math.floor(width * by)), values["method"])


def _full_size(pixels: Pixels, values: Values, setting: Setting) -> Pixels:
    height, width = setting.size
    return resize(pixels, (height // values["divided_by"], width // values["divided_by"]), values["method"])


METHOD = Parameter("how", options=tuple(METHODS), default="bilinear")
DOWNSCALE = Operation(
    "downscale",
    "Divide the size by a number, rounding down.",
    {"by": Parameter("a factor; below 1 enlarges", 0.125, 64), "method": METHOD},
    _downscale,
)
RESCALE = Operation(
    "rescale",
    "Multiply the size by a number, rounding down.",
    {"by": Parameter("a factor; above 1 enlarges", 1 / 64, 8), "method": METHOD},
    _rescale,
)
FULL_SIZE = Operation(
    "full_size",
    "Return to the size of HQ, or to a whole fraction of it.",
    {
        "method": METHOD,
        "divided_by": Parameter("a whole number", options=(1, 2, 4, 8), default=1),
    },
    _full_size,
)
