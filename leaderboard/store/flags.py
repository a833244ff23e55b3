"""Flags: what a reader should know of a submission; shown on the board, never a silent ban."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from ...errors import RefbenchError
from ...files import write_json

FLAGS_NAME = "flags.json"


class Flag(BaseModel):
    """One finding: its kind, one sentence for readers, and how many images of how many it concerns."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: str
    text: str
    images: int = 0
    of: int = 0


def read_flags(folder: Path) -> tuple[Flag, ...]:
    """The flags beside a record; none where there is no ``flags.json``.

    Raises:
        RefbenchError: the file cannot be read.
    """
    path = folder / FLAGS_NAME
    if not path.is_file():
        return ()
    try:
        return tuple(Flag.model_validate(entry) for entry in json.loads(path.read_text("utf-8"))["flags"])
    except (OSError, ValueError, KeyError, TypeError, ValidationError) as error:
        raise RefbenchError(f"{path} is not readable: {error}") from None


def write_flags(folder: Path, flags: Sequence[Flag]) -> None:
    """Write the flags of a record beside it; an empty list says that a check found nothing."""
    write_json(folder / FLAGS_NAME, {"flags": [flag.model_dump() for flag in flags]})
