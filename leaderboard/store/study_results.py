"""Results of a user study (``study-ID.json``): kept beside the records of its benchmark, printed as text."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from ...errors import InvalidInputError, RefbenchError
from ...files import StrPath, write_json
from .names import label
from .store import Store

STUDY_PREFIX = "study-"


class ModelResult(BaseModel):
    """The votes on one model: log-odds with 95 % interval, share of comparisons won, its group letters."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    score: float
    low: float
    high: float
    won: float
    comparisons: int
    group: str


class MetricResult(BaseModel):
    """How often a metric prefers the image that people preferred: a share with its 95 % interval."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    protocol: str
    agreement: float
    low: float
    high: float


class StudyResult(BaseModel):
    """The results of a user study.

    Attributes:
        study, benchmark, question: as in the key of the study.
        participants: whose votes count.
        excluded: participants who failed the attention checks.
        votes, ties: of those who count.
        alpha: Krippendorff's alpha; None where no trial got two votes.
        models: from most to least preferred.
        metrics: from most to least agreement; empty without the records of all models.
    """

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
    """Write the results of a study beside the records of its benchmark; returns the file.

    Raises:
        InvalidInputError: the store has no record of that benchmark.
    """
    folders = sorted(folder.parent for e in store.of_benchmark(result.benchmark) for folder in e.folders)
    if not folders:
        raise InvalidInputError(f"{store.root} has no record of the benchmark {result.benchmark}")
    path = folders[0] / f"{STUDY_PREFIX}{result.study}.json"
    write_json(path, result.model_dump(mode="json"))
    return path


def read_results(root: StrPath) -> list[StudyResult]:
    """The results of all studies in a store.

    Raises:
        RefbenchError: one of them is not readable.
    """
    root = Path(root)
    results = []
    for path in sorted(root.glob(f"*/{STUDY_PREFIX}*.json")):
        try:
            results.append(StudyResult.model_validate_json(path.read_text("utf-8")))
        except (OSError, ValueError, ValidationError) as error:
            raise RefbenchError(f"{path} is not readable: {error}") from None
    return results


def result_text(result: StudyResult, labels: Mapping[str, str], titles: Mapping[str, str]) -> str:
    """The results of a study as text for a terminal.

    Args:
        result: of the study.
        labels: names of the models for people, by their names in addresses.
        titles: titles of the protocols by id.
    """
    alpha = "" if result.alpha is None else f", agreement (Krippendorff's alpha) {result.alpha:.2f}"
    people = f"{result.participants} participants, {result.excluded} excluded by the attention checks"
    lines = [f"{people}, {result.votes} votes, {result.ties} undecided{alpha}", ""]
    for model in result.models:
        name = labels.get(model.name, model.name)
        bounds = f"{model.low:+.2f} to {model.high:+.2f}"
        won = f"won {model.won:.0%} of {model.comparisons}"
        lines.append(f"{name:32s} {model.score:+.2f}  ({bounds})  {model.group:4s} {won}")
    if result.metrics:
        lines += ["", "how often a metric agrees with the votes of people:"]
        for metric in result.metrics:
            bounds = f"{metric.low:.0%} to {metric.high:.0%}"
            lines.append(
                f"{titles.get(metric.protocol, metric.protocol):40s} {metric.agreement:.0%}  ({bounds})"
            )
    return "\n".join(lines)


def model_labels(store: Store) -> dict[str, str]:
    """Names of the submissions of a store for people, by their names in addresses."""
    return {entry.name: label(entry.record.info.card) for entry in store.stored()}
