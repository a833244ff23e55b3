"""Training log: mean losses as rows of a CSV file, and the same numbers for TensorBoard."""

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

INSTALL_TENSORBOARD = "pip install tensorboard"


@dataclass
class Log:
    """Mean losses between rows of a CSV file. No times are written, so equal runs have equal logs."""

    sums: dict[str, float] = field(default_factory=dict)
    count: int = 0
    step: int = 0
    last: dict[str, float] = field(default_factory=dict)

    def add(self, losses: Mapping[str, Tensor]) -> None:
        """Add the losses of a step."""
        for name, value in losses.items():
            self.sums[name] = self.sums.get(name, 0.0) + float(value)
        self.count += 1

    def means(self) -> dict[str, float]:
        """Mean of each loss since the last row; directly after a row, the values of that row."""
        return {n: total / self.count for n, total in self.sums.items()} if self.count else dict(self.last)

    def write(self, path: Path, step: int, rate: float) -> None:
        """Append a row with the step, the learning rate and the means, and reset the means."""
        append_row(path, {"step": step, "rate": rate, **self.means()})
        self.last, self.sums, self.count, self.step = self.means(), {}, 0, step


def append_row(path: Path, row: Mapping[str, float]) -> None:
    """Append a row to a CSV file of numbers, atomically."""
    _write_rows(path, [*_rows(path), {name: repr(value) for name, value in row.items()}])


def truncate_rows(path: Path, step: int) -> None:
    """Remove the rows of a CSV file after ``step``: those written after the checkpoint that is resumed."""
    rows = _rows(path)
    kept = [row for row in rows if int(row["step"]) <= step]
    if len(kept) < len(rows):
        _write_rows(path, kept)


class TensorBoardLog:
    """TensorBoard event files below ``tensorboard/``; without the package, one message and no files."""

    def __init__(self, out: Path, step: int, wanted: bool) -> None:
        self.writer: Any = None
        if not wanted:
            return
        try:
            from torch.utils.tensorboard import SummaryWriter
        except ImportError:
            say(
                f"no TensorBoard files: it is not installed ({INSTALL_TENSORBOARD}); "
                "log.csv has the same numbers"
            )
            return
        self.writer = SummaryWriter(str(out / "tensorboard"), purge_step=step + 1)

    def write(self, step: int, values: Mapping[str, float]) -> None:
        """Write scalars of a step."""
        for name, value in values.items() if self.writer is not None else ():
            self.writer.add_scalar(name, value, step)

    def close(self) -> None:
        """Flush and close the event file."""
        if self.writer is not None:
            self.writer.close()


def format_time_left(seconds: float) -> str:
    """Seconds as hours and minutes, such as ``1:05 h``; ``? h`` for NaN or infinity."""
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
