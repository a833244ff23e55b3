"""Scatter and line plots as SVG text, without script; colours come from the page's style sheet."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

from .axes import (
    HEIGHT,
    LEFT,
    RIGHT,
    TOP,
    WIDTH,
    Axis,
    draw_frame,
    make_scale,
    upward_scale,
)

LABEL = 12.0
LINKED = 20


@dataclass(frozen=True, slots=True)
class Point:
    """One model: its two values with the bounds of their intervals (which may equal the values)."""

    label: str
    href: str
    x: float
    y: float
    x_bounds: tuple[float, float]
    y_bounds: tuple[float, float]


@dataclass(frozen=True, slots=True)
class Line:
    """One model along an axis: values and the bounds of their intervals, NaN where there are none."""

    label: str
    href: str
    xs: tuple[float, ...]
    ys: tuple[float, ...]
    lows: tuple[float, ...]
    highs: tuple[float, ...]


def pareto_front(points: Sequence[Point], x: Axis, y: Axis) -> list[Point]:
    """The Pareto front from left to right: points that no other point dominates."""
    sign_x, sign_y = (1.0 if axis.higher_is_better else -1.0 for axis in (x, y))

    def beaten(point: Point) -> bool:
        return any(
            sign_x * other.x >= sign_x * point.x
            and sign_y * other.y >= sign_y * point.y
            and (other.x, other.y) != (point.x, point.y)
            for other in points
        )

    return sorted((p for p in points if not beaten(p)), key=lambda p: (p.x, p.y))


def scatter(points: Sequence[Point], x: Axis, y: Axis, *, title: str) -> str:
    """A scatter plot of models with intervals and the Pareto front, as SVG."""
    to_x = make_scale([*(v for p in points for v in (p.x, *p.x_bounds))], LEFT, WIDTH - RIGHT, log=x.log)
    to_y = upward_scale([*(v for p in points for v in (p.y, *p.y_bounds))], y)
    front = pareto_front(points, x, y)
    parts = [*draw_frame(to_x, to_y, x, y=y)]
    if len(front) > 1:
        path = " ".join(f"{to_x(p.x):.1f},{to_y(p.y):.1f}" for p in front)
        parts.append(f'<polyline class="front" points="{path}"/>')
    boxes: list[tuple[float, float, float, float]] = [
        (to_x(p.x) - 4, to_y(p.y) - 4, to_x(p.x) + 4, to_y(p.y) + 4) for p in points
    ]
    for point in points:
        on_front = point in front
        cx, cy = to_x(point.x), to_y(point.y)
        kind = "dot on" if on_front else "dot"
        linked = on_front or len(points) <= LINKED
        parts.append((f'<a href="{escape(point.href)}">' if linked else "") + f'<g class="{kind}">')
        parts.append(f"<title>{escape(point.label)}: {point.x:.4g}, {point.y:.4g}</title>")
        left, right = to_x(point.x_bounds[0]), to_x(point.x_bounds[1])
        if right - left > 1:
            parts.append(f'<path d="M{left:.1f} {cy:.1f}H{right:.1f}"/>')
        bottom, top = to_y(point.y_bounds[0]), to_y(point.y_bounds[1])
        if abs(bottom - top) > 1:
            parts.append(f'<path d="M{cx:.1f} {top:.1f}V{bottom:.1f}"/>')
        parts.append(f'<circle cx="{cx:.1f}" cy="{cy:.1f}" r="{4.5 if on_front else 3.5}"/>')
        if on_front or len(points) <= 8:
            parts.append(_label(point.label, cx, cy, boxes=boxes))
        parts.append("</g></a>" if linked else "</g>")
    return _svg(parts, title)


def lines(
    curves: Sequence[Line], x: Axis, y: Axis, *, title: str, tick_labels: dict[float, str] | None = None
) -> str:
    """A line plot of models with intervals, as SVG; the first eight are named, the rest are grey."""
    every_x = sorted({v for curve in curves for v in curve.xs})
    every_y = [v for c in curves for v in (*c.ys, *c.lows, *c.highs) if math.isfinite(v)]
    room = 118
    to_x = make_scale(every_x, LEFT, WIDTH - RIGHT - room, log=x.log, margin=0.03)
    to_y = upward_scale(every_y, y)
    ticks = tick_labels or {v: f"{v:g}" for v in every_x}
    parts = [*draw_frame(to_x, to_y, x, y=y, x_ticks=ticks, room=room)]
    taken: list[float] = []
    for number, curve in enumerate(curves):
        named = number < 8
        kind = f"c{number}" if named else "rest"
        parts.append((f'<a href="{escape(curve.href)}">' if named else "") + f'<g class="curve {kind}">')
        parts.append(f"<title>{escape(curve.label)}</title>")
        spots = [(to_x(a), to_y(b)) for a, b in zip(curve.xs, curve.ys, strict=True) if math.isfinite(b)]
        parts.append(f'<polyline points="{" ".join(f"{a:.1f},{b:.1f}" for a, b in spots)}"/>')
        for a, low, high in zip(curve.xs, curve.lows, curve.highs, strict=True):
            if named and math.isfinite(low) and math.isfinite(high):
                shift = to_x(a) + (number - 3.5) * 1.2
                parts.append(f'<path class="bar" d="M{shift:.1f} {to_y(low):.1f}V{to_y(high):.1f}"/>')
        parts += [f'<circle cx="{a:.1f}" cy="{b:.1f}" r="3"/>' for a, b in spots] if named else []
        if named and spots:
            height = _free(spots[-1][1], taken)
            taken.append(height)
            parts.append(
                f'<text x="{spots[-1][0] + 9:.1f}" y="{height + 4:.1f}">{escape(_short(curve.label))}</text>'
            )
        parts.append("</g></a>" if named else "</g>")
    return _svg(parts, title)


def _label(text: str, x: float, y: float, *, boxes: list[tuple[float, float, float, float]]) -> str:
    """A label beside its point where it overlaps least with what is drawn already."""
    text = _short(text)
    wide = len(text) * LABEL * 0.53
    aside, middle = (x + 8, x - 8 - wide), x - wide / 2
    spots = [
        *((left, base) for base in (y - 7, y + 17) for left in aside),
        (middle, y - 11),
        (middle, y + 21),
    ]

    def cost(spot: tuple[float, float]) -> float:
        left, base = spot
        box = (left, base - LABEL, left + wide, base + 2)
        outside = max(0.0, LEFT - box[0]) + max(0.0, box[2] - WIDTH) + max(0.0, TOP - 14 - box[1])
        return outside * 50 + sum(_overlap(box, other) for other in boxes)

    left, base = min(spots, key=cost)
    boxes.append((left, base - LABEL, left + wide, base + 2))
    return f'<text x="{left:.1f}" y="{base:.1f}">{escape(text)}</text>'


def _overlap(a: tuple[float, float, float, float], b: tuple[float, float, float, float]) -> float:
    return max(0.0, min(a[2], b[2]) - max(a[0], b[0])) * max(0.0, min(a[3], b[3]) - max(a[1], b[1]))


def _free(height: float, taken: Sequence[float]) -> float:
    """The height nearest to ``height`` that is a line away from all ``taken``."""
    shifts = sorted((step * sign for step in range(0, 30) for sign in (1, -1)), key=abs)
    return next(
        (height + 3.0 * s for s in shifts if all(abs(height + 3.0 * s - t) >= 14 for t in taken)), height
    )


def _short(text: str) -> str:
    return text if len(text) <= 26 else f"{text[:24]}…"


def _svg(parts: Sequence[str], title: str) -> str:
    head = f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="group" aria-label="{escape(title)}">'
    return head + "".join(parts) + "</svg>"
