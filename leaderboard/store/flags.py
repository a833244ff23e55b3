"""Flags of a submission (``flags.json``): copies and training overlap, shown on the board and never a ban."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from ...errors import InvalidInputError, RefbenchError
from ...files import StrPath, write_json

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
    """What ``flags.json`` holds."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    flags: tuple[Flag, ...]


def read_flags(folder: StrPath) -> tuple[Flag, ...]:
    """The flags beside a record; none where there is no ``flags.json``.

    Raises:
        RefbenchError: the file cannot be read.
    """
    folder = Path(folder)
    path = folder / FLAGS_NAME
    if not path.is_file():
        return ()
    try:
        return _FlagFile.model_validate_json(path.read_text("utf-8")).flags
    except (OSError, ValueError, ValidationError) as error:
        raise RefbenchError(f"{path} is not readable: {error}") from None


def write_flags(folder: StrPath, flags: Sequence[Flag]) -> None:
    """Write the flags of a record beside it; an empty list means that a check found nothing."""
    folder = Path(folder)
    write_json(folder / FLAGS_NAME, {"flags": [flag.model_dump() for flag in flags]})


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
