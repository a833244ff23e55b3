"""Local files of trained network weights: where each is, whether it is there, and whether its hash is right.

Nothing downloads at import or inside a metric. `path(NAME)` returns an existing file whose hash was checked,
or raises an error with the one command that downloads it: `refbench weights fetch NAME`. A file is looked up
at the path in the environment variable ``REFBENCH_WEIGHT_<NAME>``, then in the weights folder
(``REFBENCH_WEIGHTS``, by default `platformdirs`' cache folder of the user). Its SHA-256 is compared with the
one in the table. Where the table has none, the hash of the first use is recorded and every later use must
have the same.
"""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

from ..errors import InvalidInputError, RefbenchError
from ..files import names_of, sha256_file, write_json
from .table import GROUPS, TABLE, Weight

__all__ = [
    "GROUPS",
    "TABLE",
    "Receipt",
    "Weight",
    "digest",
    "find",
    "folder",
    "location",
    "path",
    "select",
    "state",
    "verify",
]

State = Literal["present", "missing", "unchecked"]


@dataclass(frozen=True)
class Receipt:
    """The hash of a local file, kept so that the file is hashed again only when it has changed.

    Attributes:
        path: of the file.
        size: in bytes.
        mtime_ns: time of its last change, in nanoseconds since 1970.
        sha256: hexadecimal.
        source: where it was downloaded or copied from, for people.
    """

    path: str
    size: int
    mtime_ns: int
    sha256: str
    source: str

    def covers(self, file: Path) -> bool:
        """Whether path, size and time of change of ``file`` are those of the receipt."""
        status = file.stat()
        return (str(file), status.st_size, status.st_mtime_ns) == (self.path, self.size, self.mtime_ns)


def folder() -> Path:
    """The weights folder: ``$REFBENCH_WEIGHTS``, or ``refbench/weights`` in the user's cache folder.

    The cache folder is what `platformdirs` says. Where that folder does not exist but the one that version
    0.1 computed does, the latter is returned, so that files fetched by 0.1 are found.
    """
    named = os.environ.get("REFBENCH_WEIGHTS")
    if named:
        return Path(named).expanduser().absolute()
    from platformdirs import user_cache_path

    current = user_cache_path("refbench", appauthor=False, opinion=False) / "weights"
    earlier = _folder_of_0_1()
    return earlier if not current.is_dir() and earlier.is_dir() else current


def _folder_of_0_1() -> Path:
    if sys.platform == "win32":
        cache = Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local")
    elif sys.platform == "darwin":
        cache = Path.home() / "Library" / "Caches"
    else:
        cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return cache / "refbench" / "weights"


def select(names: Iterable[str] | str) -> list[Weight]:
    """The weights of ``names`` (weights or groups), without duplicates, in the table's order.

    Raises:
        RefbenchError: a name that is neither; the message lists similar names.
    """
    names = names_of(names)
    chosen: set[str] = set()
    for name in names:
        if name in GROUPS:
            chosen.update(GROUPS[name])
        else:
            chosen.add(weight(name).name)
    return [entry for entry in TABLE.values() if entry.name in chosen]


def weight(name: str) -> Weight:
    """The table's entry of ``name``.

    Raises:
        RefbenchError: an unknown name; the message lists similar ones.
    """
    if name in TABLE:
        return TABLE[name]
    from difflib import get_close_matches

    near = get_close_matches(name, [*TABLE, *GROUPS], n=3) or [*GROUPS, *TABLE]
    raise RefbenchError(f"no weight or group is called {name!r}; there is {', '.join(near)}")


def location(name: str) -> Path:
    """Path at which the file of ``name`` is expected, whether it exists or not; raises as `weight` does."""
    entry = weight(name)
    variable = variable_of(name)
    named = os.environ.get(variable)
    return Path(named).expanduser().absolute() if named else folder() / entry.file


def variable_of(name: str) -> str:
    """Name of the environment variable that holds the path of the user's own file for ``name``."""
    return "REFBENCH_WEIGHT_" + re.sub(r"[^A-Z0-9]", "_", name.upper())


def receipt(name: str) -> Receipt | None:
    """The receipt of ``name``; None where there is none or it cannot be read."""
    try:
        return Receipt(**json.loads(receipt_file(name).read_text("utf-8")))
    except (OSError, ValueError, TypeError):
        return None


def receipt_file(name: str) -> Path:
    """Path of the receipt of ``name``: in the weights folder, also for a file in another folder."""
    return folder() / "receipts" / f"{name}.json"


def record(name: str, file: Path, sha256: str, *, source: str) -> None:
    """Write the receipt of ``file``; without one (a read-only weights folder) it is hashed at every use."""
    status = file.stat()
    kept = Receipt(str(file), status.st_size, status.st_mtime_ns, sha256, source)
    with suppress(OSError):
        write_json(receipt_file(name), asdict(kept))


def state(name: str) -> State:
    """``present`` (its hash is known to be right), ``unchecked`` (a file not hashed yet), or ``missing``.

    Reads only the file's size and time of change. Raises as `weight` does.
    """
    file, entry, kept = location(name), weight(name), receipt(name)
    if not file.is_file():
        return "missing"
    known = kept is not None and kept.covers(file) and entry.sha256 in (None, kept.sha256)
    return "present" if known else "unchecked"


def find(name: str) -> Path | None:
    """Path of the file of ``name`` with its hash checked, or None where there is no file.

    Raises:
        RefbenchError: an unknown name.
        InvalidInputError: a file whose hash is not the expected one.
    """
    return verify(name, thorough=False) if location(name).is_file() else None


def path(name: str) -> Path:
    """Path of the file of ``name`` with its hash checked; a file unchanged since its last check is not read.

    Raises:
        RefbenchError: no file (the message has the command that fetches it), or an unknown name.
        InvalidInputError: a file whose hash is not the expected one.
    """
    found = find(name)
    if found is not None:
        return found
    variable = variable_of(name)
    if variable in os.environ:
        raise RefbenchError(f"{variable} names {location(name)}, which is not a file")
    raise RefbenchError(
        f"the weights {name!r} ({weight(name).what}) are not in {folder()}; get them with\n"
        f"    refbench weights fetch {name}"
    )


def digest(name: str) -> str:
    """Hexadecimal SHA-256 of the file of ``name``, for the provenance of a score.

    Raises:
        RefbenchError: no file, or an unknown name.
        InvalidInputError: a file whose hash is not the expected one.
    """
    file = path(name)
    kept = receipt(name)
    return kept.sha256 if kept is not None and kept.covers(file) else sha256_file(file)


def verify(name: str, thorough: bool = True) -> Path:
    """Check the file of ``name`` against the table's hash, or the recorded one where the table has none.

    Args:
        name: a weight's name.
        thorough: hash the file even if size and time of change are those of its last check.

    Raises:
        RefbenchError: no file, or one that cannot be read.
        InvalidInputError: another hash than the expected one; the message says how to fix it.
    """
    entry, file, kept = weight(name), location(name), receipt(name)
    if not file.is_file():
        return path(name)
    if not thorough and state(name) == "present":
        return file
    try:
        found = sha256_file(file)
    except OSError as error:
        raise RefbenchError(f"{file}: cannot be read ({error.strerror})") from error
    fault = fault_of(entry, found, kept.sha256 if kept else None)
    if fault:
        raise InvalidInputError(f"{file}: {fault}; {_remedy(entry)}")
    record(name, file, found, source=kept.source if kept else "put there by hand")
    return file


def _remedy(entry: Weight) -> str:
    variable = variable_of(entry.name)
    if variable in os.environ:
        return f"name another file in {variable}, or unset it"
    again = "" if entry.sha256 else " --again"
    return f"fetch it again with\n    refbench weights fetch {entry.name}{again}"


def fault_of(entry: Weight, found: str, recorded: str | None) -> str | None:
    """What is wrong with a file of SHA-256 ``found``, or None; ``recorded`` is the hash of the first use."""
    for other, what in entry.others:
        if found == other:
            return f"it is {what}"
    if entry.sha256 is not None:
        return None if found == entry.sha256 else f"its sha256 is {found}, not {entry.sha256}"
    if entry.sha256_prefix is not None and not found.startswith(entry.sha256_prefix):
        return f"its sha256 is {found}, which does not begin with {entry.sha256_prefix}"
    if recorded is not None and found != recorded:
        return f"its sha256 is {found}, not {recorded} as when it was first used"
    return None
