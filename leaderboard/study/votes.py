"""Analysis of a user study: reading files of votes, attention checks, scores and agreement."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from ...errors import FaultListError, InvalidInputError
from ...files import StrPath, paths_of
from ...records.protocol import Protocol
from ..statistics.bradley_terry import Ballots, agreement_with, fit_preferences, krippendorff_alpha
from ..store.store import Store
from ..store.study_results import MetricResult, ModelResult, StudyResult
from .study import StudyKey, Trial

ATTENTIVE = 0.75
MAX_BYTES = 4 << 20


class Vote(BaseModel):
    """One answer: the side of the trial that was chosen; ``swapped`` if the page exchanged the sides."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    trial: str
    choice: Literal["first", "second", "tie"]
    swapped: bool = False
    seconds: float = Field(default=0.0, ge=0)


class VoteFile(BaseModel):
    """A file of votes, as the page of the study writes it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    schema_version: Literal[1] = 1
    study: str
    participant: str = Field(min_length=1, max_length=200)
    votes: tuple[Vote, ...]


def read_votes(paths: Sequence[StrPath] | StrPath, key: StudyKey) -> list[VoteFile]:
    """Read and check files of votes.

    Raises:
        FaultListError: every faulty file at once: unreadable, of another study, unknown trials, a trial or a
            participant twice.
    """
    paths = paths_of(paths)
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
            faults.append(
                f"{path}: {found.participant!r} has votes already in {by_person[found.participant]}"
            )
        else:
            by_person[found.participant] = path
            files.append(found)
    if faults:
        raise FaultListError("votes", faults, "leave these files out, or ask the participants for a new one")
    return sorted(files, key=lambda found: found.participant)


def _read(path: Path) -> VoteFile:
    if path.stat().st_size > MAX_BYTES:
        raise ValueError("larger than any file of votes")
    return VoteFile.model_validate_json(path.read_text("utf-8"))


def is_attentive(file: VoteFile, key: StudyKey, least: float = ATTENTIVE) -> bool:
    """Whether a participant chose HQ over LQ in at least the share ``least`` of the answered checks."""
    checks = {trial.id: trial for trial in key.trials if trial.check}
    answered = [vote for vote in file.votes if vote.trial in checks]
    right = sum(_chosen(vote, checks[vote.trial]) == "hq" for vote in answered)
    return not answered or right / len(answered) >= least


def _chosen(vote: Vote, trial: Trial) -> str:
    return {"first": trial.first, "second": trial.second, "tie": ""}[vote.choice]


def analyse_votes(
    key: StudyKey,
    files: Sequence[VoteFile],
    store: Store | None = None,
    *,
    protocols: Mapping[str, Protocol] | None = None,
    seed: int = 0,
) -> StudyResult:
    """Bradley-Terry scores of the models from votes, with agreement among people and with metrics.

    Participants who fail the attention checks are excluded and counted.

    Args:
        key: of the study.
        files: of votes.
        store: with the records of all models, for the agreement with metrics; None for none.
        protocols: the metrics, by id.
        seed: of the bootstrap.

    Raises:
        InvalidInputError: no vote is left.
    """
    kept = [file for file in files if is_attentive(file, key)]
    trials = {trial.id: trial for trial in key.trials if not trial.check}
    entries = [
        (i, trials[v.trial], v) for i, file in enumerate(kept) for v in file.votes if v.trial in trials
    ]
    if not entries:
        lost = f"{len(files) - len(kept)} of them failed the attention checks"
        raise InvalidInputError(f"no vote is left of {len(files)} participants, {lost}")
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
        _metrics(
            key,
            [trial for _, trial, _ in entries],
            ballots,
            store=store,
            protocols=protocols or {},
            seed=seed,
        )
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
    *,
    store: Store,
    protocols: Mapping[str, Protocol],
    seed: int,
) -> tuple[MetricResult, ...]:
    scores = {
        entry.name: entry.record.scores.set_index(["protocol", "key"])["value"].to_dict()
        for entry in store.of_benchmark(key.benchmark)
        if entry.name in key.models
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
