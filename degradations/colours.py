"""Colour: shifts, jitter and the loss of it. Every function clips to the levels 0 to 255."""

from __future__ import annotations

from collections.abc import Callable
from itertools import permutations

import cv2
import numpy as np

from .operation import Operation, Parameter, Pixels, Setting, Values

LUMA = np.array([0.114, 0.587, 0.299])  # ITU-R BT.601, for blue, green and red
ORDERS = tuple("".join(letters) for letters in permutations("bcsh"))


def grey(pixels: Pixels) -> Pixels:
    """The luma, (H, W, 1)."""
    luma: Pixels = np.sum(pixels * LUMA, axis=2, keepdims=True)
    return luma


def brighten(pixels: Pixels, factor: float) -> Pixels:
    """Multiply by ``factor``."""
    return _clip(pixels * factor)


def change_contrast(pixels: Pixels, factor: float) -> Pixels:
    """Move away from (below 1: towards) the mean luma of the picture."""
    return _clip(factor * pixels + (1.0 - factor) * grey(pixels).mean())


def saturate(pixels: Pixels, factor: float) -> Pixels:
    """Move away from (below 1: towards) the luma of each pixel."""
    return _clip(factor * pixels + (1.0 - factor) * grey(pixels))


def turn_hue(pixels: Pixels, turn: float) -> Pixels:
    """Turn the hue by ``turn`` of a full circle (-0.5 to 0.5)."""
    hsv = cv2.cvtColor((_clip(pixels) / 255.0).astype(np.float32), cv2.COLOR_BGR2HSV)
    hsv[..., 0] = (hsv[..., 0] + 360.0 * turn) % 360.0
    return _clip(cv2.cvtColor(hsv, cv2.COLOR_HSV2BGR).astype(np.float64) * 255.0)


CHANGES: dict[str, Callable[[Pixels, float], Pixels]] = {
    "brightness": brighten,
    "contrast": change_contrast,
    "saturation": saturate,
    "hue": turn_hue,
}


def _clip(pixels: Pixels) -> Pixels:
    return np.clip(pixels, 0.0, 255.0)


def _shift(pixels: Pixels, values: Values, setting: Setting) -> Pixels:
    return _clip(pixels + np.array([values["blue"], values["green"], values["red"]]))


def _jitter(pixels: Pixels, values: Values, setting: Setting) -> Pixels:
    names = {name[0]: name for name in CHANGES}
    for name in (names[letter] for letter in values["order"]):
        pixels = CHANGES[name](pixels, values[name])
    return pixels


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
    "Change brightness, contrast, saturation and hue, one after the other.",
    {
        "brightness": Parameter("a factor", 0, 10, default=1.0),
        "contrast": Parameter("a factor", 0, 10, default=1.0),
        "saturation": Parameter("a factor", 0, 10, default=1.0),
        "hue": Parameter("of a full circle", -0.5, 0.5, default=0.0),
        "order": Parameter("first letters, in order", options=ORDERS, default="bcsh"),
    },
    _jitter,
)
GREY = Operation("grey", "Lose all colour.", {}, _grey)
