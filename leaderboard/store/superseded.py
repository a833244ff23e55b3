"""The note that a newer record supersedes one: ``superseded.json`` beside the record, which never changes."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from ...errors import RefbenchError
from ...files import write_json

SUPERSEDED_NAME = "superseded.json"


class Superseded(BaseModel):
    """What ``superseded.json`` says: the name (``MODEL@VERSION``) of the record that replaces this one."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    schema_version: Literal[1] = 1
    superseded_by: str

    @classmethod
    def read(cls, folder: Path) -> Superseded | None:
        """The note beside a record; None where there is none.

        Raises:
            RefbenchError: the file cannot be read.
        """
        path = folder / SUPERSEDED_NAME
        if not path.is_file():
            return None
        try:
            return cls.model_validate_json(path.read_text("utf-8"))
        except (OSError, ValueError, ValidationError) as error:
            raise RefbenchError(f"{path} is not readable: {error}") from None

    def write(self, folder: Path) -> None:
        """Write the note beside a record."""
        write_json(folder / SUPERSEDED_NAME, self.model_dump(exclude={"schema_version"}))
