"""Comparison of two records of one submission: equal up to the last digits of network sums, or different."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

import numpy as np
import pandas as pd

from ...records.record import SCORE_COLUMNS, Record, SetScore
from ...source_state import COMMIT, TREE

SAME = 1e-5
"""Largest relative difference of scores that are the same: the last digits of a network's sums depend on the
number of threads and on the device."""

NOT_COMPARED = {COMMIT, TREE}
PACKAGE = "package "
"""Equal scores by another commit of the code, or with other versions of the packages, are the same record."""


def first_difference(held: Record, new: Record) -> str:
    """What differs between two records, in words; empty if they can be of one submission.

    Records of the same protocols are compared whole; others in their images and in the protocols that both
    have. Scores are compared within ``SAME``; in the provenance, versions and the state of the code are left
    out.
    """
    shared = set(held.info.benchmark.protocols) & set(new.info.benchmark.protocols)
    whole = held.info.benchmark == new.info.benchmark
    before, after = (_compared(record, whole) for record in (held, new))
    for name in before:
        if before[name] != after[name]:
            return f"its {name.replace('_', ' ')} differ ({_differing_fields(before[name], after[name])})"
    same = _same_scores(*(_only(record.scores, shared) for record in (held, new)))
    sets = ({n: s for n, s in record.info.set_scores.items() if n in shared} for record in (held, new))
    return "" if same and _same_set_scores(*sets) else "its scores differ"


def _compared(record: Record, whole: bool) -> dict[str, Any]:
    if not whole:
        return {"images": record.info.submission_hash}
    fields = record.info.model_dump(exclude={"set_scores", "superseded_by"})
    provenance = {
        name: value
        for name, value in fields["provenance"].items()
        if name not in NOT_COMPARED and not name.startswith(PACKAGE)
    }
    return fields | {"provenance": provenance}


def _only(scores: pd.DataFrame, protocols: Collection[str]) -> pd.DataFrame:
    return scores[scores["protocol"].isin(protocols)]


def _ordered(scores: pd.DataFrame) -> pd.DataFrame:
    return scores[list(SCORE_COLUMNS)].sort_values(["protocol", "key"], ignore_index=True)


def _same_scores(a: pd.DataFrame, b: pd.DataFrame) -> bool:
    if len(a) != len(b) or a.empty:
        return len(a) == len(b)
    left, right = _ordered(a), _ordered(b)
    texts = all((left[c].astype(str) == right[c].astype(str)).all() for c in SCORE_COLUMNS if c != "value")
    return bool(texts) and _close(left["value"].tolist(), right["value"].tolist())


def _close(a: list[float | None], b: list[float | None]) -> bool:
    left, right = (np.array(values, dtype=np.float64) for values in (a, b))
    return bool(np.allclose(left, right, rtol=SAME, atol=SAME / 10, equal_nan=True))


def _same_set_scores(a: Mapping[str, SetScore], b: Mapping[str, SetScore]) -> bool:
    def without_values(scores: Mapping[str, SetScore]) -> dict[str, SetScore]:
        return {name: score.model_copy(update={"value": None}) for name, score in scores.items()}

    return without_values(a) == without_values(b) and all(
        _close([a[name].value], [b[name].value]) for name in a
    )


def _differing_fields(before: Any, after: Any) -> str:
    if isinstance(before, dict) and isinstance(after, dict):
        keys = before.keys() | after.keys()
        return ", ".join(sorted(key for key in keys if before.get(key) != after.get(key)))
    return f"{str(before)[:16]} and {str(after)[:16]}"
