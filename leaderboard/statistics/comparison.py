"""Comparison of two models on their common tracks: paired differences, intervals and tests."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ...errors import RefbenchError
from ...records.protocol import Protocol
from ..estimands import MeanOver, other_mean
from ..store.names import label
from ..store.store import Store, StoredRecord
from ..tables.formatting import number, plural
from .permutation import holm
from .statistics import Difference, means_with_intervals, paired_difference


@dataclass(frozen=True, slots=True)
class ProtocolComparison:
    """Two models on one protocol of one track.

    Attributes:
        benchmark: id of the track, as in names of folders.
        protocol, title, decimals: id, title and decimals of the protocol.
        a, b: means over the images that both have, or over their people, in the protocol's unit.
        difference: A minus B.
        corrected: p after Holm's correction over all lines.
        better: label of the model that is significantly better; empty for neither.
    """

    benchmark: str
    protocol: str
    title: str
    decimals: int
    a: float
    b: float
    difference: Difference
    corrected: float
    better: str


def compare_models(
    store: Store,
    a: str,
    b: str,
    *,
    protocols: Mapping[str, Protocol],
    over: MeanOver = "images",
    alpha: float = 0.05,
) -> list[ProtocolComparison]:
    """Compare two models on the images that both have, on every track and protocol that both have.

    Intervals and p values are those of `paired_difference`; Holm's correction covers all lines.

    Args:
        store: of their records.
        a, b: ``MODEL``, ``MODEL@VERSION`` or the label of a submission.
        protocols: declarations by id, for titles and directions.
        over: what means are taken over: images, or people with equal weights.
        alpha: level of significance.

    Raises:
        RefbenchError: no such model, or no track that both have.
    """
    left, right = ({s.track: s for s in _current(store.find(name))} for name in (a, b))
    shared = [name for name in left if name in right]
    if not shared:
        raise RefbenchError(
            f"{a!r} and {b!r} have no track in common; see: refbench records list {store.root}"
        )
    lines = [line for name in shared for line in _compare(left[name], right[name], protocols, over=over)]
    corrected = holm(np.array([line.difference.p for line in lines], dtype=np.float64))
    return [
        _with_verdict(line, float(p), left, right=right, protocols=protocols, alpha=alpha)
        for line, p in zip(lines, corrected, strict=True)
    ]


def _current(stored: Sequence[StoredRecord]) -> list[StoredRecord]:
    """Sorted so that of several records of a track one that is not superseded comes last."""
    return sorted(stored, key=lambda s: not s.record.info.superseded_by)


def _compare(
    left: StoredRecord, right: StoredRecord, protocols: Mapping[str, Protocol], *, over: MeanOver
) -> list[ProtocolComparison]:
    one, two = (s.record.scores.set_index(["protocol", "key"]) for s in (left, right))
    found = []
    for name in left.record.info.benchmark.protocols:
        if name not in one.index.get_level_values(0) or name not in two.index.get_level_values(0):
            continue
        both = one.loc[name].join(two.loc[name][["value"]], rsuffix="_b", how="inner")
        a, b = (both[c].to_numpy(dtype=np.float64) for c in ("value", "value_b"))
        known = np.isfinite(a) & np.isfinite(b)
        if not known.any():
            continue
        people = both["identity"].to_numpy()
        gap = paired_difference(a, b, people, over=over)
        means = means_with_intervals(np.stack([a, b], axis=1)[known], people[known], over=over).mean
        declared = protocols.get(name)
        found.append(
            ProtocolComparison(
                left.track,
                name,
                declared.title if declared else name,
                declared.decimals if declared else 4,
                float(means[0]),
                float(means[1]),
                gap,
                gap.p,
                "",
            )
        )
    return found


def _with_verdict(
    line: ProtocolComparison,
    corrected: float,
    left: Mapping[str, StoredRecord],
    *,
    right: Mapping[str, StoredRecord],
    protocols: Mapping[str, Protocol],
    alpha: float,
) -> ProtocolComparison:
    declared = protocols.get(line.protocol)
    better = ""
    if declared is not None and corrected < alpha:
        wins = (line.difference.mean > 0) == declared.higher_is_better
        better = label((left if wins else right)[line.benchmark].record.info.card)
    facts = {name: getattr(line, name) for name in ProtocolComparison.__slots__}
    return ProtocolComparison(**facts | {"corrected": corrected, "better": better})


def comparison_rows(lines: Sequence[ProtocolComparison]) -> list[dict[str, Any]]:
    """Comparisons as plain values for JSON; NaN becomes None."""
    return [
        {
            "benchmark": line.benchmark,
            "protocol": line.protocol,
            "mean_over": line.difference.over,
            "a": line.a,
            "b": line.b,
            "difference": line.difference.mean,
            "low": _number(line.difference.low),
            "high": _number(line.difference.high),
            "p": _number(line.difference.p),
            "p_holm": _number(line.corrected),
            "images": line.difference.images,
            "identities": line.difference.identities,
            "effective_identities": line.difference.effective,
            "better": line.better,
            "note": line.difference.note,
        }
        for line in lines
    ]


def _number(value: float) -> float | None:
    return None if np.isnan(value) else value


def comparison_text(lines: Sequence[ProtocolComparison], a: str, b: str) -> str:
    """Comparisons as tables for a terminal, one per benchmark; ``a`` and ``b`` head the columns.

    Below each table stands what its intervals cannot promise.
    """
    blocks = []
    for benchmark in dict.fromkeys(line.benchmark for line in lines):
        mine = [line for line in lines if line.benchmark == benchmark]
        some = mine[0].difference
        head = ("", a, b, "difference", "95 % interval", "p", "p (Holm)", "better")
        rows = [head, *(_row(line) for line in mine)]
        widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
        people = plural(some.identities, "person", "people")
        heading = f"{benchmark}: {plural(some.images, 'image')} of {people}, means over {some.over}"
        body = ["  ".join(_padded(row, widths)).rstrip() for row in rows]
        blocks.append("\n".join([heading, *body, *_notes(mine)]))
    rule = (
        f"Interval and p are of one line alone: p < 0.05 exactly when the interval leaves out 0. p (Holm) is "
        f"corrected for {plural(len(lines), 'line')} and decides which is better. The other mean: --mean "
        f"{other_mean(lines[0].difference.over) if lines else 'people'}."
    )
    return "\n\n".join([*blocks, rule])


def _notes(lines: Sequence[ProtocolComparison]) -> list[str]:
    """What the intervals of a benchmark cannot promise: each note once, with its metrics if not of all."""
    metrics: dict[str, list[str]] = {}
    for line in lines:
        for note in filter(None, line.difference.note.split("; ")):
            metrics.setdefault(note, []).append(line.title)
    return [
        f"note: {note}" if len(titles) == len(lines) else f"note on {', '.join(titles)}: {note}"
        for note, titles in metrics.items()
    ]


def _padded(row: Sequence[str], widths: Sequence[int]) -> list[str]:
    last = len(row) - 1
    pairs = enumerate(zip(row, widths, strict=True))
    return [text.ljust(width) if i in (0, last) else text.rjust(width) for i, (text, width) in pairs]


def _row(line: ProtocolComparison) -> tuple[str, ...]:
    gap, places = line.difference, line.decimals
    has = np.isfinite(gap.low)
    interval = f"{number(gap.low, places)} to {number(gap.high, places)}" if has else "one person only"
    a, b, difference = (number(value, places) for value in (line.a, line.b, gap.mean))
    verdict = line.better or "no significant difference"
    return line.title, a, b, difference, interval, _p(gap.p), _p(line.corrected), verdict


def _p(p: float) -> str:
    return "" if np.isnan(p) else "< 0.001" if p < 0.001 else f"{p:.3f}"
