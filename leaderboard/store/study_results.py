"""What a user study found: kept beside the records of its benchmark, told on a terminal."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from ...errors import InvalidInputError, RefbenchError
from ...files import write_json
from .store import Store, label

STUDY_PREFIX = "study-"


class ModelResult(BaseModel):
    """What people said of one model: log-odds with interval, share of comparisons won, group letters."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    score: float
    low: float
    high: float
    won: float
    comparisons: int
    group: str


class MetricResult(BaseModel):
    """How often a metric would have voted as people did."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    protocol: str
    agreement: float
    low: float
    high: float


class StudyResult(BaseModel):
    """What a study found, as kept beside the records of its benchmark."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    schema_version: Literal[1] = 1
    study: str
    benchmark: str
    question: str
    participants: int
    excluded: int
    votes: int
    ties: int
    alpha: float | None
    models: tuple[ModelResult, ...]
    metrics: tuple[MetricResult, ...]


def save_result(store: Store, result: StudyResult) -> Path:
    """Keep what a study found beside the records of its benchmark; returns the file.

    Raises:
        InvalidInputError: the store has no record of that benchmark.
    """
    folders = [
        entry.folder.parent for entry in store.stored() if entry.record.info.benchmark.id == result.benchmark
    ]
    if not folders:
        raise InvalidInputError(f"{store.root} has no record of the benchmark {result.benchmark}")
    path = folders[0] / f"{STUDY_PREFIX}{result.study}.json"
    write_json(path, result.model_dump(mode="json"))
    return path


def read_results(root: Path) -> list[StudyResult]:
    """What studies found, from the files in a store.

    Raises:
        RefbenchError: one of them is not readable.
    """
    results = []
    for path in sorted(root.glob(f"*/{STUDY_PREFIX}*.json")):
        try:
            results.append(StudyResult.model_validate(json.loads(path.read_text("utf-8"))))
        except (OSError, ValueError, ValidationError) as error:
            raise RefbenchError(f"{path} is not readable: {error}") from None
    return results


def result_text(result: StudyResult, labels: Mapping[str, str], titles: Mapping[str, str]) -> str:
    """What a study found, for a terminal."""
    alpha = "" if result.alpha is None else f", agreement (Krippendorff's alpha) {result.alpha:.2f}"
    people = f"{result.participants} participants, {result.excluded} left out as inattentive"
    lines = [f"{people}, {result.votes} votes, {result.ties} undecided{alpha}", ""]
    for model in result.models:
        name = labels.get(model.name, model.name)
        bounds = f"{model.low:+.2f} to {model.high:+.2f}"
        won = f"won {model.won:.0%} of {model.comparisons}"
        lines.append(f"{name:32s} {model.score:+.2f}  ({bounds})  {model.group:4s} {won}")
    if result.metrics:
        lines += ["", "how often a metric would have voted as people did:"]
        for metric in result.metrics:
            bounds = f"{metric.low:.0%} to {metric.high:.0%}"
            lines.append(
                f"{titles.get(metric.protocol, metric.protocol):40s} {metric.agreement:.0%}  ({bounds})"
            )
    return "\n".join(lines)


def model_labels(store: Store) -> dict[str, str]:
    """How people name the submissions of a store, by their names in addresses."""
    return {entry.name: label(entry.record.info.card) for entry in store.stored()}
