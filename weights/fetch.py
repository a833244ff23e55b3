"""Download trained weights: the sources of each in order, the hash checked, the file written atomically."""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..deprecated import warn
from ..downloads import DownloadError
from ..errors import InvalidInputError, RefbenchError
from ..extras import MissingPackageError
from ..files import CHUNK, StrPath, names_of, replacing, sha256_file
from ..folder_lock import folder_lock
from ..progress import say
from . import weight_files
from .sources import Source, mirrored
from .table import Weight


@dataclass(frozen=True)
class Fetched:
    """One weight after `fetch_weights`.

    Attributes:
        name: in the weights table.
        path: of the local file.
        sha256: hexadecimal.
        source: where it was downloaded or copied from; None for a file that was there already.
    """

    name: str
    path: Path
    sha256: str
    source: str | None


def fetch_weights(
    names: Sequence[str] | str,
    given: StrPath | None = None,
    mirror: str | None = None,
    *,
    again: bool = False,
) -> list[Fetched]:
    """Download weights and groups of weights to the weights folder; files with the right hash are kept.

    Args:
        names: weights or groups.
        given: a file, or a folder of files by their names in the table, to copy instead of downloading.
        mirror: web address of a folder that has the files by their names, tried before their own sources;
            ``$REFBENCH_MIRROR`` where None.
        again: download files that are there too, and forget the hash recorded at their first use.

    Returns:
        One entry per weight, in the table's order.

    Raises:
        RefbenchError: some could not be downloaded (stderr has each source's reason; the others were
            downloaded), an unknown name, or one file ``given`` for several weights.
    """
    names = names_of(names)
    given = None if given is None else Path(given)
    wanted = weight_files.select(names)
    if given is not None and not given.is_dir() and len(wanted) > 1:
        raise RefbenchError(
            f"{given}: one file cannot be {len(wanted)} weights; name a folder that holds them"
        )
    mirror = mirror or os.environ.get("REFBENCH_MIRROR")
    downloads = weight_files.folder() / ".arriving"
    fetched, missed = [], []
    with folder_lock(downloads, sweep=False):
        for entry in wanted:
            try:
                fetched.append(_fetch_one(entry, given, mirror, again=again, downloads=downloads))
            except _UnavailableError as error:
                say(f"  {error}")
                missed.append(entry.name)
        if not missed:
            shutil.rmtree(downloads, ignore_errors=True)
    if missed:
        raise RefbenchError(
            f"could not be fetched: {', '.join(missed)}; the reason of each source stands above. "
            "If you have the files:\n"
            f"    refbench weights fetch {' '.join(missed)} --from FOLDER"
        )
    return fetched


class _UnavailableError(Exception):
    """No source has this weight; the next weight is still tried."""


def _fetch_one(
    entry: Weight, given: Path | None, mirror: str | None, *, again: bool, downloads: Path
) -> Fetched:
    if not again and given is None:
        present = _present(entry.name)
        if present is not None:
            return Fetched(entry.name, present, weight_files.digest(entry.name), None)
    variable = weight_files.variable_of(entry.name)
    if variable in os.environ:
        raise RefbenchError(
            f"{variable} names {weight_files.location(entry.name)}; unset it to fetch {entry.name}"
        )
    say(f"{entry.name}: {entry.what}\n  licence: {entry.licence}")
    target = weight_files.folder() / entry.file
    recorded = None if again or (kept := weight_files.receipt(entry.name)) is None else kept.sha256
    if given is not None:
        file = given / entry.file if given.is_dir() else given
        return _copy(entry, file, target, recorded=recorded)
    sources: tuple[Source, ...] = (mirrored(mirror, entry.file), *entry.sources) if mirror else entry.sources
    for source in sources:
        arrived = downloads / entry.file
        say(f"  from {source}")
        try:
            source.save(arrived, downloads, entry.size)
            return _accept(entry, arrived, target, source=str(source), recorded=recorded)
        except (DownloadError, InvalidInputError, MissingPackageError) as error:
            arrived.unlink(missing_ok=True)
            say(f"    {error}")
    raise _UnavailableError(f"no source has {entry.file}")


def _present(name: str) -> Path | None:
    try:
        return weight_files.find(name)
    except InvalidInputError as error:
        say(str(error).partition(";")[0])
        return None


def _accept(entry: Weight, arrived: Path, target: Path, *, source: str, recorded: str | None) -> Fetched:
    found = sha256_file(arrived)
    fault = weight_files.fault_of(entry, found, recorded)
    if fault:
        raise InvalidInputError(fault)
    target.parent.mkdir(parents=True, exist_ok=True)
    arrived.replace(target)
    weight_files.record(entry.name, target, found, source=source)
    if entry.sha256 is None:
        say(f"  its sha256 {found} is recorded; every later use of the file must have it")
    return Fetched(entry.name, target, found, source)


def _copy(entry: Weight, file: Path, target: Path, *, recorded: str | None) -> Fetched:
    if not file.is_file():
        raise _UnavailableError(f"there is no file {file}")
    fault = weight_files.fault_of(entry, sha256_file(file), recorded)
    if fault:
        raise InvalidInputError(f"{file} is not {entry.name}: {fault}")
    if file.resolve() != target.resolve():
        with replacing(target) as partial, file.open("rb") as stream, partial.open("wb") as out:
            shutil.copyfileobj(stream, out, CHUNK)
    return _accept(entry, target, target, source=str(file), recorded=recorded)


def __getattr__(name: str) -> Any:
    """The function by its name in 0.1."""
    if name != "fetch":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    warn(f"{__name__}.fetch", f"{__name__}.fetch_weights")
    return fetch_weights
