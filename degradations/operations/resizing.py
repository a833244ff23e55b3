"""Resizing operations: both axes of an image are resampled in turn, in float64."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

import numpy as np

from ...errors import InvalidInputError
from .operation import Operation, Parameter, Pixels, Setting, Size, Values
from .resampling import METHODS, Taps, taps


def resize(pixels: Pixels, size: Size, method: str) -> Pixels:
    """Resize to ``size`` = (height, width) by a method of `METHODS`; the result is not clipped.

    Raises:
        InvalidInputError: the result would have no pixels.
    """
    have = pixels.shape[:2]
    require_nonempty(have, size)
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


def require_nonempty(have: Size, size: Size) -> None:
    """Check that ``size`` = (height, width) is at least one pixel a side.

    Raises:
        InvalidInputError: it is not.
    """
    if min(size) < 1:
        before, after = f"{have[1]}x{have[0]}", f"{size[1]}x{size[0]}"
        raise InvalidInputError(f"{before} pixels is too small to be resized to {after}; use larger images")


def downscaled(have: Size, values: Values, hq: Size) -> Size:
    """(floor(height / by), floor(width / by))."""
    return int(have[0] // values["by"]), int(have[1] // values["by"])


def rescaled(have: Size, values: Values, hq: Size) -> Size:
    """(floor(height * by), floor(width * by))."""
    return math.floor(have[0] * values["by"]), math.floor(have[1] * values["by"])


def relative_to_hq(have: Size, values: Values, hq: Size) -> Size:
    """The size of HQ divided by ``divided_by`` and multiplied by ``by``, rounded down."""
    factor = values["by"] / values["divided_by"]
    return math.floor(hq[0] * factor), math.floor(hq[1] * factor)


def _resizing(
    name: str,
    meaning: str,
    target: Callable[[Size, Values, Size], Size],
    *,
    parameters: Mapping[str, Parameter],
) -> Operation:
    def apply(pixels: Pixels, values: Values, setting: Setting) -> Pixels:
        return resize(pixels, target(pixels.shape[:2], values, setting.size), values["method"])

    return Operation(name, meaning, {**parameters, "method": METHOD}, apply, size=target)


METHOD = Parameter("interpolation", options=METHODS, default="bilinear")
DOWNSCALE = _resizing(
    "downscale",
    "Divide height and width by a number, rounding down.",
    downscaled,
    parameters={"by": Parameter("a divisor; below 1 enlarges", 0.125, 64)},
)
RESCALE = _resizing(
    "rescale",
    "Multiply height and width by a number, rounding down.",
    rescaled,
    parameters={"by": Parameter("a factor; above 1 enlarges", 1 / 64, 8)},
)
FULL_SIZE = _resizing(
    "full_size",
    "Resize to the size of HQ, or to a fraction of it, from any size.",
    relative_to_hq,
    parameters={
        "divided_by": Parameter("divisor of the size of HQ", options=(1, 2, 4, 8), default=1),
        "by": Parameter("additional factor", 0.125, 8, default=1.0),
    },
)
