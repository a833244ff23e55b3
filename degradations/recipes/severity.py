"""The severity sweep: recipes ``severity-LEVEL`` from 0 to 1 that interpolate ReF-LDM's ranges."""

from __future__ import annotations

from ...deprecated import renamed
from ...errors import RefbenchError
from .classical import Range, classical_steps
from .recipe import Recipe

PREFIX = "severity-"
MODERATE = 0.5  # the level at which the ranges are those of refldm-moderate; at 1 those of refldm-severe
STOPS: tuple[tuple[Range, Range, Range], ...] = (
    ((0, 0), (0, 8), (8, 16)),  # sigma
    ((1, 1), (1, 8), (8, 32)),  # by
    ((0, 0), (0, 15), (0, 20)),  # noise
    ((100, 100), (60, 100), (30, 100)),  # quality
)


def severity_recipe(level: float) -> Recipe:
    """The recipe ``severity-LEVEL``.

    Both ends of each range are interpolated linearly: from JPEG 100 alone at 0 to ``refldm-moderate`` at 0.5
    and ``refldm-severe`` at 1. All levels share their draws, so that along the sweep an image keeps its
    noise, its kernel's direction and its quantile within each range.

    Raises:
        RefbenchError: ``level`` is outside 0 to 1.
    """
    if not 0 <= level <= 1:
        raise RefbenchError(f"severity must be between 0 (no change) and 1 (severe); got {level}")
    sigma, by, noise, quality = (_between(stops, level) for stops in STOPS)
    return Recipe(
        f"{PREFIX}{level:g}",
        1,
        classical_steps(sigma=sigma, by=by, noise=noise, quality=quality),
        title=f"level {level:g} of the sweep through moderate ({MODERATE}) and severe (1)",
        source="the ranges of ReF-LDM, interpolated",
        sweep="severity",
    )


def parse_severity(name: str) -> Recipe | None:
    """The recipe of a name such as ``severity-0.4``; None for any other name.

    Raises:
        RefbenchError: a level outside 0 to 1.
    """
    level = severity_level(name)
    return None if level is None else severity_recipe(level)


def severity_level(name: str) -> float | None:
    """The level in a recipe's name, such as 0.4 in ``severity-0.4``; None for any other name."""
    if not name.startswith(PREFIX):
        return None
    try:
        return float(name.removeprefix(PREFIX))
    except ValueError:
        return None


def _between(stops: tuple[Range, Range, Range], level: float) -> Range:
    least, moderate, severe = stops
    if level <= MODERATE:
        return _mixed(least, moderate, level / MODERATE)
    return _mixed(moderate, severe, (level - MODERATE) / (1 - MODERATE))


def _mixed(start: Range, end: Range, share: float) -> Range:
    (low, high), (end_low, end_high) = start, end
    return low + (end_low - low) * share, high + (end_high - high) * share


__getattr__ = renamed(__name__, {"severity": "severity_recipe"})
