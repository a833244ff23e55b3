"""Colour: shifts, jitter and the loss of it. Every function clips to [0, 1]."""

from __future__ import annotations

from collections.abc import Callable
from itertools import permutations

import cv2
import numpy as np

from .operation import Operation, Parameter, Pixels, Setting, Values

LUMA = (0.299, 0.587, 0.114)  # ITU-R BT.601, RGB
ORDERS = tuple("".join(letters) for letters in permutations("bcsh"))


def grey(pixels: Pixels) -> Pixels:
    """The luma, (H, W, 1)."""
    luma: Pixels = (pixels @ np.asarray(LUMA, dtype=pixels.dtype))[..., None]
    return luma


def brighten(pixels: Pixels, factor: float) -> Pixels:
    """Multiply by ``factor``."""
    return _clip(pixels * pixels.dtype.type(factor))


def change_contrast(pixels: Pixels, factor: float) -> Pixels:
    """Move away from (or, below 1, towards) the mean luma."""
    return _blend(pixels, grey(pixels).mean(), factor)


def saturate(pixels: Pixels, factor: float) -> Pixels:
    """Move away from (or, below 1, towards) the luma of each pixel."""
    return _blend(pixels, grey(pixels), factor)


def shift_hue(pixels: Pixels, turn: float) -> Pixels:
    """Turn the hue by ``turn`` of a full circle (-0.5 to 0.5)."""
    hsv = cv2.cvtColor(_clip(pixels).astype(np.float32), cv2.COLOR_RGB2HSV)
    hsv[..., 0] = (hsv[..., 0] + 360.0 * turn) % 360.0
    return _clip(cv2.cvtColor(hsv, cv2.COLOR_HSV2RGB).astype(pixels.dtype))


def jitter(
    pixels: Pixels, brightness: float, contrast: float, saturation: float, hue: float, order: str = "bcsh"
) -> Pixels:
    """Change brightness, contrast, saturation (factors) and hue (a turn) in the order of the letters."""
    changes: dict[str, tuple[Callable[[Pixels, float], Pixels], float]] = {
        "b": (brighten, brightness),
        "c": (change_contrast, contrast),
        "s": (saturate, saturation),
        "h": (shift_hue, hue),
    }
    for letter in order:
        change, amount = changes[letter]
        pixels = change(pixels, amount)
    return pixels


def _clip(pixels: Pixels) -> Pixels:
    clipped: Pixels = np.clip(pixels, 0.0, 1.0)
    return clipped


def _blend(pixels: Pixels, other: Pixels, factor: float) -> Pixels:
    amount = pixels.dtype.type(factor)
    return _clip(amount * pixels + (1 - amount) * other)


def _shift(pixels: Pixels, values: Values, setting: Setting) -> Pixels:
    shift = [values["red"], values["green"], values["blue"]]
    return _clip(pixels + np.asarray(shift, dtype=pixels.dtype) / pixels.dtype.type(255.0))


def _jitter(pixels: Pixels, values: Values, setting: Setting) -> Pixels:
    amounts = (values[name] for name in ("brightness", "contrast", "saturation", "hue", "order"))
    return jitter(pixels, *amounts)


def _grey(pixels: Pixels, values: Values, setting: Setting) -> Pixels:
    return np.repeat(grey(pixels), 3, axis=2)


COLOUR_SHIFT = Operation(
    "colour_shift",
    "Add a number to each channel.",
    {name: Parameter("of 255", -255, 255, default=0.0) for name in ("red", "green", "blue")},
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
        "order": Parameter("first letters in order", options=ORDERS, default="bcsh"),
    },
    _jitter,
)
GREY = Operation("grey", "Lose all colour.", {}, _grey)
