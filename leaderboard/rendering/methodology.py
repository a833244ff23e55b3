"""The page that says how the numbers were made, from the protocols' own declarations."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ..statistics.statistics import DRAWS, MIN_BOOTSTRAP_IDENTITIES
from ..store.names import safe_name
from ..tables.board import Board, Column, Table
from ..tables.formatting import COMPOSITE_TITLE, composite_definition, plural, table_title
from .rendering import Page


def methodology_page(board: Board) -> Page:
    """How the numbers were made, from the protocols' own declarations."""
    columns = {column.id: column for table in board.tables for column in table.columns}
    composites = dict.fromkeys(composite_definition(table) for table in board.tables if table.composite)
    context = {
        "tables": [_benchmark(board, table) for table in board.tables],
        "protocols": [_protocol(board, column) for column in columns.values()],
        "draws": DRAWS,
        "few": MIN_BOOTSTRAP_IDENTITIES,
        "composite": f"{COMPOSITE_TITLE} points: " + " Elsewhere: ".join(composites)
        if composites
        else "This board has none.",
    }
    return Page("how.html", "how.html", context)


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
        "lines": as_lines(lines),
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
        "compared with": against[protocol.compared_with],
        "weights": _weights(board, protocol.weights),
        "licence": protocol.licence,
        "source": protocol.citation,
    }
    return {
        "anchor": anchor(protocol.id),
        "title": f"{protocol.title} {column.arrow}",
        "id": protocol.id,
        "definition": protocol.definition,
        "lines": as_lines(lines),
    }


def _weights(board: Board, names: Sequence[str]) -> str:
    """Weights with the hashes that the records say they were scored with."""
    named = []
    for name in names:
        hashes = {
            row.record.info.provenance.get(f"weights {name}", "")
            for table in board.tables
            for row in table.rows
        } - {""}
        named.append(f"{name} (SHA-256 {', '.join(sorted(hashes))})" if hashes else name)
    return ", ".join(named) or "none"


def anchor(protocol_id: str) -> str:
    """A protocol's place on the page of protocols."""
    return safe_name(protocol_id.replace("/", "-"))


def as_lines(values: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Labels and values, as the templates read them."""
    return [{"label": name, "value": value} for name, value in values.items()]
