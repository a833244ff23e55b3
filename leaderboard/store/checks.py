"""Bringing records into a store, listing them, and checking that a store is what it says."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from pydantic import ValidationError

from ...errors import InvalidInputError, RefbenchError
from ...records.protocol import Protocol
from ...records.record import SCORE_COLUMNS, Record, RecordInfo
from .flags import FLAGS_NAME, read_flags, write_flags

SUPERSEDED = "superseded.json"
CURRENT = 1
Migration = Callable[[dict[str, Any]], dict[str, Any]]
MIGRATIONS: dict[int, Migration] = {}
"""From each older schema version a function to the next; records on disk stay as they were written."""


def read_record(folder: Path) -> Record:
    """Read a record of this or an older schema version from its folder.

    Raises:
        RefbenchError: not a record, or of a version that this code does not know.
    """
    path = folder / "record.json"
    try:
        content = json.loads(path.read_text("utf-8"))
        if not isinstance(content, dict):
            raise ValueError("not a JSON object")
        info = RecordInfo.model_validate(migrate(content))
        return Record(info, pd.read_parquet(folder / "scores.parquet"))
    except (ValidationError, ValueError, OSError) as error:
        raise RefbenchError(f"{folder} is not a readable record: {error}") from None


def migrate(
    content: dict[str, Any], migrations: Mapping[int, Migration] | None = None, current: int = CURRENT
) -> dict[str, Any]:
    """Bring what ``record.json`` says to the current schema version, one version at a time.

    Raises:
        RefbenchError: a version from the future, or one without a way forward.
    """
    steps = MIGRATIONS if migrations is None else migrations
    version = content.get("schema_version", current)
    if not isinstance(version, int) or version > current:
        raise RefbenchError(f"schema version {version} is newer than {current}: update refbench")
    while version < current:
        if version not in steps:
            raise RefbenchError(
                f"schema version {version} is too old: there is no way from it to {version + 1}"
            )
        content = steps[version](dict(content)) | {"schema_version": version + 1}
        version += 1
    return content


def record_folders(path: Path) -> list[Path]:
    """All folders at or below ``path`` that hold a record, in order.

    Raises:
        InvalidInputError: there is none.
    """
    found = sorted(file.parent for file in path.rglob("record.json")) if path.is_dir() else []
    if not found:
        raise InvalidInputError(f"{path}: no record.json at or below it")
    return found


@dataclass(frozen=True, slots=True)
class StoreProblem:
    """Something in a store that is not as it should be."""

    where: str
    what: str


def problems(folder: Path, record: Record, protocols: Mapping[str, Protocol]) -> Iterable[StoreProblem]:
    """What is wrong with one record in itself."""
    where = f"{folder.parent.name}/{folder.name}"
    benchmark, scores = record.info.benchmark, record.scores
    if tuple(scores.columns) != SCORE_COLUMNS:
        yield StoreProblem(where, f"scores.parquet has the columns {', '.join(scores.columns)}")
        return
    if scores.duplicated(["key", "protocol"]).any():
        yield StoreProblem(where, "scores.parquet has an image twice on one protocol")
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


def add_flags(folder: Path, flags: Iterable[Any]) -> bool:
    """Write the flags of a record if there are none yet; True if they were written.

    Raises:
        InvalidInputError: other flags stand there already.
    """
    wanted = tuple(flags)
    if (folder / FLAGS_NAME).is_file():
        if read_flags(folder) != wanted:
            raise InvalidInputError(f"{folder / FLAGS_NAME} says otherwise already; a store is only added to")
        return False
    write_flags(folder, wanted)
    return True
