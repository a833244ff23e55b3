"""Resizing: the picture's two axes resampled one after the other, in float64."""

from __future__ import annotations

import math

import numpy as np

from ..errors import FaultyInput
from .operation import Operation, Parameter, Pixels, Setting, Size, Values
from .resampling import METHODS, Taps, taps


def resize(pixels: Pixels, size: Size, method: str) -> Pixels:
    """Resize to ``size`` = (height, width) by a method of `METHODS`; the result is not clipped.

    Raises:
        FaultyInput: nothing would be left of the picture.
    """
    have = pixels.shape[:2]
    require_remains(have, size)
    if size == have:
        return pixels
    rows, columns = (taps(length, count, method) for length, count in zip(have, size, strict=True))
    if size[0] < have[0]:
        sums = sum_columns(sum_rows(pixels, rows), columns)
    else:
        sums = sum_rows(sum_columns(pixels, columns), rows)
    return sums / (rows.total * columns.total)


def sum_rows(pixels: Pixels, rows: Taps) -> Pixels:
    """Resample the vertical axis, without the division by the taps' total."""
    length, width, channels = pixels.shape
    sums: Pixels = rows.matrix(length) @ pixels.reshape(length, -1)
    return sums.reshape(-1, width, channels)


def sum_columns(pixels: Pixels, columns: Taps) -> Pixels:
    """Resample the horizontal axis, without the division by the taps' total."""
    return np.ascontiguousarray(sum_rows(pixels.transpose(1, 0, 2), columns).transpose(1, 0, 2))


def require_remains(have: Size, size: Size) -> None:
    """Refuse to resize a picture away."""
    if min(size) < 1:
        before, after = f"{have[1]}x{have[0]}", f"{size[1]}x{size[0]}"
        raise FaultyInput(f"{before} pixels is too small to be resized to {after}; use larger images")


def downscaled(size: Size, by: float) -> Size:
    """(floor(height / by), floor(width / by))."""
    return int(size[0] // by), int(size[1] // by)


def _downscale(pixels: Pixels, values: Values, setting: Setting) -> Pixels:
    return resize(pixels, downscaled(pixels.shape[:2], values["by"]), values["method"])


def _rescale(pixels: Pixels, values: Values, setting: Setting) -> Pixels:
    height, width = (math.floor(length * values["by"]) for length in pixels.shape[:2])
    return resize(pixels, (height, width), values["method"])


def _full_size(pixels: Pixels, values: Values, setting: Setting) -> Pixels:
    height, width = (int(length / values["divided_by"] * values["by"]) for length in setting.size)
    return resize(pixels, (height, width), values["method"])


METHOD = Parameter("how", options=METHODS, default="bilinear")
DOWNSCALE = Operation(
    "downscale",
    "Divide the size by a number, rounding down.",
    {"by": Parameter("a divisor; below 1 enlarges", 0.125, 64), "method": METHOD},
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
    "Return to the size of HQ, or to a part of it, whatever was done before.",
    {
        "method": METHOD,
        "divided_by": Parameter("a whole number", options=(1, 2, 4, 8), default=1),
        "by": Parameter("a factor on top of that", 0.125, 8, default=1.0),
    },
    _full_size,
)
