"""The log of a run: means of the losses in a CSV file, and beside it for TensorBoard."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from torch import Tensor

from ...files import write_text
from ...progress import say

INSTALL = "pip install tensorboard"


@dataclass
class Log:
    """Means of losses between lines of a CSV file; the file tells nothing that differs between two runs."""

    sums: dict[str, float] = field(default_factory=dict)
    count: int = 0
    step: int = 0
    last: dict[str, float] = field(default_factory=dict)

    def add(self, losses: Mapping[str, Tensor]) -> None:
        """Count the losses of a step."""
        for name, value in losses.items():
            self.sums[name] = self.sums.get(name, 0.0) + float(value)
        self.count += 1

    def means(self) -> dict[str, float]:
        """Means since the last line; right after a line, what it says."""
        return {n: total / self.count for n, total in self.sums.items()} if self.count else dict(self.last)

    def write(self, path: Path, step: int, rate: float) -> None:
        """Add a line and begin anew."""
        append_row(path, {"step": step, "rate": rate, **self.means()})
        self.last, self.sums, self.count, self.step = self.means(), {}, 0, step


def append_row(path: Path, row: Mapping[str, float]) -> None:
    """Add a line to a CSV file of numbers, atomically."""
    _write_rows(path, [*_rows(path), {name: repr(value) for name, value in row.items()}])


def cut(path: Path, step: int) -> None:
    """Leave out the lines of a CSV file that are newer than ``step``."""
    rows = _rows(path)
    kept = [row for row in rows if int(row["step"]) <= step]
    if len(kept) < len(rows):
        _write_rows(path, kept)


class Board:
    """The same numbers for TensorBoard, below ``tensorboard/``; without the package, nothing but a word."""

    def __init__(self, out: Path, step: int, wanted: bool) -> None:
        self.writer: Any = None
        if not wanted:
            return
        try:
            from torch.utils.tensorboard import SummaryWriter
        except ImportError:
            say(f"no log for TensorBoard: it is not installed ({INSTALL}); log.csv has the same numbers")
            return
        self.writer = SummaryWriter(str(out / "tensorboard"), purge_step=step + 1)

    def write(self, step: int, values: Mapping[str, float]) -> None:
        """Write numbers of a step."""
        for name, value in values.items() if self.writer is not None else ():
            self.writer.add_scalar(name, value, step)

    def close(self) -> None:
        """Write out what is left."""
        if self.writer is not None:
            self.writer.close()


def time_left(seconds: float) -> str:
    """Hours and minutes, such as ``1:05 h``; nothing known is ``? h``."""
    if not math.isfinite(seconds):
        return "? h"
    minutes = round(seconds / 60)
    return f"{minutes // 60}:{minutes % 60:02d} h"


def _rows(path: Path) -> list[dict[str, str]]:
    if not path.exists():
        return []
    with path.open(newline="", encoding="utf-8") as stream:
        return list(csv.DictReader(stream))


def _write_rows(path: Path, rows: list[dict[str, str]]) -> None:
    names = list(dict.fromkeys(name for row in rows for name in row))
    text = io.StringIO()
    writer = csv.DictWriter(text, names, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    write_text(path, text.getvalue())
