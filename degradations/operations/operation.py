"""What an operation is: a pure function of pixels and drawn values, with the parameters it understands.

Between operations a picture is `Pixels`: **BGR**, HWC, float64, in levels from 0 to 255. BGR because that is
the order of the authors and of OpenCV's codecs; levels because whole levels, and their bilinear mixtures,
are exact numbers in float64, so that rounding to 8 bits comes out alike on every machine.
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
    """What an operation may know besides the picture and its values.

    Attributes:
        generator: seeded for this step of this image; the only source of random arrays.
        size: (height, width) of HQ in pixels, to which a recipe finally returns.
    """

    generator: np.random.Generator
    size: Size


@dataclass(frozen=True, slots=True)
class Parameter:
    """A parameter of an operation: what it means, and what it may be.

    A number from ``low`` to ``high``; or, where there are ``options``, one of them; or, where ``check`` is
    given, whatever ``check`` has nothing to say against. Without a ``default`` a recipe must give it.
    """

    meaning: str
    low: float = float("-inf")
    high: float = float("inf")
    options: tuple[Any, ...] = ()
    default: Any = None
    check: Callable[[Any], str] | None = None

    def fault(self, value: Any) -> str:
        """What is wrong with ``value``, in words; empty if nothing is."""
        if self.check is not None:
            return self.check(value)
        if self.options:
            named = any(value == option and type(value) is type(option) for option in self.options)
            return "" if named else f"is one of {_listed(self.options)}; got {value!r}"
        if not is_number(value):
            return f"is a number; got {value!r}"
        if not self.low <= value <= self.high:
            return f"lies from {self.low:g} to {self.high:g} ({self.meaning}); got {value}"
        return ""

    def faults(self, distribution: Distribution) -> list[str]:
        """What is wrong with any value that ``distribution`` can give."""
        if isinstance(distribution, Uniform) and (self.options or self.check):
            return [f"takes a value or a choice, not a range; got [{distribution.low}, {distribution.high}]"]
        return [fault for value in distribution.values() if (fault := self.fault(value))]


@dataclass(frozen=True, slots=True)
class Operation:
    """One degradation.

    Attributes:
        name: as written in a recipe.
        meaning: one sentence.
        parameters: by name.
        apply: (pixels, values, setting) -> pixels; the input is not modified.
        unused: names of the values that do not matter given the others; they are left out of the record.
        kernel: of an operation that correlates with this kernel and does nothing else.
        size: of an operation that resizes by the value ``method`` and does nothing else: the new (height,
            width) for the present one, the values and HQ's.
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
    """The nearest of 256 levels, halves to the even one, clipped."""
    levels = np.rint(pixels)
    return np.clip(levels, 0, 255, out=levels).astype(np.uint8)


def _listed(options: tuple[Any, ...]) -> str:
    words = [str(option) for option in options]
    return ", ".join(words) if len(words) <= 12 else f"{', '.join(words[:3])}, ..., {words[-1]}"
