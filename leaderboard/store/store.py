"""The record store: an append-only folder of records, fit for git and readable without this code.

``STORE/BENCHMARK/MODEL@VERSION/`` holds ``record.json`` and ``scores.parquet``, as `records.record.Record`
writes them. What becomes known later is written beside them and never changes them: ``flags.json`` (see
`leaderboard.integrity`) and ``superseded.json``.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from difflib import get_close_matches
from pathlib import Path

from ...errors import InvalidInputError, RefbenchError
from ...files import partial_path, sweep_partials
from ...records.protocol import Protocol
from ...records.record import RECORD_NAME
from ...records.record import Record as Record
from .checks import StoreProblem, record_problems
from .differences import first_difference
from .flags import FLAGS_NAME, add_flags, read_flags
from .names import entry_name, label, safe_name
from .superseded import SUPERSEDED_NAME, Superseded


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
    """A store of records in the folder ``root``.

    Reading a store whose folder does not exist raises `RefbenchError`; adding a record makes it.
    """

    root: Path

    def add(self, record: Record) -> Path:
        """Add a record and return its folder; adding the same one again (see `differences`) changes nothing.

        Raises:
            InvalidInputError: another record has this model and version on this benchmark.
        """
        folder = self.folder(record)
        if twin := _twin(folder):
            self._refuse_another(twin, record)
            return twin
        sweep_partials(folder.parent)
        partial = partial_path(folder)
        try:
            record.write(partial)
            partial.rename(folder)
        except OSError:  # another process may have added it in the meantime
            twin = _twin(folder)
            if twin is None:
                raise
            self._refuse_another(twin, record)
            return twin
        finally:
            shutil.rmtree(partial, ignore_errors=True)
        return folder

    def _refuse_another(self, folder: Path, record: Record) -> None:
        held = Record.read(folder)
        mine, theirs = (found.info.card for found in (record, held))
        if (mine.model, mine.version) != (theirs.model, theirs.version):
            raise InvalidInputError(
                f"{folder} belongs to {label(theirs)!r}: give {label(mine)!r} another name"
            )
        difference = first_difference(held, record)
        if not difference:
            return
        raise InvalidInputError(
            f"{folder} already holds another record of {label(record.info.card)}: {difference}; "
            "a published record is never overwritten: give the new one another version "
            "(the version line of submission.yaml)"
        )

    def folder(self, record: Record) -> Path:
        """The folder of a record, whether or not it is there."""
        return self.root / safe_name(record.info.benchmark.id) / entry_name(record.info.card)

    def stored(self) -> list[StoredRecord]:
        """All records with their folders, in order of benchmark and name, with what superseded them.

        Raises:
            RefbenchError: ``root`` is not a folder, or a record in it cannot be read.
        """
        return [StoredRecord(folder, _read(folder)) for folder in self._record_folders()]

    def _record_folders(self) -> list[Path]:
        if not self.root.is_dir():
            raise RefbenchError(f"{self.root} is not a folder; a store of records is made by: refbench score")
        folders = (folder for benchmark in _folders(self.root) for folder in _folders(benchmark))
        return [folder for folder in folders if (folder / RECORD_NAME).is_file()]

    def protocol_ids(self) -> set[str]:
        """Ids of the protocols of every record that can be read.

        Raises:
            RefbenchError: ``root`` is not a folder.
        """
        found: set[str] = set()
        for folder in self._record_folders():
            with suppress(RefbenchError):
                found.update(Record.read(folder).info.benchmark.protocols)
        return found

    def find(self, name: str) -> list[StoredRecord]:
        """The records of one model on every benchmark, by ``MODEL``, ``MODEL@VERSION`` or its label.

        Raises:
            RefbenchError: no such model; the message names the nearest ones.
        """
        stored = self.stored()
        exact = [s for s in stored if s.name == name or label(s.record.info.card) == name]
        found = exact or [s for s in stored if s.record.info.card.model.casefold() == name.casefold()]
        if not found:
            cards = [s.record.info.card for s in stored]
            known = sorted({*(s.name for s in stored), *(card.model for card in cards)})
            near = get_close_matches(name, known, n=3, cutoff=0.3)
            hint = f"did you mean {', '.join(near)}?" if near else f"see: refbench records list {self.root}"
            raise RefbenchError(f"{self.root} has no model {name!r}; {hint}")
        return found

    def records(self) -> list[Record]:
        """All records, in order of benchmark and name."""
        return [stored.record for stored in self.stored()]

    def import_records(self, path: Path) -> list[Path]:
        """Add every record at or below ``path``, with its flags; returns their folders in this store.

        Raises:
            InvalidInputError: there is none, or one differs from what the store holds under its name.
            RefbenchError: one cannot be read.
        """
        added = []
        for folder in record_folders(path):
            place = self.add(Record.read(folder))
            flags = folder / FLAGS_NAME
            if flags.is_file():
                add_flags(place, read_flags(folder))
            added.append(place)
        return added

    def verify(self, protocols: Mapping[str, Protocol]) -> list[StoreProblem]:
        """Every problem of the store: wrong names, counts, bounds, missing reasons, broken links.

        Args:
            protocols: declarations by id, for the bounds; values of an id that is not declared are not
                checked.

        Raises:
            RefbenchError: ``root`` is not a folder.
        """
        found: list[StoreProblem] = []
        for folder in self._record_folders():
            where = f"{folder.parent.name}/{folder.name}"
            try:
                record = _read(folder)
            except RefbenchError as error:
                found.append(StoreProblem(where, str(error).replace("\n", " ")))
                continue
            if self.folder(record) != folder:
                found.append(StoreProblem(where, f"belongs in {self.folder(record).relative_to(self.root)}"))
            by = record.info.superseded_by
            if by and not (folder.parent / by / RECORD_NAME).is_file():
                found.append(StoreProblem(where, f"is superseded by {by}, which is not in the store"))
            found += record_problems(folder, record, protocols)
        return found

    def supersede(self, old: Path, new: Path) -> None:
        """Note that the record in folder ``new`` supersedes the one in ``old``; both stay in the store.

        Raises:
            InvalidInputError: not two records of one benchmark, or ``old`` is superseded by another already.
        """
        if old.parent != new.parent or old == new or not all((f / RECORD_NAME).is_file() for f in (old, new)):
            raise InvalidInputError(f"{old} and {new} are not two records of one benchmark in {self.root}")
        note = Superseded.read(old)
        if note is not None and note.superseded_by != new.name:
            raise InvalidInputError(f"{old} is already superseded, see {old / SUPERSEDED_NAME}")
        Superseded(superseded_by=new.name).write(old)


def _twin(folder: Path) -> Path | None:
    """The folder of that name, in whatever case, if it is there."""
    same = (found for found in _folders(folder.parent) if found.name.casefold() == folder.name.casefold())
    return next(same, None)


def record_folders(path: Path) -> list[Path]:
    """All folders at or below ``path`` that hold a record, in order.

    Raises:
        InvalidInputError: there is none.
    """
    found = sorted(file.parent for file in path.rglob(RECORD_NAME)) if path.is_dir() else []
    if not found:
        raise InvalidInputError(f"{path}: no {RECORD_NAME} at or below it")
    return found


def _folders(root: Path) -> Sequence[Path]:
    if not root.is_dir():
        return []
    return sorted(entry for entry in root.iterdir() if entry.is_dir() and not entry.name.startswith("."))


def _read(folder: Path) -> Record:
    """The record of a folder, with the note of what supersedes it."""
    record = Record.read(folder)
    note = Superseded.read(folder)
    if note is None:
        return record
    return replace(record, info=record.info.model_copy(update={"superseded_by": note.superseded_by}))
