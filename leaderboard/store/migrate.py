"""Migration of a store: a copy with one folder per track, where version 0.1 had one per list of protocols."""

from __future__ import annotations

import shutil
from pathlib import Path

from ...errors import FaultListError, InvalidInputError
from ...files import write_json
from ...folder_lock import has_files, locks
from ...records.record import RECORD_NAME
from .store import MOVED_NAME, Store, later_folder
from .stored import StoredRecord, base_name
from .study_results import STUDY_PREFIX


@locks("out")
def migrate_store(store: Store, out: Path) -> list[Path]:
    """Copy a store into the present form: ``OUT/TRACK/MODEL@VERSION/``; the store itself is not touched.

    The files of records are copied byte by byte, with their flags and notes. ``moved.json`` says which
    benchmark of version 0.1 is part of which track, so that a site of the copy keeps the old addresses.

    Args:
        store: with records of any version.
        out: new or empty folder.

    Returns:
        The folders of the records in ``out``, in order.

    Raises:
        InvalidInputError: ``out`` holds files, or lies in the store.
        FaultListError: records that cannot be read; all of them are named, and the others are copied.
        RefbenchError: the store is not a folder, or its ``moved.json`` is not readable.
    """
    if out.exists() and (not out.is_dir() or has_files(out)):
        raise InvalidInputError(f"{out} holds files; a copy of a store goes into a new or empty folder")
    if out.resolve().is_relative_to(store.root.resolve()):
        raise InvalidInputError(f"{out} lies in the store {store.root}; choose a folder outside of it")
    found, faults = store.readable()
    moved = store.moved()
    out.mkdir(parents=True, exist_ok=True)
    for path in sorted(store.root.iterdir()):
        if path.is_file() and not path.name.startswith(".") and path.name != MOVED_NAME:
            shutil.copyfile(path, out / path.name)
    made = []
    tracks: dict[Path, str] = {}
    for entry in found:
        tracks.setdefault(entry.folder.parent, entry.track)
        if entry.folder.parent.name != entry.track:
            moved[entry.folder.parent.name] = entry.track
        made.append(_copy(entry, out))
    for folder, track in tracks.items():
        for path in sorted(folder.glob(f"{STUDY_PREFIX}*.json")):
            shutil.copyfile(path, out / track / path.name)
    if moved:
        write_json(out / MOVED_NAME, {"schema_version": 1, "moved": moved})
    if faults:
        raise FaultListError(str(store.root), faults, f"the other {len(made)} records were copied to {out}")
    return made


def _copy(entry: StoredRecord, out: Path) -> Path:
    """Copy the files of one record; of several with one name, the first keeps it."""
    place = out / entry.track / base_name(entry.folder)
    if place.exists():
        place = later_folder(place, entry.record)
    place.mkdir(parents=True, exist_ok=True)
    files = [path for path in sorted(entry.folder.iterdir()) if path.is_file() and path.name[0] != "."]
    for path in sorted(files, key=lambda path: path.name == RECORD_NAME):
        shutil.copyfile(path, place / path.name)
    return place
