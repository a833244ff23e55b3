"""Bring weights here: each source in turn, hash-checked, whole or absent."""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ..downloads import DownloadError
from ..errors import InvalidInputError, RefbenchError
from ..extras import MissingPackageError
from ..files import CHUNK, replacing, sha256_file
from ..progress import say
from . import local as weights
from .sources import Source, mirrored
from .table import Weight


@dataclass(frozen=True)
class Fetched:
    """One weight that is now here: where, its SHA-256, and the source (None if it was here already)."""

    name: str
    path: Path
    sha256: str
    source: str | None


def fetch(
    names: Sequence[str], given: Path | None = None, mirror: str | None = None, *, again: bool = False
) -> list[Fetched]:
    """Bring the weights and groups of ``names`` to the weights folder; what is here and whole is left alone.

    Args:
        names: weights or groups.
        given: a file, or a folder that holds the files by their names, to copy from instead of any download.
        mirror: a web address under which the files lie by their names, tried before their own sources;
            ``$REFBENCH_MIRROR`` where None.
        again: bring it even if it is here, and forget which hash it had when it was first used.

    Raises:
        RefbenchError: some could not be had, each with every source's reason; the others were brought.
    """
    wanted = weights.select(names)
    if given is not None and not given.is_dir() and len(wanted) > 1:
        raise RefbenchError(
            f"{given}: one file cannot be {len(wanted)} weights; name a folder that holds them"
        )
    mirror = mirror or os.environ.get("REFBENCH_MIRROR")
    shelf = weights.folder() / ".arriving"
    brought, missed = [], []
    for entry in wanted:
        try:
            brought.append(_fetch_one(entry, given, mirror, again=again, shelf=shelf))
        except _UnavailableError as error:
            say(f"  {error}")
            missed.append(entry.name)
    if missed:
        raise RefbenchError(
            f"not had: {', '.join(missed)}; each source's reason is told above. If you have the files:\n"
            f"    refbench weights fetch {' '.join(missed)} --from FOLDER"
        )
    shutil.rmtree(shelf, ignore_errors=True)
    return brought


class _UnavailableError(Exception):
    """No source gave this one; the next weight is still tried."""


def _fetch_one(entry: Weight, given: Path | None, mirror: str | None, *, again: bool, shelf: Path) -> Fetched:
    if not again and given is None:
        present = _present(entry.name)
        if present is not None:
            return Fetched(entry.name, present, weights.digest(entry.name), None)
    variable = weights.variable_of(entry.name)
    if variable in os.environ:
        raise RefbenchError(
            f"{variable} names {weights.location(entry.name)}; unset it to fetch {entry.name}"
        )
    say(f"{entry.name}: {entry.what}\n  licence: {entry.licence}")
    target = weights.folder() / entry.file
    recorded = None if again or (kept := weights.receipt(entry.name)) is None else kept.sha256
    if given is not None:
        file = given / entry.file if given.is_dir() else given
        return _copy(entry, file, target, recorded=recorded)
    sources: tuple[Source, ...] = (mirrored(mirror, entry.file), *entry.sources) if mirror else entry.sources
    for source in sources:
        arrived = shelf / entry.file
        say(f"  from {source}")
        try:
            source.bring(arrived, shelf, entry.size)
            return _accept(entry, arrived, target, source=str(source), recorded=recorded)
        except (DownloadError, InvalidInputError, MissingPackageError) as error:
            arrived.unlink(missing_ok=True)
            say(f"    {error}")
    raise _UnavailableError(f"no source gave {entry.file}")


def _present(name: str) -> Path | None:
    try:
        return weights.find(name)
    except InvalidInputError as error:
        say(str(error).partition(";")[0])
        return None


def _accept(entry: Weight, arrived: Path, target: Path, *, source: str, recorded: str | None) -> Fetched:
    found = sha256_file(arrived)
    fault = weights.fault_of(entry, found, recorded)
    if fault:
        raise InvalidInputError(fault)
    target.parent.mkdir(parents=True, exist_ok=True)
    arrived.replace(target)
    weights.record(entry.name, target, found, source=source)
    if entry.sha256 is None:
        say(f"  its sha256 {found} is recorded, and the file held to it from now on")
    return Fetched(entry.name, target, found, source)


def _copy(entry: Weight, file: Path, target: Path, *, recorded: str | None) -> Fetched:
    if not file.is_file():
        raise _UnavailableError(f"there is no file {file}")
    fault = weights.fault_of(entry, sha256_file(file), recorded)
    if fault:
        raise InvalidInputError(f"{file} is not {entry.name}: {fault}")
    if file.resolve() != target.resolve():
        with replacing(target) as partial, file.open("rb") as stream, partial.open("wb") as out:
            shutil.copyfileobj(stream, out, CHUNK)
    return _accept(entry, target, target, source=str(file), recorded=recorded)
