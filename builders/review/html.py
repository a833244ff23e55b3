"""Self-contained HTML pages from the templates beside this module: tables and bar charts, no script."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import jinja2

TEMPLATES = Path(__file__).parent / "templates"
WIDTH, HEIGHT, FOOT = 480, 150, 18
WIDEST_BAR = 44.0
TICKS = 9


@dataclass(frozen=True, slots=True)
class Bar:
    """One bar of a chart, in units of its view box, as text with one decimal."""

    x: str
    y: str
    width: str
    height: str
    title: str


@dataclass(frozen=True, slots=True)
class Tick:
    """A label below a bar."""

    x: str
    text: str


@dataclass(frozen=True, slots=True)
class Mark:
    """A vertical line with a label."""

    x: str
    text_x: str
    anchor: str
    text: str


@dataclass(frozen=True, slots=True)
class BarChart:
    """A bar chart as the template ``macros.html`` draws it."""

    caption: str
    tallest: int
    bars: tuple[Bar, ...]
    ticks: tuple[Tick, ...]
    mark: Mark | None
    width: int = WIDTH
    height: int = HEIGHT
    foot: int = FOOT


def render(template: str, **context: Any) -> str:
    """The page of a template (by its file name) with autoescaped values, as one self-contained HTML text."""
    return _environment().get_template(template).render(**context)


def number(value: object) -> str:
    """A value as text: thousands separated, four significant digits, a dash for None and NaN."""
    if value is None or (isinstance(value, float) and value != value):
        return "–"
    if isinstance(value, bool) or not isinstance(value, int | float):
        return str(value)
    return f"{value:,}" if isinstance(value, int) else f"{value:.4g}"


def bar_chart(
    caption: str, counts: Iterable[tuple[str, int]], mark: tuple[float, str] | None = None
) -> BarChart:
    """A bar chart of counts by label, in their order.

    ``mark`` draws a labelled line at a share (0 to 1) of the width.
    """
    shown = list(counts)
    tallest = max([1, *(value for _, value in shown)])
    step = min(WIDTH / max(len(shown), 1), WIDEST_BAR)
    every = max(1, -(-len(shown) // TICKS))
    bars, ticks = [], []
    for place, (label, value) in enumerate(shown):
        height = HEIGHT * value / tallest
        bars.append(
            Bar(
                x=f"{place * step + 0.5:.1f}",
                y=f"{HEIGHT - height:.1f}",
                width=f"{max(step - 1, 1):.1f}",
                height=f"{height:.1f}",
                title=f"{label}: {value:,}",
            )
        )
        if place % every == 0:
            ticks.append(Tick(f"{(place + 0.5) * step:.1f}", label))
    return BarChart(caption, tallest, tuple(bars), tuple(ticks), None if mark is None else _mark(*mark))


def _mark(share: float, text: str) -> Mark:
    x = share * WIDTH
    anchor, shift = ("end", -4) if share > 0.5 else ("start", 4)
    return Mark(f"{x:.1f}", f"{x + shift:.1f}", anchor, text)


@cache
def _environment() -> jinja2.Environment:
    import jinja2

    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters["number"] = number
    return environment
