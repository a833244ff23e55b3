"""Colour operations: channel shift, colour jitter, greyscale. Results are clipped to 0 to 255."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import permutations
from typing import Any, TypeVar

import cv2
import numpy as np
import numpy.typing as npt

from ...images import LUMA_WEIGHTS
from .operation import Operation, Parameter, Pixels, Setting, Values

RED, GREEN, BLUE = LUMA_WEIGHTS
JITTERED = ("brightness", "contrast", "saturation", "hue")
ORDERS = tuple("".join(letters) for letters in permutations("bcsh"))

Colours = TypeVar("Colours", npt.NDArray[np.float32], npt.NDArray[np.float64])


def luma(blue: Any, green: Any, red: Any) -> Any:
    """BT.601 luma of three planes of one shape, arrays or tensors."""
    return BLUE * blue + GREEN * green + RED * red


def grey(pixels: Colours) -> Colours:
    """Luma of BGR levels (H, W, 3): (H, W, 1)."""
    plane: Colours = luma(pixels[..., :1], pixels[..., 1:2], pixels[..., 2:])
    return plane


def brighten(pixels: Colours, factor: float) -> Colours:
    """Multiply levels by ``factor``."""
    return _clip(pixels * factor)


def change_contrast(pixels: Colours, factor: float) -> Colours:
    """Scale the difference to the mean luma of the image by ``factor``."""
    return _clip(factor * pixels + (1.0 - factor) * grey(pixels).mean())


def saturate(pixels: Colours, factor: float) -> Colours:
    """Scale the difference to the luma of each pixel by ``factor``."""
    return _clip(factor * pixels + (1.0 - factor) * grey(pixels))


def shift_hue(pixels: Colours, turn: float) -> Colours:
    """Shift the hue by ``turn`` of a full circle (-0.5 to 0.5); computed in float32."""
    hsv = cv2.cvtColor((_clip(pixels) / 255.0).astype(np.float32), cv2.COLOR_BGR2HSV)
    hsv[..., 0] = (hsv[..., 0] + 360.0 * turn) % 360.0
    return _clip(cv2.cvtColor(hsv, cv2.COLOR_HSV2BGR).astype(pixels.dtype) * 255.0)


def jitter(pixels: Colours, amounts: Mapping[str, float], order: str) -> Colours:
    """Apply the changes of `JITTERED` by ``amounts``, in an order of first letters such as ``bcsh``."""
    changes = {"b": brighten, "c": change_contrast, "s": saturate, "h": shift_hue}
    names = {name[0]: name for name in JITTERED}
    for letter in order:
        pixels = changes[letter](pixels, amounts[names[letter]])
    return pixels


def _clip(pixels: Colours) -> Colours:
    return np.clip(pixels, 0.0, 255.0)


def _shift(pixels: Pixels, values: Values, setting: Setting) -> Pixels:
    return _clip(pixels + np.array([values["blue"], values["green"], values["red"]]))


def _jitter(pixels: Pixels, values: Values, setting: Setting) -> Pixels:
    return jitter(pixels, values, values["order"])


def _grey(pixels: Pixels, values: Values, setting: Setting) -> Pixels:
    return np.repeat(grey(pixels), 3, axis=2)


COLOUR_SHIFT = Operation(
    "colour_shift",
    "Add a number to each channel.",
    {name: Parameter("levels", -255, 255, default=0.0) for name in ("red", "green", "blue")},
    _shift,
)
COLOUR_JITTER = Operation(
    "colour_jitter",
    "Change brightness, contrast, saturation and hue in a given order.",
    {
        "brightness": Parameter("a factor", 0, 10, default=1.0),
        "contrast": Parameter("a factor", 0, 10, default=1.0),
        "saturation": Parameter("a factor", 0, 10, default=1.0),
        "hue": Parameter("shift as a share of a full circle", -0.5, 0.5, default=0.0),
        "order": Parameter("order of the changes, by first letters", options=ORDERS, default="bcsh"),
    },
    _jitter,
)
GREY = Operation("grey", "Convert to grey (BT.601 luma).", {}, _grey)
