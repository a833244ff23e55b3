"""Whether a network file is here and whole. Nothing downloads at import or inside a metric.

Code asks for a file with `path(NAME)` and gets a present, checked file or an error that names the one
command that brings it: `refbench weights fetch NAME`. A file is looked for where the user says
(`REFBENCH_WEIGHT_<NAME>`, a path), then in the weights folder (`REFBENCH_WEIGHTS`, by default the user's
cache folder). Its SHA-256 is compared with the table's. For a publisher's file whose hash is not known, the
hash met first is recorded and the file is held to it from then on.
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
from ..files import sha256_file, write_json
from .table import GROUPS, TABLE, Weight

__all__ = [
    "GROUPS",
    "TABLE",
    "Receipt",
    "Weight",
    "digest",
    "find",
    "folder",
    "path",
    "select",
    "state",
    "verify",
]

State = Literal["present", "missing", "unchecked"]


@dataclass(frozen=True)
class Receipt:
    """What was seen when a file was last hashed; while size and time of change stay, it need not be again."""

    path: str
    size: int
    mtime_ns: int
    sha256: str
    source: str

    def covers(self, file: Path) -> bool:
        """Whether ``file`` is the one that was hashed, untouched since."""
        status = file.stat()
        return (str(file), status.st_size, status.st_mtime_ns) == (self.path, self.size, self.mtime_ns)


def folder() -> Path:
    """The weights folder: ``$REFBENCH_WEIGHTS``, or ``refbench/weights`` in the user's cache folder."""
    named = os.environ.get("REFBENCH_WEIGHTS")
    if named:
        return Path(named).expanduser().absolute()
    if sys.platform == "win32":
        cache = Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local")
    elif sys.platform == "darwin":
        cache = Path.home() / "Library" / "Caches"
    else:
        cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return cache / "refbench" / "weights"


def select(names: Iterable[str]) -> list[Weight]:
    """The weights of ``names``, each a weight or a group, once each and in the table's order.

    Raises:
        RefbenchError: a name that is neither, with the names that come near it.
    """
    chosen: set[str] = set()
    for name in names:
        if name in GROUPS:
            chosen.update(GROUPS[name])
        else:
            chosen.add(weight(name).name)
    return [entry for entry in TABLE.values() if entry.name in chosen]


def weight(name: str) -> Weight:
    """The entry of ``name``; an unknown name is a `RefbenchError` that lists what comes near."""
    if name in TABLE:
        return TABLE[name]
    from difflib import get_close_matches

    near = get_close_matches(name, [*TABLE, *GROUPS], n=3) or [*GROUPS, *TABLE]
    raise RefbenchError(f"no weight or group is called {name!r}; there is {', '.join(near)}")


def location(name: str) -> Path:
    """Where the file of ``name`` is looked for, whether it is there or not."""
    entry = weight(name)
    variable = variable_of(name)
    named = os.environ.get(variable)
    return Path(named).expanduser().absolute() if named else folder() / entry.file


def variable_of(name: str) -> str:
    """The environment variable that names a file of the user's own for ``name``."""
    return "REFBENCH_WEIGHT_" + re.sub(r"[^A-Z0-9]", "_", name.upper())


def receipt(name: str) -> Receipt | None:
    """What was recorded when the file of ``name`` was last hashed, if anything readable was."""
    try:
        return Receipt(**json.loads(receipt_file(name).read_text("utf-8")))
    except (OSError, ValueError, TypeError):
        return None


def receipt_file(name: str) -> Path:
    """Where the receipt of ``name`` is kept: in the weights folder, also for a file that lies elsewhere."""
    return folder() / "receipts" / f"{name}.json"


def record(name: str, file: Path, sha256: str, *, source: str) -> None:
    """Keep a receipt for ``file``. A weights folder that cannot be written only costs hashing again."""
    status = file.stat()
    kept = Receipt(str(file), status.st_size, status.st_mtime_ns, sha256, source)
    with suppress(OSError):
        write_json(receipt_file(name), asdict(kept))


def state(name: str) -> State:
    """Whether the file of ``name`` is here; ``unchecked`` where it lies but was never hashed as it now is.

    Reads no more than the file's size and time of change.
    """
    file, entry, kept = location(name), weight(name), receipt(name)
    if not file.is_file():
        return "missing"
    known = kept is not None and kept.covers(file) and entry.sha256 in (None, kept.sha256)
    return "present" if known else "unchecked"


def find(name: str) -> Path | None:
    """The checked file of ``name``, or None where there is none; a damaged file raises as `path` does."""
    return verify(name, thorough=False) if location(name).is_file() else None


def path(name: str) -> Path:
    """The present, hash-checked file of ``name``; an untouched file is not hashed again.

    Raises:
        RefbenchError: no file, with the command that fetches it.
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
    """The SHA-256 of the file of ``name`` in use, for the provenance of a score; raises as `path` does."""
    file = path(name)
    kept = receipt(name)
    return kept.sha256 if kept is not None and kept.covers(file) else sha256_file(file)


def verify(name: str, thorough: bool = True) -> Path:
    """Check the file of ``name`` against the table's hash, or the recorded one where the table has none.

    Args:
        name: a weight's name.
        thorough: hash the file even if it is untouched since it was last hashed.

    Raises:
        RefbenchError: no file, or one that cannot be read.
        InvalidInputError: another hash than expected; says which and how to fix it.
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
        raise InvalidInputError(f"{file}: {fault}; {_mend(entry)}")
    record(name, file, found, source=kept.source if kept else "put there by hand")
    return file


def _mend(entry: Weight) -> str:
    variable = variable_of(entry.name)
    if variable in os.environ:
        return f"name another file in {variable}, or unset it"
    again = "" if entry.sha256 else " --again"
    return f"fetch it anew with\n    refbench weights fetch {entry.name}{again}"


def fault_of(entry: Weight, found: str, recorded: str | None) -> str | None:
    """What is wrong with a file of SHA-256 ``found``, or None; ``recorded`` is the hash met at first use."""
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
