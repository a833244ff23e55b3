"""The record store: an append-only folder of records, fit for git and readable without this code.

``STORE/BENCHMARK/MODEL@VERSION/`` holds ``record.json`` and ``scores.parquet``, as `metrics.record.Record`
writes them. What is learnt later is added beside them, never changed in them: ``flags.json`` (see
`leaderboard.copies`, `leaderboard.overlap`) and ``superseded.json``.
"""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ...errors import InvalidInputError, RefbenchError
from ...files import sha256_bytes, write_json
from ...records.card import Card
from ...records.protocol import Protocol
from ...records.record import SCORE_COLUMNS, Record, SetScore
from .checks import SUPERSEDED, StoreProblem, add_flags, problems, read_record, record_folders
from .flags import FLAGS_NAME, read_flags

SAME = 1e-5
"""Scores of the same images that differ by no more, relatively, are the same: the last digits of a network's
sums depend on the number of threads and on the device."""


@dataclass(frozen=True)
class StoredRecord:
    """A record in the store: its folder and its content."""

    folder: Path
    record: Record

    @property
    def name(self) -> str:
        """``MODEL@VERSION``, the record's name in files and addresses."""
        return self.folder.name


@dataclass(frozen=True)
class Store:
    """A store of records in the folder ``root``."""

    root: Path

    def add(self, record: Record) -> Path:
        """Add a record; returns its folder. Adding the same one again (see ``SAME``) changes nothing.

        Raises:
            InvalidInputError: another record has this model and version on this benchmark.
        """
        folder = self.folder(record)
        twin = next((f for f in _folders(folder.parent) if f.name.casefold() == folder.name.casefold()), None)
        if twin is not None:
            self._compare(twin, record)
            return twin
        partial = folder.parent / f".{folder.name}.part"
        shutil.rmtree(partial, ignore_errors=True)
        record.write(partial)
        partial.rename(folder)
        return folder

    def _compare(self, folder: Path, record: Record) -> None:
        held = read_record(folder)
        mine, theirs = (found.info.card for found in (record, held))
        if (mine.model, mine.version) != (theirs.model, theirs.version):
            raise InvalidInputError(
                f"{folder} belongs to {label(theirs)!r}: give {label(mine)!r} another name"
            )
        difference = _first_difference(held, record)
        if not difference:
            return
        raise InvalidInputError(
            f"{folder} already holds another record of {label(record.info.card)}: {difference}; "
            "a published record is never overwritten: give the new one another version "
            "(the version line of submission.yaml)"
        )

    def folder(self, record: Record) -> Path:
        """Where a record belongs."""
        return self.root / safe_name(record.info.benchmark.id) / entry_name(record.info.card)

    def stored(self) -> list[StoredRecord]:
        """All records with their folders, in order of benchmark and name; later knowledge is merged in.

        Raises:
            RefbenchError: ``root`` is not a folder, or a record in it cannot be read.
        """
        return [
            StoredRecord(folder, _with_later_knowledge(read_record(folder), folder))
            for folder in self._record_folders()
        ]

    def _record_folders(self) -> list[Path]:
        if not self.root.is_dir():
            raise RefbenchError(f"{self.root} is not a folder; a store of records is made by: refbench score")
        folders = (folder for benchmark in _folders(self.root) for folder in _folders(benchmark))
        return [folder for folder in folders if (folder / "record.json").is_file()]

    def find(self, name: str) -> list[StoredRecord]:
        """The records of one model on every benchmark, by ``MODEL``, ``MODEL@VERSION`` or its label.

        Raises:
            RefbenchError: no such model; the nearest names are told.
        """
        stored = self.stored()
        exact = [s for s in stored if s.name == name or label(s.record.info.card) == name]
        found = exact or [s for s in stored if s.record.info.card.model.casefold() == name.casefold()]
        if not found:
            known = sorted({n for s in stored for n in (s.name, label(s.record.info.card))})
            near = get_close_matches(name, known, n=3, cutoff=0.3)
            hint = f"did you mean {', '.join(near)}?" if near else f"see: refbench records list {self.root}"
            raise RefbenchError(f"{self.root} has no model {name!r}; {hint}")
        return found

    def records(self) -> list[Record]:
        """All records, in order of benchmark and name."""
        return [stored.record for stored in self.stored()]

    def take(self, path: Path) -> list[Path]:
        """Add every record found at or below ``path``, with its flags; returns their folders here.

        Raises:
            InvalidInputError: there is none, or one differs from what the store holds under its name.
            RefbenchError: one cannot be read.
        """
        added = []
        for folder in record_folders(path):
            place = self.add(read_record(folder))
            flags = folder / FLAGS_NAME
            if flags.is_file():
                add_flags(place, read_flags(folder))
            added.append(place)
        return added

    def verify(self, protocols: Mapping[str, Protocol]) -> list[StoreProblem]:
        """Everything in the store that is not as it should be: names, counts, bounds, reasons, links.

        Raises:
            RefbenchError: ``root`` is not a folder.
        """
        found: list[StoreProblem] = []
        for folder in self._record_folders():
            where = f"{folder.parent.name}/{folder.name}"
            try:
                record = _with_later_knowledge(read_record(folder), folder)
            except RefbenchError as error:
                found.append(StoreProblem(where, str(error).replace("\n", " ")))
                continue
            if self.folder(record) != folder:
                found.append(
                    StoreProblem(where, f"belongs into {self.folder(record).relative_to(self.root)}")
                )
            by = record.info.superseded_by
            if by and not (folder.parent / by / "record.json").is_file():
                found.append(StoreProblem(where, f"is superseded by {by}, which is not in the store"))
            found += problems(folder, record, protocols)
        return found

    def supersede(self, old: Path, new: Path) -> None:
        """Note that the record in folder ``old`` gives way to the one in ``new``; both stay.

        Raises:
            InvalidInputError: not two records of one benchmark, or ``old`` already gave way to another.
        """
        if (
            old.parent != new.parent
            or old == new
            or not all((f / "record.json").is_file() for f in (old, new))
        ):
            raise InvalidInputError(f"{old} and {new} are not two records of one benchmark in {self.root}")
        file = old / SUPERSEDED
        said = {"superseded_by": new.name}
        if file.exists() and json.loads(file.read_text("utf-8")) != said:
            raise InvalidInputError(f"{old} is already superseded, see {file}")
        write_json(file, said)


def label(card: Card) -> str:
    """How people name a submission: model, and its version where that is not the first."""
    return card.model if card.version == "1" else f"{card.model} {card.version}"


def entry_name(card: Card) -> str:
    """``MODEL@VERSION`` as a folder name and in addresses; spaces become hyphens."""
    return "@".join(safe_name(re.sub(r"\s+", "-", text.strip())) for text in (card.model, card.version))


def safe_name(text: str) -> str:
    """``text`` in letters, digits and ``._+-``; with six digits of its hash if anything was lost."""
    kept = re.sub(r"[^A-Za-z0-9._+-]+", "-", text).strip("-.")[:80]
    return kept if kept == text else f"{kept or 'x'}-{sha256_bytes(text.encode('utf-8'))[:6]}"


def _folders(root: Path) -> Sequence[Path]:
    if not root.is_dir():
        return []
    return sorted(entry for entry in root.iterdir() if entry.is_dir() and not entry.name.startswith("."))


def _with_later_knowledge(record: Record, folder: Path) -> Record:
    file = folder / SUPERSEDED
    if not file.is_file():
        return record
    said = json.loads(file.read_text("utf-8"))
    return replace(record, info=record.info.model_copy(update={"superseded_by": str(said["superseded_by"])}))


def _ordered(scores: pd.DataFrame) -> pd.DataFrame:
    return scores[list(SCORE_COLUMNS)].sort_values(["protocol", "key"], ignore_index=True)


def _same_scores(a: pd.DataFrame, b: pd.DataFrame) -> bool:
    if len(a) != len(b):
        return False
    left, right = _ordered(a), _ordered(b)
    texts = all((left[c].astype(str) == right[c].astype(str)).all() for c in SCORE_COLUMNS if c != "value")
    return bool(texts) and _agree(left["value"].tolist(), right["value"].tolist())


def _agree(a: list[float | None], b: list[float | None]) -> bool:
    left, right = (np.array(values, dtype=np.float64) for values in (a, b))
    return bool(np.allclose(left, right, rtol=SAME, atol=SAME / 10, equal_nan=True))


def _same_set_scores(a: Mapping[str, SetScore], b: Mapping[str, SetScore]) -> bool:
    def words(scores: Mapping[str, SetScore]) -> dict[str, SetScore]:
        return {name: score.model_copy(update={"value": None}) for name, score in scores.items()}

    return words(a) == words(b) and all(_agree([a[name].value], [b[name].value]) for name in a)


def _first_difference(held: Record, new: Record) -> str:
    """What sets two records apart, in words; empty if they are the same."""
    before, after = (record.info.model_dump(exclude={"set_scores"}) for record in (held, new))
    for name in before:
        if before[name] != after[name]:
            return f"its {name.replace('_', ' ')} differ ({_inner(before[name], after[name])})"
    same = _same_scores(held.scores, new.scores)
    return "" if same and _same_set_scores(held.info.set_scores, new.info.set_scores) else "its scores differ"


def _inner(before: Any, after: Any) -> str:
    if isinstance(before, dict) and isinstance(after, dict):
        return ", ".join(
            sorted(key for key in before.keys() | after.keys() if before.get(key) != after.get(key))
        )
    return f"{str(before)[:16]} and {str(after)[:16]}"
