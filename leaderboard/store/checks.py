"""Checks of a record in a store: columns, counts, bounds of values, reasons for missing ones."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from ...records.protocol import Protocol
from ...records.record import SCORE_COLUMNS, Record


@dataclass(frozen=True, slots=True)
class StoreProblem:
    """A problem of a store.

    Attributes:
        where: ``BENCHMARK/MODEL@VERSION``.
        what: the problem, in words.
    """

    where: str
    what: str


def form_fault(scores: pd.DataFrame) -> str:
    """What is wrong with the form of a table of scores, in words; empty where it can be worked with."""
    lacking = [name for name in SCORE_COLUMNS if name not in scores.columns]
    if lacking:
        return f"scores.parquet lacks the columns {', '.join(lacking)}"
    for name in SCORE_COLUMNS:
        if name == "value":
            continue
        if not all(isinstance(text, str) for text in scores[name].unique()):
            return f"scores.parquet: {name} holds other values than text"
    if not pd.api.types.is_float_dtype(scores["value"]):
        return f"scores.parquet: value is of the type {scores['value'].dtype}; wanted numbers with a point"
    if np.isinf(scores["value"].to_numpy(dtype=np.float64)).any():
        return "scores.parquet: an infinite value"
    if scores.duplicated(["key", "protocol"]).any():
        return "scores.parquet has an image twice on one protocol"
    return ""


def record_problems(
    folder: Path, record: Record, protocols: Mapping[str, Protocol]
) -> Iterable[StoreProblem]:
    """The problems of one record by itself; bounds are those of the declared protocols."""
    where = f"{folder.parent.name}/{folder.name}"
    benchmark, scores = record.info.benchmark, record.scores
    if fault := form_fault(scores):
        yield StoreProblem(where, fault)
        return
    foreign = sorted(set(scores["protocol"]) - set(benchmark.protocols))
    if foreign:
        yield StoreProblem(
            where, f"scores of protocols that the benchmark does not list: {', '.join(foreign)}"
        )
    for name, rows in scores.groupby("protocol"):
        if len(rows) != benchmark.images:
            yield StoreProblem(where, f"{name}: {len(rows)} rows for {benchmark.images} images")
        yield from _value_problems(where, str(name), rows, protocol=protocols.get(str(name)))
    absent = [
        p for p in benchmark.protocols if p not in set(scores["protocol"]) and p not in record.info.set_scores
    ]
    if absent:
        yield StoreProblem(where, f"no scores of {', '.join(absent)}")
    if scores.groupby("key")["identity"].nunique().gt(1).any():
        yield StoreProblem(where, "an image belongs to two identities")


def _value_problems(
    where: str, name: str, rows: pd.DataFrame, *, protocol: Protocol | None
) -> Iterable[StoreProblem]:
    values = rows["value"].to_numpy(dtype=np.float64)
    missing = np.isnan(values)
    if np.isinf(values).any():
        yield StoreProblem(where, f"{name}: an infinite value")
    unexplained = int((missing & (rows["reason"].astype(str) == "").to_numpy()).sum())
    if unexplained:
        yield StoreProblem(where, f"{name}: {unexplained} missing values without a reason")
    if protocol is None:
        return
    low, high = protocol.bounds
    slack = 1e-6
    outside = (values < low - slack if low is not None else False) | (
        values > high + slack if high is not None else False
    )
    if np.any(outside):
        worst = values[outside][0]
        yield StoreProblem(where, f"{name}: {worst:g} lies outside the protocol's bounds")
