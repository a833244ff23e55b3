"""Pages of the models: card, scores, slices, comparison with every other model, provenance."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from math import isfinite, isnan
from typing import Any

from ...records.card import Card
from ..rendering.methodology import anchor, label_lines
from ..rendering.rendering import Page
from ..statistics.slices import SliceScores, sliced_columns
from ..tables.board import Board, Cell, Column, Row, Table
from ..tables.formatting import (
    COMPOSITE_TITLE,
    interval_text,
    lacking_note,
    number,
    seconds,
    table_title,
)

Lines = list[dict[str, Any]]


def model_pages(
    board: Board,
    sliced: Mapping[str, Sequence[SliceScores]],
    *,
    records: Mapping[tuple[str, str], Sequence[str]],
    other: Board | None = None,
) -> list[Page]:
    """One page per submission.

    Args:
        board: its tables.
        sliced: scores in slices by the tables' slugs.
        records: addresses of the records below ``records/``, by the table's slug and the row's name.
        other: the same board over the other mean, whose means stand beside; None for none.
    """
    pages = []
    others = {table.slug: table for table in other.tables} if other else {}
    for name, card in sorted(board.cards.items()):
        places = [
            _place(
                board,
                table,
                row,
                other=others.get(table.slug),
                sliced=sliced.get(table.slug, ()),
                records=records,
            )
            for table in board.tables
            for row in (*table.rows, *table.superseded)
            if row.name == name
        ]
        label = next(row.label for t in board.tables for row in (*t.rows, *t.superseded) if row.name == name)
        context = {
            "label": label,
            "card": card,
            "card_lines": _card_lines(card),
            "places": places,
            "model_index": f"../downloads/model-index/{name}.md",
        }
        pages.append(Page(f"models/{name}.html", "model.html", context))
    return pages


def _card_lines(card: Card) -> Lines:
    shown: dict[str, Callable[[Any], str]] = {
        "parameters": "{:,}".format,
        "seconds_per_image": seconds,
        "peak_memory_mib": "{:,.0f} MiB".format,
        "control": lambda is_control: "yes, never ranked" if is_control else "no",
    }
    lines = []
    for name in Card.ORDER:
        value = getattr(card, name)
        if name in ("model", "notes") or (value in ("", None) and name in ("url", "paper", "code")):
            continue
        text = "unknown" if value is None else shown.get(name, str)(value)
        lines.append({"label": name.replace("_", " ").replace(" mib", ""), "value": text})
    return lines


def _place(
    board: Board,
    table: Table,
    row: Row,
    *,
    other: Table | None,
    sliced: Sequence[SliceScores],
    records: Mapping[tuple[str, str], Sequence[str]],
) -> dict[str, Any]:
    ranked = sum(bool(other.rank) for other in table.rows)
    standing = (
        f"rank {row.rank} of {ranked} by {COMPOSITE_TITLE} points ({row.points:.1f})"
        if row.points is not None and row.rank
        else ""
    )
    info = row.record.info
    return {
        "slug": table.slug,
        "title": table_title(table, board.settings, board.tables),
        "standing": standing,
        "flags": row.flags,
        "unranked": row.unranked,
        "lacking": lacking_note(row),
        "by": info.superseded_by,
        "over": table.over,
        "other_over": other.over if other else "",
        "note": table.note,
        "lines": _lines(table, row, other),
        "against": _against(table, row),
        "slices": [_slice(table, row, found) for found in sliced if row in table.rows],
        "provenance": label_lines({"submission": info.submission_hash, **info.provenance}),
        "records": [f"../records/{folder}" for folder in records.get((table.slug, row.name), ())],
    }


def _slice(table: Table, row: Row, sliced: SliceScores) -> dict[str, Any]:
    columns = sliced_columns(table)
    at = table.rows.index(row)
    lines = []
    for k, label in enumerate(sliced.slicing.labels):
        cells = []
        for column in columns:
            mean, low, high = (
                float(part[column.id][k, at]) for part in (sliced.mean, sliced.low, sliced.high)
            )
            interval = interval_text(low, high, column.decimals) if isfinite(high - low) else ""
            text = number(mean, column.decimals) if isfinite(mean) else "–"
            cells.append({"text": text, "interval": interval})
        lines.append({"label": label, "images": sliced.images[k], "cells": cells})
    heads = [f"{column.title} {column.arrow}" for column in columns]
    return {"title": sliced.slicing.title, "heading": sliced.slicing.heading, "heads": heads, "lines": lines}


def _lines(table: Table, row: Row, other: Table | None) -> Lines:
    rows = (*other.rows, *other.superseded) if other else ()
    twin = next((each for each in rows if each.name == row.name), None)
    lines = [_line(column, cell) for column, cell in zip(table.columns, row.cells, strict=True)]
    for line, column, cell in zip(lines, table.columns, twin.cells if twin else (), strict=False):
        is_mean = cell.low is not None
        line["other_value"] = number(cell.value, column.decimals) if is_mean else ""
        line["other_interval"] = interval_text(cell.low, cell.high, column.decimals)
    return lines


def _line(column: Column, cell: Cell) -> dict[str, Any]:
    places = column.decimals
    return {
        "anchor": anchor(column.id),
        "title": column.title,
        "arrow": column.arrow,
        "value": number(cell.value, places),
        "interval": interval_text(cell.low, cell.high, places),
        "other_value": "",
        "other_interval": "",
        "rank": cell.rank or "–",
        "range": f"{cell.best}–{cell.worst}" if cell.rank and cell.best != cell.worst else "",
        "images": cell.images,
        "note": cell.reason,
    }


def _against(table: Table, row: Row) -> dict[str, Any] | None:
    if row.name not in table.compared or len(table.compared) < 2:
        return None
    columns = [column for column in table.columns if column.id in table.comparisons]
    me = table.compared.index(row.name)
    labels = {other.name: other.label for other in table.rows}
    lines = []
    for other, name in enumerate(table.compared):
        if other != me:
            cells = [_versus(table, column, me, other=other) for column in columns]
            lines.append({"name": name, "label": labels[name], "cells": cells})
    return {"heads": [f"{column.title} {column.arrow}" for column in columns], "lines": lines}


def _versus(table: Table, column: Column, me: int, *, other: int) -> dict[str, str]:
    found = table.comparisons[column.id]
    gap, p = float(found.difference[me, other]), float(found.corrected[me, other])
    if isnan(gap):
        return {"text": "–", "p": "", "verdict": ""}
    assert column.protocol is not None
    gain = gap if column.protocol.higher_is_better else -gap
    verdict = "" if not p < 0.05 else "better" if gain > 0 else "worse"
    text = number(gap, column.decimals)
    return {
        "text": text if text.startswith("−") or gap == 0 else f"+{text}",
        "p": "" if isnan(p) else p_text(p),
        "verdict": verdict,
    }


def p_text(p: float) -> str:
    """A p value with at most three decimals."""
    return "p < 0.001" if p < 0.001 else f"p = {p:.3f}" if p < 0.1 else f"p = {p:.2f}"
