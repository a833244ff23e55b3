"""Flags of a submission (``flags.json``): copies and training overlap, shown on the board and never a ban."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from ...errors import InvalidInputError, RefbenchError
from ...files import StrPath, write_json
from ...records.record import RECORD_NAME

FLAGS_NAME = "flags.json"
COPY = "copy of "


class Flag(BaseModel):
    """One finding about a submission.

    Attributes:
        kind: short name, for instance ``copy of LQ``.
        text: one sentence for readers.
        images: how many images or people it concerns.
        of: out of how many.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: str
    text: str
    images: int = 0
    of: int = 0

    @property
    def is_copy(self) -> bool:
        """Whether it says that outputs are copies of other images."""
        return self.kind.startswith(COPY)


class _FlagFile(BaseModel):
    """What ``flags.json`` holds: the flags, and the hash of the images that they are of (not in 0.1)."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    flags: tuple[Flag, ...]
    submission_hash: str = ""


def read_flags(folder: StrPath) -> tuple[Flag, ...]:
    """The flags beside a record; none where there is no ``flags.json``.

    Raises:
        RefbenchError: the file cannot be read, or is of other images than the record.
    """
    folder = Path(folder)
    path = folder / FLAGS_NAME
    if not path.is_file():
        return ()
    try:
        found = _FlagFile.model_validate_json(path.read_text("utf-8"))
    except (OSError, ValueError, ValidationError) as error:
        raise RefbenchError(f"{path} is not readable: {error}") from None
    if found.submission_hash and found.submission_hash != (_submission_hash(folder) or found.submission_hash):
        again = "remove it and look again with: refbench records flag"
        raise RefbenchError(f"{path} is of other images than the record beside it; {again}")
    return found.flags


def write_flags(folder: StrPath, flags: Sequence[Flag]) -> None:
    """Write the flags of a record beside it; an empty list means that a check found nothing."""
    folder = Path(folder)
    value = {"flags": [flag.model_dump() for flag in flags]}
    of = _submission_hash(folder)
    write_json(folder / FLAGS_NAME, value | ({"submission_hash": of} if of else {}))


def _submission_hash(folder: Path) -> str:
    """The hash of the images of the record in a folder; empty where there is none to be read."""
    try:
        return str(json.loads((folder / RECORD_NAME).read_text("utf-8"))["submission_hash"])
    except (OSError, ValueError, KeyError, TypeError):
        return ""


def add_flags(folder: Path, flags: Iterable[Flag]) -> bool:
    """Write the flags of a record if there are none yet; True if they were written.

    Raises:
        InvalidInputError: there are other flags already.
    """
    wanted = tuple(flags)
    if (folder / FLAGS_NAME).is_file():
        if read_flags(folder) != wanted:
            raise InvalidInputError(f"{folder / FLAGS_NAME} has other flags already; a store is append-only")
        return False
    write_flags(folder, wanted)
    return True
