"""Listing of the catalogue: facts of each protocol, missing weights, and the table in docs/metrics.md."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from ..files import write_text
from ..records.protocol import Protocol
from .catalogue import METRICS, OFFLINE
from .core.metric import Metric
from .requirements import missing as missing
from .requirements import needs

BEGIN, END = "<!-- protocols: begin -->", "<!-- protocols: end -->"


def facts(metric: Metric) -> dict[str, Any]:
    """All fields of a protocol as plain values, what is missing, what it needs, if it is a default.

    ``counterpart`` repeats ``compared_with`` under its name in 0.1, for programs that read the JSON.
    """
    protocol = metric.protocol
    return {
        **{name: getattr(protocol, name) for name in Protocol.__slots__},
        "counterpart": protocol.compared_with,
        "bounds": list(protocol.bounds),
        "weights": list(protocol.weights),
        "missing": missing(metric),
        "needs": list(needs(metric)),
        "default": protocol.id in OFFLINE,
    }


def bounds_text(protocol: Protocol) -> str:
    """The range in words, for instance ``0 to 1`` or ``0 and above``."""
    low, high = protocol.bounds
    if low is None:
        return "any" if high is None else f"up to {high:g}"
    return f"{low:g} and above" if high is None else f"{low:g} to {high:g}"


def protocols_markdown(metrics: Iterable[Metric] | None = None) -> str:
    """The catalogue as a Markdown table, between the two comments that mark its place in a document."""
    head = "| id | title | better | unit | range | against | weights | definition | licence |"
    rows = [head, "|" + " --- |" * (head.count("|") - 1)]
    for metric in metrics if metrics is not None else METRICS.values():
        protocol = metric.protocol
        mark = " **(default)**" if protocol.id in OFFLINE else ""
        cells = (
            f"`{protocol.id}`{mark}",
            protocol.title,
            "higher" if protocol.higher_is_better else "lower",
            protocol.unit,
            bounds_text(protocol),
            protocol.compared_with,
            ", ".join(f"`{name}`" for name in protocol.weights) or "none",
            protocol.definition,
            protocol.licence,
        )
        rows.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
    return "\n".join([BEGIN, *rows, END])


def with_table(text: str) -> str:
    """A document with the table between its marks brought up to date."""
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    return before + protocols_markdown() + after


def main() -> None:
    """Bring the table in the named documents up to date."""
    for name in sys.argv[1:]:
        path = Path(name)
        write_text(path, with_table(path.read_text("utf-8")))


if __name__ == "__main__":
    main()
