"""Axes of plots: scales, ticks and the frame, as SVG."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

WIDTH, HEIGHT = 520, 360
LEFT, RIGHT, TOP, BOTTOM = 62, 18, 16, 46


@dataclass(frozen=True, slots=True)
class Axis:
    """One axis: its title, its better direction (None for neither), and whether it is logarithmic."""

    title: str
    higher_is_better: bool | None
    log: bool = False


@dataclass(frozen=True, slots=True)
class Scale:
    """Maps values of an axis to pixels, linearly or by their logarithm."""

    low: float
    high: float
    start: float
    end: float
    log: bool

    def __call__(self, value: float) -> float:
        """The pixel of a value."""
        a, b, v = (math.log10(x) if self.log else x for x in (self.low, self.high, value))
        return self.start + (v - a) / ((b - a) or 1.0) * (self.end - self.start)

    def ticks(self) -> list[float]:
        """About four round values between the ends."""
        if self.log:
            first, last = math.floor(math.log10(self.low)), math.ceil(math.log10(self.high))
            decades = [
                m * 10.0**e for e in range(first, last + 1) for m in ((1,) if last - first > 2 else (1, 3))
            ]
            return [t for t in decades if self.low <= t <= self.high]
        step = _nice((self.high - self.low) / 4)
        first = math.ceil(self.low / step - 1e-9)
        return [k * step for k in range(first, math.floor(self.high / step + 1e-9) + 1)]


def make_scale(
    values: Sequence[float], start: float, end: float, *, log: bool, margin: float = 0.06
) -> Scale:
    """A scale over the finite ``values`` from pixel ``start`` to pixel ``end``, with margins."""
    known = [v for v in values if math.isfinite(v) and (v > 0 or not log)]
    low, high = (min(known), max(known)) if known else (0.0, 1.0)
    if log:
        span = math.log10(high / low) or 1.0
        return Scale(low / 10 ** (margin * span), high * 10 ** (margin * span), start, end, True)
    span = (high - low) or abs(high) or 1.0
    return Scale(low - margin * span, high + margin * span, start, end, False)


def upward_scale(values: Sequence[float], axis: Axis) -> Scale:
    """A vertical scale on which better is higher up."""
    ends = (TOP, HEIGHT - BOTTOM) if axis.higher_is_better is False else (HEIGHT - BOTTOM, TOP)
    return make_scale(values, *ends, log=axis.log)


def draw_frame(
    to_x: Scale, to_y: Scale, x: Axis, *, y: Axis, x_ticks: dict[float, str] | None = None, room: int = 0
) -> list[str]:
    """Grid, ticks, axes and their titles; ``room`` pixels on the right stay free."""
    right, bottom = WIDTH - RIGHT - room, HEIGHT - BOTTOM
    parts = []
    for tick in to_y.ticks():
        at = to_y(tick)
        parts.append(f'<path class="grid" d="M{LEFT} {at:.1f}H{right}"/>')
        parts.append(
            f'<text class="tick" x="{LEFT - 8}" y="{at + 4:.1f}" text-anchor="end">{_tick(tick)}</text>'
        )
    for tick, text in (x_ticks or {t: _tick(t) for t in to_x.ticks()}).items():
        at = to_x(tick)
        parts.append(f'<path class="grid" d="M{at:.1f} {bottom}v5"/>')
        parts.append(
            f'<text class="tick" x="{at:.1f}" y="{bottom + 19}" text-anchor="middle">{escape(text)}</text>'
        )
    parts.append(f'<path class="axis" d="M{LEFT} {bottom}H{right}"/>')
    middle = (LEFT + right) / 2
    parts.append(
        f'<text class="name" x="{middle:.0f}" y="{HEIGHT - 6}" text-anchor="middle">{_axis_name(x)}</text>'
    )
    up = (TOP + bottom) / 2
    turned = f'transform="translate(13 {up:.0f}) rotate(-90)"'
    parts.append(f'<text class="name" {turned} text-anchor="middle">{_axis_name(y)}</text>')
    return parts


def _axis_name(axis: Axis) -> str:
    better = {True: ", higher is better", False: ", lower is better", None: ""}[axis.higher_is_better]
    return escape(f"{axis.title}{better}")


def _nice(step: float) -> float:
    size = 10.0 ** math.floor(math.log10(step)) if step > 0 else 1.0
    return next((m * size for m in (1, 2, 2.5, 5, 10) if m * size >= step), size)


def _tick(value: float) -> str:
    text = f"{round(value, 6):g}"
    return text.replace("-", "−")
