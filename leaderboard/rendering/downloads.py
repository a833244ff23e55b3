"""Export of a table as CSV and JSON at full precision, as LaTeX and Markdown with the protocols' decimals."""

from __future__ import annotations

import csv
import io
import json
import re
from typing import Any

import numpy as np

from ...errors import RefbenchError
from ..tables.board import Table
from ..tables.formatting import number

LATEX = {
    "&": r"\&", "%": r"\%", "$": r"\$", "#": r"\#", "_": r"\_", "{": r"\{", "}": r"\}",
    "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "\\": r"\textbackslash{}",
    "↑": r"$\uparrow$", "↓": r"$\downarrow$", "±": r"$\pm$", "–": "--", "−": r"$-$", "é": r"\'e",
}  # fmt: skip
CSV_HEADS = (
    *("benchmark", "model", "version", "team", "protocol", "value", "low", "high", "images"),
    *("rank", "best", "worst", "group", "note", "mean_over"),
)
PAIR_HEADS = (
    *("benchmark", "first", "second", "protocol", "difference"),
    *("p", "p_holm", "low", "high", "mean_over"),
)
FORMULA = ("=", "+", "-", "@", "\t", "\r")


def table_json(table: Table) -> str:
    """The whole table as JSON, with intervals, ranks, groups and reasons, at full precision."""
    content: dict[str, Any] = {
        "benchmark": table.track.model_dump(mode="json")
        | {"id": table.track.id, "protocols": [column.id for column in table.columns]},
        "identities": table.identities,
        "mean_over": table.over,
        "note": table.note,
        "composite": list(table.composite),
        "models": [
            {
                "name": row.name,
                "card": {name: getattr(row.card, name) for name in row.card.ORDER},
                "rank": row.rank or None,
                "points": row.points,
                "holes": list(row.unranked),
                "flags": [flag.model_dump() for flag in row.flags],
                "submission_hash": row.record.info.submission_hash,
                "scores": {
                    column.id: {
                        "value": cell.value,
                        "low": cell.low,
                        "high": cell.high,
                        "images": cell.images,
                        "rank": cell.rank or None,
                        "rank_range": [cell.best, cell.worst] if cell.rank else None,
                        "group": cell.group,
                        "note": cell.reason,
                    }
                    for column, cell in zip(table.columns, row.cells, strict=True)
                },
            }
            for row in table.rows
        ],
    }
    return json.dumps(content, indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def table_csv(table: Table) -> str:
    """One line per model and protocol; text that a spreadsheet would take for a formula is quoted."""
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(CSV_HEADS)
    for row in table.rows:
        for column, cell in zip(table.columns, row.cells, strict=True):
            numbers = ["" if value is None else repr(value) for value in (cell.value, cell.low, cell.high)]
            places = [cell.rank, cell.best, cell.worst] if cell.rank else ["", "", ""]
            texts = [table.track.id, row.card.model, row.card.version, row.card.team, column.id]
            over = table.over if column.id in table.values else ""
            notes = (cell.group, _plain(cell.reason), over)
            writer.writerow([*map(_plain, texts), *numbers, cell.images, *places, *notes])
    return stream.getvalue()


def pairs_csv(table: Table) -> str:
    """One line per pair of ranked models and protocol of both: first minus second with its 95 % interval and
    p, which are of that pair alone, and p after Holm's correction."""
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(PAIR_HEADS)
    for protocol, found in table.comparisons.items():
        for i, first in enumerate(table.compared):
            for j in range(i + 1, len(table.compared)):
                if np.isnan(found.difference[i, j]):
                    continue
                numbers = [
                    matrix[i, j]
                    for matrix in (found.difference, found.p, found.corrected, found.low, found.high)
                ]
                names = map(_plain, (table.track.id, first, table.compared[j], protocol))
                writer.writerow(
                    [
                        *names,
                        *("" if np.isnan(value) else repr(float(value)) for value in numbers),
                        table.over,
                    ]
                )
    return stream.getvalue()


def _plain(text: str) -> str:
    return f"'{text}" if text.startswith(FORMULA) else text


def table_markdown(table: Table) -> str:
    """The table as Markdown, the best of each column in bold."""
    heads = ["Rank", "Model", *(f"{column.title} {column.arrow}".strip() for column in table.columns)]
    lines = [heads, ["---:", ":---", *("---:" for _ in table.columns)]]
    for row in table.rows:
        cells = [
            f"**{text}**" if table.is_best(place, cell) else text
            for place, (cell, text) in enumerate(zip(row.cells, _texts(table, row.cells), strict=True))
        ]
        lines.append([str(row.rank or "–"), re.sub(r"([|*_`<>\[\]\\])", r"\\\1", row.label), *cells])
    return "\n".join(f"| {' | '.join(line)} |" for line in lines) + "\n"


def table_latex(table: Table) -> str:
    """The table as LaTeX (booktabs), the best of each column in bold, protocol ids in comments."""
    heads = [latex(f"{column.title} {column.arrow}".strip()) for column in table.columns]
    rows = [
        r"% " + f"{table.track.id}: {table.track.images} images, {table.identities} identities, "
        f"means over {table.over}",
        *(f"% {column.title}: {column.id}" for column in table.columns),
        r"\begin{tabular}{l" + "r" * len(table.columns) + "}",
        r"\toprule",
        " & ".join(["Model", *heads]) + r" \\",
        r"\midrule",
    ]
    for row in table.rows:
        cells = [
            rf"\textbf{{{latex(text)}}}" if table.is_best(place, cell) else latex(text)
            for place, (cell, text) in enumerate(zip(row.cells, _texts(table, row.cells), strict=True))
        ]
        rows.append(" & ".join([latex(row.label), *cells]) + r" \\")
    return "\n".join([*rows, r"\bottomrule", r"\end{tabular}"]) + "\n"


def latex(text: str) -> str:
    """``text`` with LaTeX's special characters escaped."""
    return "".join(LATEX.get(char, char) for char in text)


def _texts(table: Table, cells: Any) -> list[str]:
    return [number(cell.value, column.decimals) for column, cell in zip(table.columns, cells, strict=True)]


FORMATS = {"csv": table_csv, "json": table_json, "md": table_markdown, "tex": table_latex}
LABELS = {"csv": "CSV", "json": "JSON", "md": "Markdown", "tex": "LaTeX"}


def export_table(table: Table, suffix: str) -> str:
    """A table as text in the format of a file suffix: ``csv``, ``json``, ``md`` or ``tex``.

    Raises:
        RefbenchError: another suffix.
    """
    if suffix not in FORMATS:
        raise RefbenchError(f"a table is written as {', '.join(FORMATS)}; got {suffix!r}")
    return FORMATS[suffix](table)
