"""What an operation is: a pure function of pixels and drawn values, with the parameters it understands."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from .distributions import Distribution, is_number

Pixels: TypeAlias = npt.NDArray[np.floating[Any]]
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
            return "" if named else f"is one of {', '.join(map(str, self.options))}; got {value}"
        if not is_number(value):
            return f"is a number; got {value!r}"
        if not self.low <= value <= self.high:
            return f"lies from {self.low:g} to {self.high:g} ({self.meaning}); got {value}"
        return ""

    def faults(self, distribution: Distribution) -> list[str]:
        """What is wrong with any value that ``distribution`` can give."""
        return [fault for value in distribution.values() if (fault := self.fault(value))]


def _none_unused(values: Values) -> frozenset[str]:
    return frozenset()


@dataclass(frozen=True, slots=True)
class Operation:
    """One degradation.

    Attributes:
        name: as written in a recipe.
        meaning: one sentence.
        parameters: by name.
        apply: (pixels, values, setting) -> pixels. Pixels are RGB floats, HWC, nominally in [0, 1]; the
            input is not modified.
        unused: names of the values that do not matter given the others; they are left out of the record.
    """

    name: str
    meaning: str
    parameters: Mapping[str, Parameter]
    apply: Callable[[Pixels, Values, Setting], Pixels]
    unused: Callable[[Values], frozenset[str]] = field(default=_none_unused)
