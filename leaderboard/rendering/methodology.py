"""The methodology page (``how.html``): benchmarks, protocols, intervals, tests and ranks of a board."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ..statistics.cluster_robust import CORRELATION
from ..statistics.design import FEW_EXCEPTIONS, FEW_PEOPLE
from ..store.names import safe_name
from ..tables.board import Board, Column, Table
from ..tables.formatting import COMPOSITE_TITLE, composite_definition, plural, table_title
from .rendering import Page


def methodology_page(board: Board) -> Page:
    """The methodology page of a board, from the declarations of its protocols."""
    columns = {column.id: column for table in board.tables for column in table.columns}
    composites = dict.fromkeys(composite_definition(table) for table in board.tables if table.composite)
    context = {
        "tables": [_benchmark(board, table) for table in board.tables],
        "protocols": [_protocol(board, column) for column in columns.values()],
        "correlation": CORRELATION,
        "few": FEW_PEOPLE,
        "exceptions": FEW_EXCEPTIONS,
        "composite": f"{COMPOSITE_TITLE} points: " + " Elsewhere: ".join(composites)
        if composites
        else "This board has none.",
    }
    return Page("how.html", "how.html", context)


def _benchmark(board: Board, table: Table) -> dict[str, Any]:
    benchmark = table.track
    lines = {
        "set": f"{benchmark.name}, content hash {benchmark.set_hash}",
        "split": benchmark.split,
        "images": f"{benchmark.images:,} of {plural(table.identities, 'person', 'people')}",
        "recipe": benchmark.recipe,
        "LQ images": f"content hash {benchmark.lq_hash}",
        "protocols": ", ".join(column.id for column in table.columns),
    }
    return {
        "slug": table.slug,
        "earlier": [old for old in table.earlier if old not in {other.slug for other in board.tables}],
        "title": table_title(table, board.settings, board.tables),
        "lines": label_lines(lines),
    }


def _protocol(board: Board, column: Column) -> dict[str, Any]:
    protocol = column.protocol
    if protocol is None:
        definition = "This protocol is not declared here. Its numbers are shown as recorded and not ranked."
        return {
            "anchor": anchor(column.id),
            "title": column.id,
            "id": "",
            "definition": definition,
            "lines": [],
        }
    ends = ["" if end is None else f"{end:g}" for end in protocol.bounds]
    value_range = f"{ends[0] or '−∞'} to {ends[1] or '∞'}"
    against = {
        "hq": "the HQ image",
        "lq": "the LQ image",
        "references": "the references",
        "none": "nothing",
        "set": "all HQ images together",
    }
    lines = {
        "better": "higher" if protocol.higher_is_better else "lower",
        "range": f"{value_range}, unit {protocol.unit}" if protocol.unit != "1" else value_range,
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
        "lines": label_lines(lines),
    }


def _weights(board: Board, names: Sequence[str]) -> str:
    """Names of weights with the hashes in the provenance of the records."""
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
    """The anchor of a protocol on the methodology page."""
    return safe_name(protocol_id.replace("/", "-"))


def label_lines(values: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Labels and values as the templates take them."""
    return [{"label": name, "value": value} for name, value in values.items()]
