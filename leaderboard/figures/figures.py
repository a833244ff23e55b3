"""Figures of a board: quality against identity and time, and curves over slices, references and severity."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ...degradations.recipes.severity import severity_level
from ...records.evaluation_modes import ALL, WRONG
from ..rendering.rendering import trusted_markup
from ..statistics.slices import SliceScores
from ..store.settings import BoardSettings
from ..tables.board import Board, Cell, Column, Row, Table
from ..tables.formatting import plural, table_title
from .axes import Axis
from .plots import Line, Point, lines, scatter

CURVES = ("references", "downscale-by", "jpeg-quality", "sharpness")
MIN_IMAGES = 8
IDENTITY = "ids"
QUALITY = ("lpips", "dists", "ssim", "psnr")
"""Families of protocols that stand for quality in figures, the preferred first."""

Figure = dict[str, Any]


def table_figures(table: Table, settings: BoardSettings, sliced: Sequence[SliceScores]) -> list[Figure]:
    """The figures below a table: SVG and caption of each."""
    figures = [_pair_figure(table, across, up) for across, up in _pairs(table, settings)]
    quality = _quality(table)
    if quality is not None:
        figures.append(_time_figure(table, quality))
    figures.append(_reference_figure(table))
    by_name = {found.slicing.name: found for found in sliced}
    found = [_curve_figure(table, by_name[name]) for name in CURVES if name in by_name]
    curves = [figure for figure in found if figure is not None]
    return [figure for figure in [*figures, *curves[:2]] if figure is not None]


def _pairs(table: Table, settings: BoardSettings) -> list[tuple[Column, Column]]:
    by_id = {column.id: column for column in table.columns}
    named = [(by_id[a], by_id[b]) for a, b in settings.plots if a in by_id and b in by_id]
    identity, quality = _identity(table), _quality(table)
    return named or ([(identity, quality)] if identity and quality else [])


def _identity(table: Table) -> Column | None:
    """The first column of identity similarity to HQ."""
    return next((column for column in table.columns if column.family == IDENTITY), None)


def _quality(table: Table) -> Column | None:
    """The first column of single images of the first family in ``QUALITY``."""
    found = [column for column in table.columns if column.id in table.values]
    return next((column for family in QUALITY for column in found if column.family == family), None)


def _axis(column: Column, log: bool = False) -> Axis:
    assert column.protocol is not None
    return Axis(column.title, column.protocol.higher_is_better, log)


def _ranked(table: Table) -> list[Row]:
    return [row for row in table.rows if not row.unranked]


def _cell(table: Table, row: Row, column: Column) -> Cell:
    """The row's number on a protocol; none where the table has no such column."""
    pairs = zip(table.columns, row.cells, strict=True)
    return next((cell for other, cell in pairs if other.id == column.id), Cell(None))


def _bounds(cell: Cell) -> tuple[float, float]:
    assert cell.value is not None
    low, high = cell.low, cell.high
    return (cell.value if low is None else low, cell.value if high is None else high)


def _pair_figure(table: Table, across: Column, up: Column) -> Figure | None:
    points = []
    for row in _ranked(table):
        x, y = _cell(table, row, across), _cell(table, row, up)
        if x.value is not None and y.value is not None:
            points.append(
                Point(row.label, f"models/{row.name}.html", x.value, y.value, _bounds(x), _bounds(y))
            )
    if len(points) < 2:
        return None
    title = f"{up.title} against {across.title}"
    caption = (
        f"{title}: means over {table.over} with 95 % intervals. The line is the Pareto front: no model beats "
        "these on both."
    )
    return {"svg": trusted_markup(scatter(points, _axis(across), _axis(up), title=title)), "caption": caption}


def _time_figure(table: Table, up: Column) -> Figure | None:
    points = []
    for row in _ranked(table):
        took, y = row.card.seconds_per_image, _cell(table, row, up)
        if took and y.value is not None:
            points.append(
                Point(row.label, f"models/{row.name}.html", took, y.value, (took, took), _bounds(y))
            )
    if len(points) < 2 or len({p.x for p in points}) < 2:
        return None
    title = f"{up.title} against time"
    caption = (
        f"{title} per image, as each team states it, on its own hardware; means over {table.over} with 95 % "
        "intervals. The line is the Pareto front."
    )
    return {
        "svg": trusted_markup(
            scatter(points, Axis("Seconds per image", False, True), _axis(up), title=title)
        ),
        "caption": caption,
    }


def _curve_figure(table: Table, sliced: SliceScores) -> Figure | None:
    slicing = sliced.slicing
    column = _identity(table) if slicing.name == "references" else _quality(table)
    if not slicing.places or column is None or column.id not in sliced.mean:
        return None
    kept = [i for i, images in enumerate(sliced.images) if images >= MIN_IMAGES]
    rows = [i for i, row in enumerate(table.rows) if not row.unranked]
    if len(kept) < 2 or not rows:
        return None
    places = tuple(slicing.places[i] for i in kept)
    curves = []
    for i in rows:
        values = [
            tuple(float(part[column.id][slot, i]) for slot in kept)
            for part in (sliced.mean, sliced.low, sliced.high)
        ]
        row = table.rows[i]
        curves.append(Line(row.label, f"models/{row.name}.html", places, *values))
    title = f"{column.title} by {slicing.title}"
    labels = {slicing.places[i]: slicing.labels[i] for i in kept}
    counts = ", ".join(f"{sliced.images[i]:,}" for i in kept)
    left = sum(sliced.images) - sum(sliced.images[i] for i in kept)
    rest = f" {plural(left, 'image')} in smaller groups left out." if left else ""
    caption = f"{title}: means over {table.over} with 95 % intervals. Images per point: {counts}.{rest}"
    svg = lines(curves, Axis(slicing.heading, None), _axis(column), title=title, tick_labels=labels)
    return {"svg": trusted_markup(svg), "caption": caption}


def _reference_figure(table: Table) -> Figure | None:
    """Models that were submitted with three or more numbers of references, as curves over that number."""
    column = _identity(table)
    if column is None:
        return None
    runs: dict[str, dict[int, Row]] = {}
    for row in _ranked(table):
        if row.card.references_used is not None:
            runs.setdefault(row.card.model, {})[row.card.references_used] = row
    curves = []
    for model, by_count in sorted(runs.items()):
        cells = {count: _cell(table, by_count[count], column) for count in sorted(by_count)}
        known = [
            (float(count), cell.value, *_bounds(cell))
            for count, cell in cells.items()
            if cell.value is not None
        ]
        if len(known) > 2:
            xs, ys, lows, highs = (tuple(part) for part in zip(*known, strict=True))
            best = by_count[max(by_count)]
            curves.append(Line(model, f"models/{best.name}.html", xs, ys, lows, highs))
    if not curves:
        return None
    title = f"{column.title} by references used"
    caption = (
        f"{title}: one submission for each number of references, means over {table.over} with 95 % intervals."
    )
    svg = lines(curves, Axis("References used", None), _axis(column), title=title)
    return {"svg": trusted_markup(svg), "caption": caption}


def mode_figures(board: Board) -> list[Figure]:
    """One figure per set and recipe with several evaluation modes: the gain from references."""
    groups: dict[tuple[str, ...], dict[str, Table]] = {}
    for table in board.tables:
        its = table.track
        group = (its.name, its.split, its.recipe, its.lq_hash)
        groups.setdefault(group, {})[its.references] = table
    figures = [_mode_figure(by_mode) for by_mode in groups.values() if len(by_mode) > 1]
    return [figure for figure in figures if figure is not None]


def _mode_figure(by_mode: Mapping[str, Table]) -> Figure | None:
    counts = sorted(int(mode) for mode in by_mode if mode.isdecimal())
    order = [WRONG, *map(str, counts), ALL]
    places = {mode: float(place) for place, mode in enumerate(mode for mode in order if mode in by_mode)}
    first = next(iter(by_mode.values()))
    column = _identity(first) or _quality(first)
    if column is None:
        return None
    curves: dict[str, list[tuple[float, float, float, float]]] = {}
    pages: dict[str, str] = {}
    for mode, place in places.items():
        for row in by_mode[mode].rows:
            cell = _cell(by_mode[mode], row, column)
            if cell.value is not None:
                curves.setdefault(row.label, []).append((place, cell.value, *_bounds(cell)))
                pages[row.label] = f"models/{row.name}.html"
    drawn = [
        Line(label, pages[label], *(tuple(part) for part in zip(*points, strict=True)))
        for label, points in sorted(curves.items())
        if len(points) > 1
    ]
    if not drawn:
        return None
    title = f"{column.title} by references given"
    labels = {place: mode for mode, place in places.items()}
    caption = (
        f"{title}: references of another person (wrong), the first ones only (a number), or all; "
        f"means over {first.over} with 95 % intervals."
    )
    svg = lines(drawn, Axis("References given", None), _axis(column), title=title, tick_labels=labels)
    return {"svg": trusted_markup(svg), "caption": caption}


def sweep_figures(board: Board) -> list[Figure]:
    """One figure per set with three or more levels of a severity sweep."""
    groups: dict[str, list[tuple[float, Table]]] = {}
    for table in board.tables:
        level = severity_level(table.recipe)
        if level is not None:
            groups.setdefault(table.track.set_hash, []).append((level, table))
    figures = [
        _sweep_figure(board, sorted(group, key=lambda pair: pair[0]))
        for group in groups.values()
        if len(group) > 2
    ]
    return [figure for figure in figures if figure is not None]


def _sweep_figure(board: Board, levels: Sequence[tuple[float, Table]]) -> Figure | None:
    column = _identity(levels[0][1]) or _quality(levels[0][1])
    if column is None:
        return None
    names = {row.name: row.label for _, table in levels for row in _ranked(table)}
    curves = []
    for name, label in sorted(names.items(), key=lambda item: item[1]):
        spots = [
            (level, _cell(table, row, column))
            for level, table in levels
            for row in _ranked(table)
            if row.name == name and column in table.columns
        ]
        known = [(level, cell.value, *_bounds(cell)) for level, cell in spots if cell.value is not None]
        if len(known) > 1:
            xs, ys, lows, highs = (tuple(part) for part in zip(*known, strict=True))
            curves.append(Line(label, f"models/{name}.html", xs, ys, lows, highs))
    if not curves:
        return None
    title = f"{column.title} along the severity sweep"
    level_titles = ", ".join(table_title(t, board.settings, board.tables) for _, t in levels)
    caption = f"{title}: {level_titles}; means over {levels[0][1].over} with 95 % intervals."
    return {
        "svg": trusted_markup(lines(curves, Axis("Severity", None), _axis(column), title=title)),
        "caption": caption,
    }
