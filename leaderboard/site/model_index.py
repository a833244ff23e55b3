"""Model-card metadata (``model-index``) for the Hugging Face Hub: one Markdown file per submission."""

from __future__ import annotations

from typing import Any

import yaml

from ..tables.board import Board, Row, Table
from ..tables.formatting import number, table_title


def model_card(board: Board, name: str) -> str:
    """Front matter and tables for the README of a model on the Hub, as Markdown."""
    places = [(table, row) for table in board.tables for row in table.rows if row.name == name]
    shown = places or [(table, row) for table in board.tables for row in table.superseded if row.name == name]
    card = shown[0][1].card
    front: dict[str, Any] = {
        "pipeline_tag": "image-to-image",
        "tags": ["face-restoration", "reference-based", "refbench"],
        "model-index": [{"name": card.model, "results": [_result(board, t, r) for t, r in shown]}],
    }
    head = yaml.safe_dump(front, sort_keys=False, allow_unicode=True, width=100)
    body = [f"# {shown[0][1].label}", ""]
    for table, row in shown:
        body += [f"## {table_title(table, board.settings, board.tables)}", "", *_lines(table, row), ""]
    return f"---\n{head}---\n\n" + "\n".join(body)


def _result(board: Board, table: Table, row: Row) -> dict[str, Any]:
    benchmark = table.track
    metrics = []
    for column, cell in zip(table.columns, row.cells, strict=True):
        if cell.value is not None:
            metric: dict[str, Any] = {"type": column.id, "name": column.title, "value": cell.value}
            if cell.low is not None and cell.high is not None:
                metric["args"] = {
                    "low": cell.low,
                    "high": cell.high,
                    "images": cell.images,
                    "mean_over": table.over,
                }
            metrics.append(metric)
    result: dict[str, Any] = {
        "task": {"type": "image-to-image", "name": "Face restoration with references"},
        "dataset": {
            "type": benchmark.name,
            "name": f"{benchmark.name}, {benchmark.recipe}",
            "config": benchmark.recipe,
            "split": benchmark.split,
            "revision": benchmark.set_hash,
        },
        "metrics": metrics,
    }
    if board.settings.url:
        address = f"{board.settings.url.rstrip('/')}/models/{row.name}.html"
        result["source"] = {"name": board.settings.title, "url": address}
    return result


def _lines(table: Table, row: Row) -> list[str]:
    lines = [f"| metric | mean over {table.over} | 95 % interval | rank |", "| :--- | ---: | ---: | ---: |"]
    for column, cell in zip(table.columns, row.cells, strict=True):
        low, high = (number(end, column.decimals) for end in (cell.low, cell.high))
        interval = f"{low} to {high}" if cell.low is not None else ""
        value = number(cell.value, column.decimals)
        lines.append(
            f"| {column.title} {column.arrow} `{column.id}` | {value} | {interval} | {cell.rank or '–'} |"
        )
    return lines
