"""Distributions of a parameter: a fixed value, a uniform range, or a weighted choice."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import accumulate
from typing import Any, TypeAlias

from ...errors import RefbenchError
from ...records.lq_set import Scalar as Scalar


@dataclass(frozen=True, slots=True)
class Fixed:
    """A fixed value; in YAML the value itself."""

    value: Any

    def at(self, unit: float) -> Any:
        """The value, whatever ``unit`` is."""
        return self.value

    def values(self) -> Iterator[Any]:
        """Bounds of a range, or every option."""
        yield self.value

    def plain(self) -> Any:
        """The value as plain YAML data."""
        return self.value


@dataclass(frozen=True, slots=True)
class Uniform:
    """Uniform over the numbers from ``low`` to ``high``; in YAML ``{uniform: [low, high]}``."""

    low: float
    high: float

    def at(self, unit: float) -> float:
        """The quantile of ``unit`` in [0, 1)."""
        return self.low + (self.high - self.low) * unit

    def values(self) -> Iterator[Any]:
        """Both ends of the range."""
        yield from (self.low, self.high)

    def plain(self) -> Any:
        """The value as plain YAML data."""
        return {"uniform": [self.low, self.high]}


@dataclass(frozen=True, slots=True)
class Choice:
    """One of ``options``, equally likely or by ``weights``; in YAML ``{choice: [...], weights: [...]}``."""

    options: tuple[Scalar, ...]
    weights: tuple[float, ...] = ()

    def at(self, unit: float) -> Scalar:
        """The option at the quantile ``unit`` in [0, 1)."""
        return self.options[pick(self.weights or (1.0,) * len(self.options), unit)]

    def values(self) -> Iterator[Any]:
        """Every option."""
        yield from self.options

    def plain(self) -> Any:
        """The value as plain YAML data."""
        weights = {"weights": list(self.weights)} if self.weights else {}
        return {"choice": list(self.options), **weights}


Distribution: TypeAlias = Fixed | Uniform | Choice


def pick(weights: tuple[float, ...], unit: float) -> int:
    """Index drawn by ``unit`` in [0, 1) with probabilities in proportion to ``weights``."""
    ends = tuple(accumulate(weights))
    return next((i for i, end in enumerate(ends) if unit * ends[-1] < end), len(weights) - 1)


def parse(plain: Any) -> Distribution:
    """Read a distribution from plain YAML data.

    Raises:
        RefbenchError: a range that is reversed or not of two numbers; a choice without options; weights
            that do not fit.
    """
    if not isinstance(plain, dict) or not plain.keys() & {"uniform", "choice"}:
        return Fixed(plain)
    if plain.keys() == {"uniform"}:
        return _uniform(plain["uniform"])
    if plain.keys() <= {"choice", "weights"}:
        return _choice(plain["choice"], plain.get("weights"))
    raise RefbenchError(
        f"{plain} is not a value, {{uniform: [low, high]}} or {{choice: [...], weights: [...]}}"
    )


def _uniform(ends: Any) -> Uniform:
    if not isinstance(ends, list | tuple) or len(ends) != 2 or not all(is_number(end) for end in ends):
        raise RefbenchError(f"uniform takes two numbers, [low, high]; got {ends}")
    low, high = ends
    if low > high:
        raise RefbenchError(f"the range [{low}, {high}] is reversed; write [{high}, {low}]")
    return Uniform(low, high)


def _choice(options: Any, weights: Any) -> Choice:
    if not isinstance(options, list | tuple) or not options:
        raise RefbenchError(f"choice takes a list of one or more options; got {options}")
    if weights is None:
        return Choice(tuple(options))
    numbers = isinstance(weights, list | tuple) and all(is_number(w) and w >= 0 for w in weights)
    if not numbers or len(weights) != len(options) or sum(weights) <= 0:
        raise RefbenchError(f"weights takes one number >= 0 for each of the options {options}; got {weights}")
    return Choice(tuple(options), tuple(weights))


def is_number(value: Any) -> bool:
    """True for a finite int or float (a bool is not a number)."""
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < float("inf")
