"""Resume log of an LQ folder: one JSON line per finished image, so that an interrupted run continues."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from types import TracebackType
from typing import IO, Any

from ...errors import RefbenchError
from ...files import canonical_json, write_text
from ...records.ids import lq_folder_name
from ...records.lq_set import DRAWS, INFO, LqInfo, LqRow, read_rows
from ..recipes.recipe import Recipe

NAME = ".rows.jsonl"


class ResumeLog:
    """Log of the finished images of one recipe and seed; ``add`` appends a row once its image is written."""

    def __init__(self, folder: Path, header: dict[str, Any], rows: dict[str, LqRow]) -> None:
        self.folder = folder
        self.header = header
        self.rows = rows
        self._stream: IO[str] | None = None

    @classmethod
    def open(cls, folder: Path, recipe: Recipe, seed: int) -> ResumeLog:
        """Open the log of a folder with the rows of an earlier run of the same recipe and seed.

        Raises:
            RefbenchError: the folder holds LQ images of another recipe or seed.
        """
        header = {"recipe": recipe.id, "fingerprint": recipe.fingerprint, "seed": seed}
        before, rows = _existing_rows(folder)
        if before not in (None, header) and rows:
            present = f"{folder} holds LQ images of {before['recipe']}, seed {before['seed']}"
            wanted = f"{recipe.id}, seed {seed}"
            changed = "" if (before["recipe"], before["seed"]) != (recipe.id, seed) else ", with other steps"
            fix = f"name that recipe ({before['recipe']}), remove that folder, or name yours differently"
            if before["seed"] != seed and before["recipe"] == recipe.id and before["seed"]:
                fix = f"rename that folder to {lq_folder_name(recipe.name, before['seed'])}"
            raise RefbenchError(f"{present}{changed}; for {wanted}, {fix}")
        return cls(folder, header, {row.key: row for row in rows})

    def __enter__(self) -> ResumeLog:
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

    def add(self, row: LqRow) -> None:
        """Append a row unless the log has it."""
        if self._stream is not None and self.rows.get(row.key) != row:
            self._stream.write(canonical_json(asdict(row)) + "\n")
            self._stream.flush()

    def remove(self) -> None:
        """Delete the log: the folder is complete."""
        (self.folder / NAME).unlink(missing_ok=True)


def _existing_rows(folder: Path) -> tuple[dict[str, Any] | None, list[LqRow]]:
    log = folder / NAME
    if log.is_file():
        lines = list(_lines(log))
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
