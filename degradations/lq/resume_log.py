"""What is already done in an LQ folder: one line per finished image, so that a stopped run can go on."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from types import TracebackType
from typing import IO, Any

from ...errors import RefbenchError
from ...files import canonical_json, write_text
from ...records.lq_set import DRAWS, INFO, LqInfo, LqRow, read_rows
from ..recipes.recipe import Recipe

NAME = ".rows.jsonl"


class Journal:
    """The rows of a folder under one recipe and seed; ``note`` appends one as soon as its image is whole."""

    def __init__(self, folder: Path, header: dict[str, Any], rows: dict[str, LqRow]) -> None:
        self.folder = folder
        self.header = header
        self.rows = rows
        self._stream: IO[str] | None = None

    @classmethod
    def open(cls, folder: Path, recipe: Recipe, seed: int) -> Journal:
        """The journal of a folder, with what an earlier run of the same recipe and seed has done.

        Raises:
            RefbenchError: the folder holds LQ images of something else; a run that made none does not count.
        """
        header = {"recipe": recipe.id, "fingerprint": recipe.fingerprint, "seed": seed}
        before, rows = _what_is_there(folder)
        if before not in (None, header) and rows:
            told = f"{folder} holds LQ images of {before['recipe']}, seed {before['seed']}"
            wanted = f"{recipe.id}, seed {seed}"
            changed = "" if (before["recipe"], before["seed"]) != (recipe.id, seed) else ", with other steps"
            raise RefbenchError(f"{told}{changed}; name another folder for {wanted}, or remove that one")
        return cls(folder, header, {row.key: row for row in rows})

    def __enter__(self) -> Journal:
        lines = [canonical_json(self.header), *(canonical_json(asdict(row)) for row in self.rows.values())]
        write_text(self.folder / NAME, "\n".join(lines) + "\n")
        (self.folder / INFO).unlink(missing_ok=True)
        self._stream = (self.folder / NAME).open("a", encoding="utf-8")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._stream is not None:
            self._stream.close()

    def note(self, row: LqRow) -> None:
        """Append a row, unless it is known."""
        if self._stream is not None and self.rows.get(row.key) != row:
            self._stream.write(canonical_json(asdict(row)) + "\n")
            self._stream.flush()

    def remove(self) -> None:
        """Forget: the folder is whole."""
        (self.folder / NAME).unlink(missing_ok=True)


def _what_is_there(folder: Path) -> tuple[dict[str, Any] | None, list[LqRow]]:
    journal = folder / NAME
    if journal.is_file():
        lines = list(_lines(journal))
        return (lines[0] if lines else None), [LqRow(**row) for row in lines[1:]]
    if (folder / INFO).is_file():
        info = LqInfo.read(folder)
        header = {"recipe": info.recipe_id, "fingerprint": info.fingerprint, "seed": info.seed}
        return header, read_rows(folder) if (folder / DRAWS).is_file() else []
    return None, []


def _lines(path: Path) -> Iterator[dict[str, Any]]:
    for line in path.read_text("utf-8").splitlines():
        try:
            yield json.loads(line)
        except ValueError:
            return
