"""An operation: a pure function of pixels and drawn values, with a declaration of its parameters.

Between operations an image is `Pixels`: **BGR**, (H, W, 3), float64, in levels from 0 to 255. BGR because it
is the order of the papers' code and of OpenCV's codecs; levels because integer levels, and their bilinear
mixtures, are exact in float64, so that rounding to 8 bits is the same on every machine.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from .distributions import Distribution, Uniform, is_number

Pixels: TypeAlias = npt.NDArray[np.float64]
Levels: TypeAlias = npt.NDArray[np.uint8]
Values: TypeAlias = Mapping[str, Any]
Size: TypeAlias = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Setting:
    """Context of an operation besides the image and its values.

    Attributes:
        generator: seeded for this step of this image; the only source of random arrays.
        size: (height, width) of HQ in pixels, to which a recipe returns at its end.
    """

    generator: np.random.Generator
    size: Size


@dataclass(frozen=True, slots=True)
class Parameter:
    """A parameter of an operation and its valid values.

    Attributes:
        meaning: what it is, with its unit.
        low, high: range of a number.
        options: the valid values, instead of a range.
        default: value where a recipe gives none; None for a parameter that every recipe must give.
        check: function that returns the fault of a value, or an empty text, instead of range and options.
        literal: a recipe gives a value, never a distribution: a mapping is taken as it is.
    """

    meaning: str
    low: float = float("-inf")
    high: float = float("inf")
    options: tuple[Any, ...] = ()
    default: Any = None
    check: Callable[[Any], str] | None = None
    literal: bool = False

    def fault(self, value: Any) -> str:
        """The fault of ``value`` as text; empty for a valid value."""
        if self.check is not None:
            return self.check(value)
        if self.options:
            valid = any(value == option and type(value) is type(option) for option in self.options)
            return "" if valid else f"must be one of {_listed(self.options)}; got {value!r}"
        if not is_number(value):
            return f"must be a number; got {value!r}"
        if not self.low <= value <= self.high:
            return f"must be between {self.low:g} and {self.high:g} ({self.meaning}); got {value}"
        return ""

    def faults(self, distribution: Distribution) -> list[str]:
        """The faults of all values that ``distribution`` can give."""
        if isinstance(distribution, Uniform) and (self.options or self.check):
            return [f"takes a value or a choice, not a range; got [{distribution.low}, {distribution.high}]"]
        return [fault for value in distribution.values() if (fault := self.fault(value))]


@dataclass(frozen=True, slots=True)
class Operation:
    """A degradation with its parameters.

    Attributes:
        name: its name in recipes.
        meaning: one sentence.
        parameters: by name.
        apply: (pixels, values, setting) -> pixels; must not modify its input.
        unused: names of values without effect given the others; they are left out of the record.
        kernel: for an operation that only correlates with a kernel: that kernel.
        size: for an operation that only resizes by the value ``method``: the new (height, width) from the
            present one, the values and that of HQ.
    """

    name: str
    meaning: str
    parameters: Mapping[str, Parameter]
    apply: Callable[[Pixels, Values, Setting], Pixels]
    unused: Callable[[Values], frozenset[str]] | None = None
    kernel: Callable[[Values], npt.NDArray[np.float64]] | None = None
    size: Callable[[Size, Values, Size], Size] | None = None


def as_pixels(levels: Levels | Pixels) -> Pixels:
    """The same levels in float64."""
    return levels.astype(np.float64, copy=False)


def round_levels(pixels: Pixels) -> Levels:
    """Round to uint8, halves to even, clipped to 0 to 255."""
    levels = np.rint(pixels)
    return np.clip(levels, 0, 255, out=levels).astype(np.uint8)


def _listed(options: tuple[Any, ...]) -> str:
    words = [str(option) for option in options]
    return ", ".join(words) if len(words) <= 12 else f"{', '.join(words[:3])}, ..., {words[-1]}"
