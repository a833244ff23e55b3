"""The front page: one table per benchmark, with its figures, pictures and user studies."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ..figures.figures import mode_figures, sweep_figures, table_figures
from ..rendering.downloads import LABELS
from ..rendering.rendering import Page, script_json
from ..rendering.reported import Reported, reported_rows
from ..statistics.slices import SliceScores
from ..store.study_results import StudyResult
from ..tables.board import CONTROL_NOTE, Board, Column, Row, Table
from ..tables.formatting import (
    COMPOSITE_TITLE,
    about,
    composite_definition,
    format_cells,
    lacking_note,
    number,
    plural,
    search_text,
    table_facts,
    table_title,
)
from .album_pages import Hero, disputed_strip
from .pictures import Album

Lines = list[dict[str, Any]]


def board_page(
    board: Board,
    albums: Mapping[str, Album],
    hero: Hero | None,
    *,
    other: Board | None = None,
    sliced: Mapping[str, Sequence[SliceScores]],
    reported: Sequence[Reported],
    studies: Sequence[StudyResult] = (),
) -> Page:
    """The front page of a board.

    Args:
        board: its tables.
        albums: pictures by the tables' slugs.
        hero: the slider at the top; None without pictures.
        other: the same board over the other mean, which the page can be switched to; None for no switch.
        sliced: scores in slices by the tables' slugs.
        reported: published results.
        studies: results of user studies.
    """
    others = {table.slug: table for table in other.tables} if other else {}
    models = {row.card.model for table in board.tables for row in table.rows if not row.card.control}
    sets = {(table.track.name, table.keys): table for table in board.tables}
    images = sum(table.track.images for table in sets.values())
    people = sum(table.identities for table in sets.values())
    protocols = {column.id for table in board.tables for column in table.columns}
    facts = [("models", len(models)), ("images", images), ("people", people), ("metrics", len(protocols))]
    context = {
        "summary": _summary(board),
        "facts": [{"label": name, "value": f"{value:,}"} for name, value in facts],
        "hero": hero,
        "tables": [
            _table(
                board,
                table,
                albums.get(table.slug),
                other=others.get(table.slug),
                sliced=sliced.get(table.slug, ()),
                reported=reported,
                studies=studies,
            )
            for table in board.tables
        ],
        "sweeps": [*mode_figures(board), *sweep_figures(board)],
    }
    return Page("index.html", "index.html", context)


def means_script(table: Table, other: Table) -> str:
    """The script that the front page loads when a table is switched to the other mean.

    For each row of ``table``, in order: the points of ``other`` and its cells, as `FormattedCell.packed`
    gives them; empty where there is one number only.
    """
    views = dict(zip((row.name for row in other.rows), format_cells(other), strict=True))
    twins = {row.name: row for row in other.rows}
    rows = []
    for row in table.rows:
        twin = twins[row.name]
        shown = "" if twin.points is None else f"{twin.points:.1f}"
        points = f"{shown}|{twin.points!r}|{twin.rank}|||--m:{shown}|points" if shown else ""
        rows.append([points, *(cell.packed if cell.interval else "" for cell in views[row.name])])
    target = f"(window.refbenchMeans = window.refbenchMeans || {{}})[{script_json(table.slug)}]"
    return f"{target} = {script_json(rows)};\n"


def _summary(board: Board) -> str:
    if not board.tables:
        return "There are no records yet. Score a submission, then publish again."
    recipes = plural(len({table.track.recipe for table in board.tables}), "degradation")
    return (
        f"Every model restored the same faces from {recipes} and was scored by the same code. "
        "Numbers have 95 % intervals; models that share a letter do not differ significantly."
    )


def _table(
    board: Board,
    table: Table,
    album: Album | None,
    *,
    other: Table | None,
    sliced: Sequence[SliceScores],
    reported: Sequence[Reported],
    studies: Sequence[StudyResult],
) -> dict[str, Any]:
    views = format_cells(table)
    composite = table.composite if any(row.points is not None for row in table.rows) else ()
    return {
        "slug": table.slug,
        "earlier": [old for old in table.earlier if old not in {each.slug for each in board.tables}],
        "title": table_title(table, board.settings, board.tables),
        "facts": table_facts(table),
        "composite": {"title": COMPOSITE_TITLE, "definition": composite_definition(table)}
        if composite
        else None,
        "active": "points" if composite else "0",
        "columns": [_column(table, column, i) for i, column in enumerate(table.columns)],
        "rows": [_row(row, cells) for row, cells in zip(table.rows, views, strict=True)],
        "means": [{"over": each.over, "note": each.note} for each in (table, other) if each],
        "reported": reported_rows(table, reported),
        "superseded": [
            {"name": row.name, "label": row.label, "by": row.record.info.superseded_by}
            for row in table.superseded
        ],
        "downloads": _downloads(table, other),
        "studies": [
            _study(table, found) for found in studies if found.benchmark in (table.track.id, *table.earlier)
        ],
        "plots": table_figures(table, board.settings, sliced),
        "pictures": disputed_strip(table, album),
    }


def _downloads(table: Table, other: Table | None) -> Lines:
    files = [{"label": text, "href": f"downloads/{table.slug}.{suffix}"} for suffix, text in LABELS.items()]
    files.append({"label": "all pairs as CSV", "href": f"downloads/{table.slug}-pairs.csv"})
    if other is not None:
        files.append(
            {"label": f"means over {other.over} as CSV", "href": f"downloads/{table.slug}-{other.over}.csv"}
        )
    return files


def _study(table: Table, result: StudyResult) -> dict[str, Any]:
    """The results of a user study for the front page; the bars share a scale."""
    labels = {row.name: row.label for row in (*table.rows, *table.superseded)}
    titles = {column.id: column.title for column in table.columns}
    ends = [end for model in result.models for end in (model.low, model.high)]
    least, span = min(ends), (max(ends) - min(ends)) or 1.0
    models = [
        {
            "name": model.name,
            "label": labels.get(model.name, model.name),
            "known": model.name in labels,
            "score": number(model.score, 2),
            "interval": f"{number(model.low, 2)} to {number(model.high, 2)}",
            "bar": f"--l:{100 * (model.low - least) / span:.1f};--h:{100 * (model.high - least) / span:.1f}",
            "group": model.group,
            "won": f"{model.won:.0%}",
            "comparisons": model.comparisons,
        }
        for model in result.models
    ]
    metrics = [
        {
            "title": titles[m.protocol],
            "share": f"{m.agreement:.0%}",
            "interval": f"{m.low:.0%} to {m.high:.0%}",
        }
        for m in result.metrics
        if m.protocol in titles
    ]
    facts = [
        plural(result.participants, "participant"),
        plural(result.votes, "vote"),
        f"{result.excluded} excluded by the attention checks",
    ]
    if result.alpha is not None:
        facts.append(f"agreement (Krippendorff's alpha) {result.alpha:.2f}")
    return {"question": result.question, "facts": " · ".join(facts), "models": models, "metrics": metrics}


def _column(table: Table, column: Column, place: int) -> dict[str, Any]:
    scored = table.scored_rows[place]
    notes = [column.id]
    notes += [f"scored on {scored} of {len(table.rows)} models"] if scored < len(table.rows) else []
    notes += [f"an older version of {column.newer}"] if column.newer else []
    upwards = column.protocol is not None and column.protocol.higher_is_better
    return {
        "id": column.id,
        "number": place,
        "title": column.title,
        "arrow": column.arrow,
        "about": "; ".join(notes),
        "first": "descending" if upwards else "ascending",
    }


def _row(row: Row, cells: Sequence[Any]) -> dict[str, Any]:
    return {
        "name": row.name,
        "label": row.label,
        "about": about(row),
        "search": search_text(row),
        "rank": row.rank,
        "range": "",
        "ranked": not row.unranked,
        "control": row.card.control,
        "unranked": [
            reason for reason in (*row.unranked, lacking_note(row)) if reason not in ("", CONTROL_NOTE)
        ],
        "flags": row.flags,
        "points": None if row.points is None else f"{row.points:.1f}",
        "points_exact": repr(row.points),
        "cells": cells,
    }
