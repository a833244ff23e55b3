"""Records of one submission joined into one row of a track: its protocols, of however many runs."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import pandas as pd

from ...records.record import Record
from .names import safe_name

PART = "~"
"""Before the digits that tell the later records of a submission apart: ``MODEL@VERSION~1a2b3c4d``."""


@dataclass(frozen=True)
class StoredRecord:
    """A record in the store, or several of one submission on one track, joined.

    Attributes:
        folder: of the record; of the first one where several are joined.
        record: its content; joined, the protocols of all of them.
        more: folders of the other records that are joined.
        other_images: first digits of the submission's hash, where another submission has the same name.
    """

    folder: Path
    record: Record
    more: tuple[Path, ...] = ()
    other_images: str = ""

    @property
    def folders(self) -> tuple[Path, ...]:
        """The folders of all its records."""
        return (self.folder, *self.more)

    @property
    def name(self) -> str:
        """``MODEL@VERSION``, the submission's name in files and addresses."""
        name = base_name(self.folder)
        return f"{name}{PART}{self.other_images}" if self.other_images else name

    @property
    def track(self) -> str:
        """Name of its track in files and addresses."""
        return safe_name(self.record.info.benchmark.track.id)


def base_name(folder: Path) -> str:
    """``MODEL@VERSION`` of a record's folder, without the digits of a later record."""
    return folder.name.partition(PART)[0]


def join_records(stored: Iterable[StoredRecord]) -> list[StoredRecord]:
    """One entry per submission and track, in order of track and name.

    Records of one name and the same images are one submission: their protocols join by id. A protocol that
    several of them have is taken from the one with the most protocols. Records of one name and different
    images (version 0.1 kept them in different benchmarks) stay apart, and their names tell them apart.
    """
    groups: dict[tuple[str, str], dict[str, list[StoredRecord]]] = defaultdict(lambda: defaultdict(list))
    for entry in stored:
        of_name = groups[entry.track, base_name(entry.folder)]
        of_name[entry.record.info.submission_hash].append(entry)
    return [
        replace(_joined(parts), other_images=digest[:8] if len(of_name) > 1 else "")
        for _, of_name in sorted(groups.items())
        for digest, parts in sorted(of_name.items())
    ]


def _joined(parts: Sequence[StoredRecord]) -> StoredRecord:
    if len(parts) == 1:
        return parts[0]
    first, *others = sorted(
        parts, key=lambda part: (-len(part.record.info.benchmark.protocols), str(part.folder))
    )
    record = first.record
    for other in others:
        record = _with_protocols_of(record, other.record)
    return StoredRecord(first.folder, record, tuple(other.folder for other in others))


def _with_protocols_of(record: Record, other: Record) -> Record:
    """The record with those protocols of the other one that it lacks."""
    mine, its = record.info, other.info
    added = [name for name in its.benchmark.protocols if name not in mine.benchmark.protocols]
    protocols = (*mine.benchmark.protocols, *added)
    provenance = dict(mine.provenance)
    for name, text in its.provenance.items():
        known = provenance.get(name, text)
        is_known = known == text or text in known.split("; ")
        provenance[name] = known if is_known else f"{known}; {text}"
    info = mine.model_copy(
        update={
            "benchmark": mine.benchmark.model_copy(update={"protocols": protocols}),
            "set_scores": {**{n: s for n, s in its.set_scores.items() if n in added}, **mine.set_scores},
            "provenance": provenance,
            "superseded_by": mine.superseded_by or its.superseded_by,
        }
    )
    rows = other.scores[other.scores["protocol"].isin(added)]
    return Record(info, pd.concat([record.scores, rows], ignore_index=True) if len(rows) else record.scores)
