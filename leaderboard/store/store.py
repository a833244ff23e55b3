"""The record store: an append-only folder of records, fit for git and readable without this code.

``STORE/TRACK/MODEL@VERSION/`` holds ``record.json`` and ``scores.parquet``, as `records.record.Record` writes
them; a later record of the same submission, with other protocols, is in ``MODEL@VERSION~DIGITS/`` beside it.
Version 0.1 made one folder per list of protocols in place of one per track; both are read alike. What becomes
known later is written beside the records and never changes them: ``flags.json`` (see
`leaderboard.integrity`) and ``superseded.json``.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from difflib import get_close_matches
from pathlib import Path

from ...errors import FaultListError, InvalidInputError, RefbenchError
from ...files import StrPath, partial_path, sha256_json, sweep_partials
from ...progress import say
from ...records.card import Card
from ...records.protocol import Protocol
from ...records.record import RECORD_NAME, Track, read_info
from ...records.record import Record as Record
from .checks import StoreProblem, form_fault, record_problems
from .differences import first_difference
from .flags import FLAGS_NAME, add_flags, read_flags
from .names import entry_name, label, safe_name
from .stored import PART, base_name, join_records
from .stored import StoredRecord as StoredRecord
from .superseded import SUPERSEDED_NAME, Superseded

MOVED_NAME = "moved.json"


@dataclass(frozen=True)
class Store:
    """A store of records in the folder ``root``.

    Reading a store whose folder does not exist raises `RefbenchError`; adding a record makes it. ``root`` may
    be given as a string.
    """

    root: Path

    def __post_init__(self) -> None:
        """Take the folder as a path."""
        object.__setattr__(self, "root", Path(self.root))

    def add(self, record: Record) -> Path:
        """Add a record and return its folder.

        Adding the same one again (see `differences`), or one whose protocols are all there, changes nothing.
        A record of the same submission with further protocols goes beside the first one.

        Raises:
            InvalidInputError: this track has other images, or other scores on the same protocols, of this
                model and version.
        """
        folder, is_held = self._place(record)
        if is_held:
            return folder
        sweep_partials(folder.parent)
        partial = partial_path(folder)
        try:
            record.write(partial)
            partial.rename(folder)
        except OSError:  # another process may have added it in the meantime
            folder, is_held = self._place(record)
            if not is_held:
                raise
        finally:
            shutil.rmtree(partial, ignore_errors=True)
        return folder

    def _place(self, record: Record) -> tuple[Path, bool]:
        """The folder of a record, and whether what it says is in the store already."""
        folder = self.folder(record)
        held = {
            found: Record.read(found)
            for found in self._of_name(record.info.card, record.info.benchmark.track)
        }
        for found, other in held.items():
            _refuse_another(found, other, record)
        known = {name for other in held.values() for name in other.info.benchmark.protocols}
        if held and known.issuperset(record.info.benchmark.protocols):
            same = [f for f, other in held.items() if other.info.benchmark == record.info.benchmark]
            return (*same, *held)[0], True
        return (later_folder(folder, record) if held else folder), False

    def name_clash(self, card: Card, track: Track, submission_hash: str) -> str:
        """Why a record of this name cannot be added, in words; empty if it can.

        Asked before anything is computed. `add` also compares the scores.

        Args:
            card: of the submission.
            track: that it is scored on.
            submission_hash: of its images; empty where they are not made yet: then the cards are compared.
        """
        for folder in self._of_name(card, track):
            info = read_info(folder)
            theirs = info.card
            if (card.model, card.version) != (theirs.model, theirs.version):
                return f"{folder} belongs to {label(theirs)!r}"
            measured = dict.fromkeys(("seconds_per_image", "peak_memory_mib", "hardware"))
            same_card = card.model_copy(update=measured) == theirs.model_copy(update=measured)
            if info.submission_hash != submission_hash if submission_hash else not same_card:
                what = "images" if submission_hash else "card"
                return f"{folder} already holds a record of {label(card)!r} whose {what} differ"
        return ""

    def _of_name(self, card: Card, track: Track) -> list[Path]:
        """Folders of the records of a track whose name differs from the card's in case at most."""
        wanted = entry_name(card).casefold()
        found = []
        for folder in self._record_folders() if self.root.is_dir() else ():
            if base_name(folder).casefold() == wanted:
                with suppress(RefbenchError):
                    if read_info(folder).benchmark.track == track:
                        found.append(folder)
        return found

    def folder(self, record: Record) -> Path:
        """The folder of the first record of a submission, whether or not it is there."""
        return self.root / safe_name(record.info.benchmark.track.id) / entry_name(record.info.card)

    def stored(self) -> list[StoredRecord]:
        """All records with their folders, in order of benchmark and name, with what superseded them.

        Raises:
            RefbenchError: ``root`` is not a folder, or records in it cannot be read; all of them are named.
        """
        found, faults = self.readable()
        if faults:
            fix = f"repair or remove these records; see: refbench records verify {self.root}"
            raise FaultListError(str(self.root), faults, fix)
        return found

    def readable(self) -> tuple[list[StoredRecord], list[str]]:
        """The records that can be read, as `stored` gives them, and one line for each that cannot.

        Raises:
            RefbenchError: ``root`` is not a folder.
        """
        found, faults = [], []
        for folder in self._record_folders():
            try:
                found.append(StoredRecord(folder, _read(folder)))
            except RefbenchError as error:
                faults.append(f"{folder.parent.name}/{folder.name}: {error}".replace("\n", " "))
        return found, faults

    def submissions(self) -> list[StoredRecord]:
        """One entry per submission and track: records of the same images joined, see `join_records`.

        Raises:
            RefbenchError: as `stored`.
        """
        return join_records(self.stored())

    def _record_folders(self) -> list[Path]:
        if (self.root / "set.json").is_file():
            raise RefbenchError(
                f"{self.root} is a reference set, not a store of records; the store comes first: "
                "refbench publish STORE SET SUBMISSION ... --out SITE"
            )
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
        """The submissions of one model on every track, by ``MODEL``, ``MODEL@VERSION`` or its label.

        Records that cannot be read are named on stderr and left out.

        Raises:
            RefbenchError: no such model; the message names the nearest ones.
        """
        readable, faults = self.readable()
        for fault in faults:
            say(f"left out: {fault}")
        stored = join_records(readable)
        exact = [s for s in stored if s.name == name or label(s.record.info.card) == name]
        found = exact or [s for s in stored if s.record.info.card.model.casefold() == name.casefold()]
        if not found:
            cards = [s.record.info.card for s in stored]
            known = sorted({*(s.name for s in stored), *(card.model for card in cards)})
            near = get_close_matches(name, known, n=3, cutoff=0.3)
            hint = f"did you mean {', '.join(near)}?" if near else f"see: refbench records list {self.root}"
            raise RefbenchError(f"{self.root} has no model {name!r}; {hint}")
        return found

    def of_benchmark(self, name: str) -> list[StoredRecord]:
        """The submissions of the track of that id, or of the track that had this benchmark id in 0.1."""
        stored = self.stored()
        wanted = {e.track for e in stored if e.record.info.benchmark.id == name} | {safe_name(name)}
        wanted.add(self.moved().get(name, ""))
        return [entry for entry in join_records(stored) if entry.track in wanted]

    def moved(self) -> dict[str, str]:
        """The track of each benchmark of version 0.1 that this store was migrated from (``moved.json``).

        Raises:
            RefbenchError: the file is not readable.
        """
        path = self.root / MOVED_NAME
        if not path.is_file():
            return {}
        try:
            return {str(old): str(new) for old, new in json.loads(path.read_text("utf-8"))["moved"].items()}
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise RefbenchError(f"{path} is not readable: {error}") from None

    def records(self) -> list[Record]:
        """All records, in order of benchmark and name."""
        return [stored.record for stored in self.stored()]

    def import_records(self, path: StrPath) -> list[Path]:
        """Add every record at or below ``path``, with flags and notes; returns their folders in this store.

        One that is refused does not stop the others.

        Raises:
            InvalidInputError: there is none.
            FaultListError: some cannot be read or differ from what the store holds under their names; all of
                them are named, and the others are added.
        """
        path = Path(path)
        added, faults = [], []
        for folder in record_folders(path):
            try:
                _read(folder)
                place = self.add(Record.read(folder))
                if (folder / FLAGS_NAME).is_file():
                    add_flags(place, read_flags(folder))
                note = Superseded.read(folder)
                if note is not None and Superseded.read(place) is None:
                    note.write(place)
                added.append(place)
            except RefbenchError as error:
                faults.append(f"{folder.parent.name}/{folder.name}: {error}".replace("\n", " "))
        if faults:
            raise FaultListError(str(path), faults, f"the other {len(added)} were added all the same")
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
        names: set[tuple[str, str]] = set()
        for folder in self._record_folders():
            where = f"{folder.parent.name}/{folder.name}"
            try:
                record = _read(folder)
            except RefbenchError as error:
                found.append(StoreProblem(where, str(error).replace("\n", " ")))
                continue
            names = names or self._names()
            home = self.folder(record)
            homes = {home.parent.name, safe_name(record.info.benchmark.id)}
            if base_name(folder) != home.name or folder.parent.name not in homes:
                found.append(StoreProblem(where, f"belongs in {home.relative_to(self.root)}"))
            by = record.info.superseded_by
            if by and (record.info.benchmark.track.id, by) not in names:
                found.append(StoreProblem(where, f"is superseded by {by}, which is not in the store"))
            found += record_problems(folder, record, protocols)
        return found

    def _names(self) -> set[tuple[str, str]]:
        """Track and ``MODEL@VERSION`` of every record that can be read."""
        found = set()
        for folder in self._record_folders():
            with suppress(RefbenchError):
                found.add((read_info(folder).benchmark.track.id, base_name(folder)))
        return found

    def supersede(self, old: StrPath, new: StrPath) -> None:
        """Note that the record in folder ``new`` supersedes the one in ``old``; both stay in the store.

        Raises:
            InvalidInputError: not two records of one track, or ``old`` is superseded by another already.
        """
        old = Path(old)
        new = Path(new)
        wrong = InvalidInputError(f"{old} and {new} are not two records of one track in {self.root}")
        if old.resolve() == new.resolve() or old.parent.parent.resolve() != new.parent.parent.resolve():
            raise wrong
        if not all((folder / RECORD_NAME).is_file() for folder in (old, new)):
            raise wrong
        tracks = {read_info(folder).benchmark.track for folder in (old, new)}
        if len(tracks) > 1 or base_name(old) == base_name(new):
            raise wrong
        note = Superseded.read(old)
        if note is not None and note.superseded_by != base_name(new):
            raise InvalidInputError(f"{old} is already superseded, see {old / SUPERSEDED_NAME}")
        Superseded(superseded_by=base_name(new)).write(old)


def later_folder(first: Path, record: Record) -> Path:
    """The folder of a later record of the submission whose first record is in ``first``."""
    digits = sha256_json([sorted(record.info.benchmark.protocols), record.info.submission_hash])[:8]
    return first.with_name(f"{base_name(first)}{PART}{digits}")


def record_folders(path: Path) -> list[Path]:
    """All folders at or below ``path`` that hold a record, in order.

    Raises:
        InvalidInputError: there is none.
    """
    found = sorted(file.parent for file in path.rglob(RECORD_NAME)) if path.is_dir() else []
    if not found:
        raise InvalidInputError(f"{path}: no {RECORD_NAME} at or below it")
    return found


def _refuse_another(folder: Path, held: Record, record: Record) -> None:
    """Refuse a record that cannot be of the same submission as one that the store holds under its name."""
    mine, theirs = (found.info.card for found in (record, held))
    if (mine.model, mine.version) != (theirs.model, theirs.version):
        raise InvalidInputError(f"{folder} belongs to {label(theirs)!r}: give {label(mine)!r} another name")
    difference = first_difference(held, record)
    if difference:
        raise InvalidInputError(
            f"{folder} already holds another record of {label(record.info.card)}: {difference}; "
            "a published record is never overwritten: give the new one another version "
            "(the version line of submission.yaml)"
        )


def _folders(root: Path) -> Sequence[Path]:
    if not root.is_dir():
        return []
    return sorted(entry for entry in root.iterdir() if entry.is_dir() and not entry.name.startswith("."))


def _read(folder: Path) -> Record:
    """The record of a folder, with the note of what supersedes it.

    Raises:
        RefbenchError: the record or the note cannot be read, or the table of scores cannot be worked with.
    """
    record = Record.read(folder)
    if fault := form_fault(record.scores):
        raise RefbenchError(f"{folder} is not a readable record: {fault}")
    note = Superseded.read(folder)
    if note is None:
        return record
    return replace(record, info=record.info.model_copy(update={"superseded_by": note.superseded_by}))
