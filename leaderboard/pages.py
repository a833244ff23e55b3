"""The pages of numbers: the board, the models, and how the numbers were made."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from math import isfinite
from typing import Any

from .album_pages import Hero, disputed_strip
from .board import CONTROL_HOLE, Board, Column, Row, Table
from .downloads import LABELS
from .figures import sweep_figures, table_figures
from .pictures import Album
from .rendering import Page
from .reported import Reported, rows_of
from .slices import Sliced, sliced_columns
from .statistics import DRAWS
from .store import safe_name
from .views import (
    COMPOSITE_TITLE,
    about,
    cell_views,
    composite_definition,
    number,
    plural,
    search_text,
    seconds,
    table_facts,
    table_title,
)
from .votes import StudyResult

Lines = list[dict[str, Any]]


def board_page(
    board: Board,
    albums: Mapping[str, Album],
    hero: Hero | None,
    sliced: Mapping[str, Sequence[Sliced]],
    reported: Sequence[Reported],
    studies: Sequence[StudyResult] = (),
) -> Page:
    """The front page: one table per benchmark; ``sliced`` and ``albums`` are by the tables' slugs."""
    models = {row.card.model for table in board.tables for row in table.rows}
    sets = {table.benchmark.set_hash: table for table in board.tables}
    images = sum(table.benchmark.images for table in sets.values())
    people = sum(table.identities for table in sets.values())
    protocols = {column.id for table in board.tables for column in table.columns}
    facts = [("models", len(models)), ("images", images), ("people", people), ("metrics", len(protocols))]
    told = {
        "summary": _summary(board),
        "facts": [{"label": name, "value": f"{value:,}"} for name, value in facts],
        "hero": hero,
        "tables": [
            _table(board, table, albums.get(table.slug), sliced.get(table.slug, ()), reported)
            | {
                "studies": [
                    _study(table, found) for found in studies if found.benchmark == table.benchmark.id
                ]
            }
            for table in board.tables
        ],
        "sweeps": sweep_figures(board),
    }
    return Page("index.html", "index.html", told)


def _summary(board: Board) -> str:
    if not board.tables:
        return "There is no record yet. Score a submission, then publish again."
    recipes = plural(len({table.benchmark.recipe for table in board.tables}), "degradation")
    return (
        f"Every model restored the same faces from {recipes}, and was measured by the same code. "
        "Intervals say how sure each number is; letters say which models cannot be told apart."
    )


def _table(
    board: Board, table: Table, album: Album | None, sliced: Sequence[Sliced], reported: Sequence[Reported]
) -> dict[str, Any]:
    views = cell_views(table)
    composite = table.composite if any(row.points is not None for row in table.rows) else ()
    return {
        "slug": table.slug,
        "title": table_title(table, board.settings, board.tables),
        "facts": table_facts(table),
        "composite": {"title": COMPOSITE_TITLE, "definition": composite_definition(table)}
        if composite
        else None,
        "active": "points" if composite else "0",
        "columns": [_column(column, i) for i, column in enumerate(table.columns)],
        "rows": [_row(row, cells) for row, cells in zip(table.rows, views, strict=True)],
        "reported": rows_of(table, reported),
        "superseded": [
            {"name": row.name, "label": row.label, "by": row.record.info.superseded_by}
            for row in table.superseded
        ],
        "downloads": _downloads(table),
        "plots": table_figures(table, board.settings, sliced),
        "pictures": disputed_strip(table, album),
    }


def _downloads(table: Table) -> Lines:
    files = [{"label": text, "href": f"downloads/{table.slug}.{suffix}"} for suffix, text in LABELS.items()]
    return [*files, {"label": "all pairs as CSV", "href": f"downloads/{table.slug}-pairs.csv"}]


def _study(table: Table, result: StudyResult) -> dict[str, Any]:
    """What people chose, for the board: bars share one scale."""
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
        f"{result.excluded} left out as inattentive",
    ]
    if result.alpha is not None:
        facts.append(f"agreement (Krippendorff's alpha) {result.alpha:.2f}")
    return {"question": result.question, "facts": " · ".join(facts), "models": models, "metrics": metrics}


def _column(column: Column, place: int) -> dict[str, Any]:
    upwards = column.protocol is not None and column.protocol.higher_is_better
    return {
        "id": column.id,
        "number": place,
        "title": column.title,
        "arrow": column.arrow,
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
        "ranked": not row.holes,
        "control": row.card.control,
        "holes": [hole for hole in row.holes if hole != CONTROL_HOLE],
        "flags": row.flags,
        "points": None if row.points is None else f"{row.points:.1f}",
        "points_exact": repr(row.points),
        "cells": cells,
    }


def model_pages(board: Board, sliced: Mapping[str, Sequence[Sliced]]) -> list[Page]:
    """One page per submission: card, places, comparisons, provenance."""
    pages = []
    for name, card in sorted(board.cards.items()):
        places = [
            _place(board, table, row, sliced.get(table.slug, ()))
            for table in board.tables
            for row in (*table.rows, *table.superseded)
            if row.name == name
        ]
        label = next(row.label for t in board.tables for row in (*t.rows, *t.superseded) if row.name == name)
        told = {
            "label": label,
            "card": card,
            "card_lines": _card_lines(card.model_dump()),
            "places": places,
            "model_index": f"../downloads/model-index/{name}.md",
        }
        pages.append(Page(f"models/{name}.html", "model.html", told))
    return pages


def _card_lines(card: Mapping[str, Any]) -> Lines:
    shown: dict[str, Callable[[Any], str]] = {
        "parameters": "{:,}".format,
        "seconds_per_image": seconds,
        "peak_memory_mib": "{:,.0f} MiB".format,
    }
    lines = []
    for name, value in card.items():
        if name in ("model", "notes") or (value in ("", None) and name in ("url", "paper", "code")):
            continue
        text = "unknown" if value is None else shown.get(name, str)(value)
        lines.append({"label": name.replace("_", " ").replace(" mib", ""), "value": text})
    return lines


def _place(board: Board, table: Table, row: Row, sliced: Sequence[Sliced]) -> dict[str, Any]:
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
        "holes": row.holes,
        "by": info.superseded_by,
        "lines": [_line(column, cell) for column, cell in zip(table.columns, row.cells, strict=True)],
        "against": _against(table, row),
        "slices": [_slice(table, row, found) for found in sliced if row in table.rows],
        "provenance": _pairs({"submission": info.submission_hash, **info.provenance}),
        "record": f"../records/{table.slug}/{row.name}",
    }


def _slice(table: Table, row: Row, sliced: Sliced) -> dict[str, Any]:
    columns = sliced_columns(table)
    at = table.rows.index(row)
    lines = []
    for k, label in enumerate(sliced.slicing.labels):
        cells = []
        for column in columns:
            mean, low, high = (
                float(part[column.id][k, at]) for part in (sliced.mean, sliced.low, sliced.high)
            )
            spread = number((high - low) / 2, column.decimals) if isfinite(high - low) else ""
            text = number(mean, column.decimals) if isfinite(mean) else "–"
            cells.append({"text": text, "spread": spread})
        lines.append({"label": label, "images": sliced.images[k], "cells": cells})
    heads = [f"{column.title} {column.arrow}" for column in columns]
    return {"title": sliced.slicing.title, "heading": sliced.slicing.heading, "heads": heads, "lines": lines}


def _line(column: Column, cell: Any) -> dict[str, Any]:
    places = column.decimals
    has_interval = cell.low is not None and cell.high is not None
    return {
        "anchor": anchor(column.id),
        "title": column.title,
        "arrow": column.arrow,
        "value": number(cell.value, places),
        "interval": f"{number(cell.low, places)} to {number(cell.high, places)}" if has_interval else "",
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
            cells = [_versus(table, column, me, other) for column in columns]
            lines.append({"name": name, "label": labels[name], "cells": cells})
    return {"heads": [f"{column.title} {column.arrow}" for column in columns], "lines": lines}


def _versus(table: Table, column: Column, me: int, other: int) -> dict[str, str]:
    found = table.comparisons[column.id]
    gap, p = float(found.difference[me, other]), float(found.corrected[me, other])
    assert column.protocol is not None
    gain = gap if column.protocol.higher_is_better else -gap
    verdict = "" if p >= 0.05 else "better" if gain > 0 else "worse"
    text = number(gap, column.decimals)
    return {
        "text": text if text.startswith("−") or gap == 0 else f"+{text}",
        "p": p_text(p),
        "verdict": verdict,
    }


def p_text(p: float) -> str:
    """A p value in two figures."""
    return "p < 0.001" if p < 0.001 else f"p = {p:.3f}" if p < 0.1 else f"p = {p:.2f}"


def how_page(board: Board) -> Page:
    """How the numbers were made, from the protocols' own declarations."""
    columns = {column.id: column for table in board.tables for column in table.columns}
    composites = dict.fromkeys(composite_definition(table) for table in board.tables if table.composite)
    told = {
        "tables": [_benchmark(board, table) for table in board.tables],
        "protocols": [_protocol(board, column) for column in columns.values()],
        "draws": DRAWS,
        "composite": f"{COMPOSITE_TITLE} points: " + " Elsewhere: ".join(composites)
        if composites
        else "This board has none.",
    }
    return Page("how.html", "how.html", told)


def _benchmark(board: Board, table: Table) -> dict[str, Any]:
    benchmark = table.benchmark
    lines = {
        "set": f"{benchmark.name}, content hash {benchmark.set_hash}",
        "split": benchmark.split,
        "images": f"{benchmark.images:,} of {plural(table.identities, 'person', 'people')}",
        "recipe": benchmark.recipe,
        "LQ images": f"content hash {benchmark.lq_hash}",
        "protocols": ", ".join(benchmark.protocols),
    }
    return {
        "slug": table.slug,
        "title": table_title(table, board.settings, board.tables),
        "lines": _pairs(lines),
    }


def _protocol(board: Board, column: Column) -> dict[str, Any]:
    protocol = column.protocol
    if protocol is None:
        definition = (
            "No code of this board declares this protocol. Its numbers are shown as recorded and not ranked."
        )
        return {
            "anchor": anchor(column.id),
            "title": column.id,
            "id": "",
            "definition": definition,
            "lines": [],
        }
    ends = ["" if end is None else f"{end:g}" for end in protocol.bounds]
    reach = f"{ends[0] or '−∞'} to {ends[1] or '∞'}"
    against = {
        "hq": "the HQ image",
        "lq": "the LQ image",
        "references": "the references",
        "none": "nothing",
        "set": "all HQ images together",
    }
    lines = {
        "better": "higher" if protocol.higher_is_better else "lower",
        "range": f"{reach}, unit {protocol.unit}" if protocol.unit != "1" else reach,
        "compared with": against[protocol.counterpart],
        "weights": _weights(board, protocol.weights),
        "licence": protocol.licence,
        "source": protocol.citation,
    }
    return {
        "anchor": anchor(protocol.id),
        "title": f"{protocol.title} {column.arrow}",
        "id": protocol.id,
        "definition": protocol.definition,
        "lines": _pairs(lines),
    }


def _weights(board: Board, names: Sequence[str]) -> str:
    """Weights with the hashes that the records say they were scored with."""
    told = []
    for name in names:
        hashes = {
            row.record.info.provenance.get(f"weights {name}", "")
            for table in board.tables
            for row in table.rows
        } - {""}
        told.append(f"{name} (SHA-256 {', '.join(sorted(hashes))})" if hashes else name)
    return ", ".join(told) or "none"


def anchor(protocol_id: str) -> str:
    """A protocol's place on the page of protocols."""
    return safe_name(protocol_id.replace("/", "-"))


def _pairs(values: Mapping[str, Any]) -> Lines:
    return [{"label": name, "value": value} for name, value in values.items()]
