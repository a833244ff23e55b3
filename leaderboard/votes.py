"""Files of votes, as participants hand them in, and what a study found."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from ..errors import FaultList, FaultyInput, RefbenchError
from ..files import write_json
from ..metrics.protocol import Protocol
from .preferences import Ballots, agreement_with, fit_preferences, krippendorff_alpha
from .store import Store, label
from .study import StudyKey, Trial

ATTENTIVE = 0.75
MAX_BYTES = 4 << 20
STUDY_PREFIX = "study-"


class Vote(BaseModel):
    """One answer: which side of the trial was chosen, whatever the screen showed it as."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    trial: str
    choice: Literal["first", "second", "tie"]
    swapped: bool = False
    seconds: float = Field(default=0.0, ge=0)


class VoteFile(BaseModel):
    """What a participant saves."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    schema_version: Literal[1] = 1
    study: str
    participant: str = Field(min_length=1, max_length=200)
    votes: tuple[Vote, ...]


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


def read_votes(paths: Sequence[Path], key: StudyKey) -> list[VoteFile]:
    """Read and check files of votes.

    Raises:
        FaultList: every faulty file at once: unreadable, of another study, unknown trials, a trial or a
            participant twice.
    """
    faults: list[str] = []
    files: list[VoteFile] = []
    known = {trial.id for trial in key.trials}
    by_person: dict[str, Path] = {}
    for path in paths:
        try:
            found = _read(path)
        except (OSError, ValueError, ValidationError, RecursionError) as error:
            faults.append(f"{path}: not a file of votes ({str(error).splitlines()[0][:80]})")
            continue
        trials = [vote.trial for vote in found.votes]
        if found.study != key.study:
            faults.append(f"{path}: votes of the study {found.study!r}; wanted {key.study!r}")
        elif unknown := sorted(set(trials) - known):
            faults.append(f"{path}: {len(unknown)} unknown trials, first {unknown[0]!r}")
        elif len(set(trials)) < len(trials):
            faults.append(f"{path}: a trial was answered twice")
        elif found.participant in by_person:
            faults.append(f"{path}: {found.participant!r} voted already in {by_person[found.participant]}")
        else:
            by_person[found.participant] = path
            files.append(found)
    if faults:
        raise FaultList("votes", faults, "leave these files out, or ask the participants for a new one")
    return sorted(files, key=lambda found: found.participant)


def _read(path: Path) -> VoteFile:
    if path.stat().st_size > MAX_BYTES:
        raise ValueError("larger than any file of votes")
    return VoteFile.model_validate_json(path.read_text("utf-8"))


def is_attentive(file: VoteFile, key: StudyKey, least: float = ATTENTIVE) -> bool:
    """True if the participant chose HQ over LQ in enough of the checks that were answered."""
    checks = {trial.id: trial for trial in key.trials if trial.check}
    answered = [vote for vote in file.votes if vote.trial in checks]
    right = sum(_chosen(vote, checks[vote.trial]) == "hq" for vote in answered)
    return not answered or right / len(answered) >= least


def _chosen(vote: Vote, trial: Trial) -> str:
    return {"first": trial.first, "second": trial.second, "tie": ""}[vote.choice]


def analyse(
    key: StudyKey,
    files: Sequence[VoteFile],
    store: Store | None = None,
    protocols: Mapping[str, Protocol] | None = None,
    seed: int = 0,
) -> StudyResult:
    """Turn votes into scores; with a store, also ask how often each metric would have voted the same.

    Participants who fail the checks of attention are left out and counted.

    Raises:
        FaultyInput: no vote is left.
    """
    kept = [file for file in files if is_attentive(file, key)]
    trials = {trial.id: trial for trial in key.trials if not trial.check}
    entries = [
        (i, trials[v.trial], v) for i, file in enumerate(kept) for v in file.votes if v.trial in trials
    ]
    if not entries:
        lost = f"{len(files) - len(kept)} of them inattentive"
        raise FaultyInput(f"no vote is left of {len(files)} participants, {lost}")
    ballots = _ballots(entries, key.models)
    found = fit_preferences(ballots, len(key.models), seed)
    order = np.argsort(-found.score, kind="stable")
    models = tuple(
        ModelResult(
            name=key.models[i],
            score=float(found.score[i]),
            low=float(found.low[i]),
            high=float(found.high[i]),
            won=float(np.nan_to_num(found.won[i])),
            comparisons=int(found.comparisons[i]),
            group=found.groups[i],
        )
        for i in order
    )
    by_trial: dict[str, list[str]] = defaultdict(list)
    for _, trial, vote in entries:
        by_trial[trial.id].append(vote.choice)
    alpha = krippendorff_alpha(list(by_trial.values()))
    metrics = (
        _metrics(key, [trial for _, trial, _ in entries], ballots, store, protocols or {}, seed)
        if store
        else ()
    )
    return StudyResult(
        study=key.study,
        benchmark=key.benchmark,
        question=key.question,
        participants=len(kept),
        excluded=len(files) - len(kept),
        votes=len(entries),
        ties=sum(vote.choice == "tie" for _, _, vote in entries),
        alpha=None if np.isnan(alpha) else alpha,
        models=models,
        metrics=metrics,
    )


def _ballots(entries: Sequence[tuple[int, Trial, Vote]], models: Sequence[str]) -> Ballots:
    place = {name: i for i, name in enumerate(models)}
    items = {name: i for i, name in enumerate(sorted({trial.key for _, trial, _ in entries}))}
    share = {"first": 1.0, "second": 0.0, "tie": 0.5}
    return Ballots(
        np.array([place[trial.first] for _, trial, _ in entries], dtype=np.intp),
        np.array([place[trial.second] for _, trial, _ in entries], dtype=np.intp),
        np.array([share[vote.choice] for _, _, vote in entries], dtype=np.float64),
        np.array([person for person, _, _ in entries], dtype=np.intp),
        np.array([items[trial.key] for _, trial, _ in entries], dtype=np.intp),
    )


def _metrics(
    key: StudyKey,
    trials: Sequence[Trial],
    ballots: Ballots,
    store: Store,
    protocols: Mapping[str, Protocol],
    seed: int,
) -> tuple[MetricResult, ...]:
    scores = {
        entry.name: entry.record.scores.set_index(["protocol", "key"])["value"].to_dict()
        for entry in store.stored()
        if entry.record.info.benchmark.id == key.benchmark and entry.name in key.models
    }
    if set(scores) != set(key.models):
        return ()
    results = []
    for name, protocol in protocols.items():
        sign = 1.0 if protocol.higher_is_better else -1.0
        gaps = [
            sign * (scores[t.first].get((name, t.key), np.nan) - scores[t.second].get((name, t.key), np.nan))
            for t in trials
        ]
        agreement, low, high = agreement_with(ballots, np.array(gaps, dtype=np.float64), seed)
        if np.isfinite(agreement):
            results.append(MetricResult(protocol=name, agreement=agreement, low=low, high=high))
    return tuple(sorted(results, key=lambda result: (-result.agreement, result.protocol)))


def keep_result(store: Store, result: StudyResult) -> Path:
    """Keep what a study found beside the records of its benchmark; returns the file.

    Raises:
        FaultyInput: the store has no record of that benchmark.
    """
    folders = [
        entry.folder.parent for entry in store.stored() if entry.record.info.benchmark.id == result.benchmark
    ]
    if not folders:
        raise FaultyInput(f"{store.root} has no record of the benchmark {result.benchmark}")
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
