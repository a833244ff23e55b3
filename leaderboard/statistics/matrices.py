"""Scores of the records of one track as matrices (images, records), and the missing scores of each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from ...records.record import Record
from ..arrays import Floats
from ..store.store import StoredRecord
from ..tables.board import Column


def find_keys(records: Sequence[Record]) -> tuple[tuple[str, ...], dict[str, str]]:
    """All keys in order, and the identity of each."""
    identity_of: dict[str, str] = {}
    for record in records:
        pairs = record.scores[["key", "identity"]].drop_duplicates()
        identity_of.update(zip(pairs["key"].astype(str), pairs["identity"].astype(str), strict=True))
    keys = tuple(sorted(identity_of))
    return keys, {key: identity_of[key] for key in keys}


def score_matrices(records: Sequence[Record], ids: Sequence[str], keys: Sequence[str]) -> dict[str, Floats]:
    """For each protocol of single images its values, (images, records), NaN where not scored."""
    place = {key: number for number, key in enumerate(keys)}
    values: dict[str, Floats] = {}
    for number, record in enumerate(records):
        for name, rows in record.scores.groupby("protocol", sort=False):
            if name not in ids:
                continue
            matrix = values.setdefault(str(name), np.full((len(keys), len(records)), np.nan))
            matrix[rows["key"].map(place).to_numpy(), number] = rows["value"].to_numpy(dtype=np.float64)
    return values


def missing_scores(
    stored: Sequence[StoredRecord], values: Mapping[str, Floats], columns: Sequence[Column]
) -> list[tuple[str, ...]]:
    """The missing scores of each record, as lines of text.

    An image that no record has a score for on a protocol is not counted against a model, unless the record
    lacks that image on every protocol. A protocol that a record was not scored on at all is no missing score.
    """
    found: list[tuple[str, ...]] = []
    scored = {name: np.isfinite(matrix) for name, matrix in values.items()}
    for number, entry in enumerate(stored):
        mine = [scored[name] for name in entry.record.info.benchmark.protocols if name in scored]
        absent = np.zeros(len(next(iter(scored.values()))) if scored else 0, dtype=bool)
        if mine:
            absent = ~np.any([matrix[:, number] for matrix in mine], axis=0)
        lines = []
        if absent.any():
            lines.append(
                f"{int(absent.sum())} of {len(absent)} images unscored: {_common_reason(entry.record)}"
            )
        for column in columns:
            if column.id in scored and column.id in entry.record.info.benchmark.protocols:
                lost = scored[column.id].any(axis=1) & ~scored[column.id][:, number] & ~absent
                if lost.any():
                    reason = _common_reason(entry.record, column.id)
                    lines.append(
                        f"{column.title}: {int(lost.sum())} of {len(lost)} images unscored: {reason}"
                    )
        found.append(tuple(lines))
    return found


def _common_reason(record: Record, protocol: str | None = None) -> str:
    rows = record.scores[record.scores["value"].isna()]
    if protocol is not None:
        rows = rows[rows["protocol"] == protocol]
    reasons = rows["reason"].astype(str)
    counts = reasons[reasons != ""].value_counts()
    if counts.empty:
        return "no reason was recorded"
    return str(min(counts[counts == counts.max()].index))
