"""Results published in papers: shown with their sources, never ranked with measured results.

``published/results.csv`` holds the published tables; a store may add its own ``reported.csv`` with the same
columns: method, references, test_set, metric, value, images, source, note.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

from ...errors import FaultListError
from ...text_files import parse_csv, read_text
from ..tables.board import Board, Column, Table
from ..tables.formatting import number, plural
from .rendering import Page

COLUMNS = ("method", "references", "test_set", "metric", "value", "images", "source", "note")
OWN_NAME = "reported.csv"
LOWER_IS_BETTER = frozenset({"LPIPS", "fLPIPS", "FID", "NIQE"})
DECIMALS = {"FID": 2, "NIQE": 2}
SAME_PROTOCOL = {
    "IDS": ("ids/arcface-r50-webface-centercrop-v2", "ids/arcface-r50-webface-centercrop-v1"),
    "LPIPS": ("lpips/vgg-v0.1",),
    "fLPIPS": ("flpips/vgg-v0.1-parsenet", "flpips/vgg-v0.1-set-masks"),
    "FID": ("fid/inception-clean-ffhq70k-512",),
}
TEST_SETS = {
    "FFHQ-Ref-Severe": ("ffhq-ref", "refldm-severe"),
    "FFHQ-Ref-Moderate": ("ffhq-ref", "refldm-moderate"),
}


@dataclass(frozen=True, slots=True)
class Reported:
    """One published number.

    Attributes:
        method, references, test_set, metric: as the paper names them.
        value: as printed.
        images: number of test images.
        source: of the number, for instance ``arXiv:1234.56789``.
        note: ``ablation``, or empty.
    """

    method: str
    references: str
    test_set: str
    metric: str
    value: float
    images: int
    source: str
    note: str


def read_reported(store: Path | None = None) -> list[Reported]:
    """The published numbers of the package, then those of the store's ``reported.csv``.

    Raises:
        FaultListError: every faulty line of the store's file at once.
        UnreadableTextError: the file cannot be read as text.
    """
    text = resources.files(__package__).joinpath("published", "results.csv").read_text("utf-8")
    found = _parse(text, "published/results.csv")
    own = store / OWN_NAME if store else None
    if own is not None and own.is_file():
        found += _parse(read_text(own), str(own))
    return found


def _parse(text: str, name: str) -> list[Reported]:
    rows, faults = [], []
    table = parse_csv(text, name, COLUMNS, optional=())
    for row in table.rows:
        cells = row.cells
        try:
            value, images = table.number(cells["value"]), int(cells["images"])
        except ValueError:
            got = f"{cells['value']!r} and {cells['images']!r}"
            faults.append(f"line {row.number}: value and images must be numbers; got {got}")
            continue
        texts = {key: cells[key] for key in ("method", "references", "test_set", "metric", "source", "note")}
        rows.append(Reported(value=value, images=images, **texts))
    if faults:
        raise FaultListError(name, faults)
    return rows


def reported_rows(table: Table, reported: Sequence[Reported]) -> list[dict[str, Any]]:
    """Published rows below a table: of the same test set by name, in columns of the same protocol."""
    fitting = [r for r in reported if _is_same_set(table, r.test_set) and r.note != "ablation"]
    rows = []
    for method in dict.fromkeys(r.method for r in fitting):
        mine = [r for r in fitting if r.method == method]
        cells = [_cell(column, mine) for column in table.columns]
        if any(cells):
            short = next((r.images for r in mine if r.images != table.track.images), None)
            about = [_references(mine[0].references), mine[0].source]
            if short:
                about.append(plural(short, "image"))
            rows.append(
                {"label": method, "about": " · ".join(about), "search": f" {method.lower()}", "cells": cells}
            )
    return rows


def _is_same_set(table: Table, test_set: str) -> bool:
    known = TEST_SETS.get(test_set)
    name = re.sub(r"[^a-z0-9]+", "-", table.track.name.lower()).strip("-")
    return known is not None and (name, table.recipe) == known


def _cell(column: Column, rows: Sequence[Reported]) -> str:
    same = (r for r in rows if column.id in SAME_PROTOCOL.get(r.metric, ()))
    return next((number(r.value, DECIMALS.get(r.metric, 3)) for r in same), "")


def _references(text: str) -> str:
    return "no references" if text == "0" else "1 reference" if text == "1" else f"{text} references"


def reported_page(board: Board, reported: Sequence[Reported]) -> Page:
    """The page of published results: one table per test set, ablations apart."""
    groups = []
    for test_set in dict.fromkeys(r.test_set for r in reported):
        for is_ablation in (False, True):
            rows = [r for r in reported if r.test_set == test_set and (r.note == "ablation") is is_ablation]
            if rows:
                groups.append(_group(test_set + (", ablations" if is_ablation else ""), rows))
    return Page("reported.html", "reported.html", {"groups": groups})


def _group(title: str, rows: Sequence[Reported]) -> dict[str, Any]:
    metrics = list(dict.fromkeys(r.metric for r in rows))
    usual = max((r.images for r in rows), default=0)
    lines = []
    for method, source in dict.fromkeys((r.method, r.source) for r in rows):
        mine = {r.metric: r for r in rows if (r.method, r.source) == (method, source)}
        some = next(iter(mine.values()))
        values = [mine[m].value if m in mine else None for m in metrics]
        cells = [number(v, DECIMALS.get(m, 3)) for v, m in zip(values, metrics, strict=True)]
        note = "" if some.images == usual else f"on {some.images} of {usual} images"
        lines.append(
            {
                "method": method,
                "references": _references(some.references),
                "cells": cells,
                "source": source,
                "href": _link(source),
                "note": note,
            }
        )
    heads = [f"{m} {'↓' if m in LOWER_IS_BETTER else '↑'}" for m in metrics]
    return {"title": title, "heads": heads, "lines": lines}


def _link(source: str) -> str:
    found = re.match(r"arXiv:(\d{4}\.\d{4,5})", source)
    return f"https://arxiv.org/abs/{found.group(1)}" if found else ""
