"""The report that all benchmarks print: rows of name, peer, ours, unit, ratio and goal; JSON; the exit code.

A benchmark is one function that adds rows to a `Report`; `main` parses the shared flags, runs it and prints.

    def measure(given, report):
        report.add("search", unit="s", ours=1.2, peer=20.0, goal="ratio >= 15")

    if __name__ == "__main__":
        sys.exit(main(measure, __doc__))

``--json`` prints ``{"benchmark": ..., "quick": ..., "machine": {...}, "workload": {...}, "seconds": ...,
"rows": [...]}``. Exit code 1 exactly when a row with a goal falls short of it. A row whose peer or weights
are not installed is skipped: it stays in the table, with the reason, and neither reaches its goal nor falls
short.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import re
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Literal

import torch
from refbench.errors import RefbenchError
from refbench.version import __version__

Better = Literal["lower", "higher"]
Arguments = Callable[[argparse.ArgumentParser], None]
FULL_RUN = "in a full run:"
NUMBER = r"([-+.\d]+(?:e[-+]?\d+)?)"
GOAL = re.compile(rf"(ratio|ours) (>=|<=) {NUMBER}")
RANGE = re.compile(rf"(ratio|ours) in {NUMBER} to {NUMBER}")
FLAGS = ("avx2", "avx512f", "avx512_vnni", "avx512_bf16", "amx_tile", "amx_bf16")


@dataclass(frozen=True)
class Row:
    """One figure of ours beside a peer's.

    Attributes:
        name: what was measured, and the peer by name where there is one.
        peer, ours: in ``unit``; None where nothing was measured.
        unit: of both, for instance ``s``, ``images/s`` or ``%``.
        ratio: how many times as good ours is as the peer; above 1 ours is better. None without a peer.
        goal: ``ratio >= 2``, ``ours <= 0.15`` or ``ours in 93 to 97``; None for a figure that is only told.
        reached: None without a goal and for what was not measured.
        note: why there is no figure or no verdict.
    """

    name: str
    peer: float | None
    ours: float | None
    unit: str
    ratio: float | None
    goal: str | None
    reached: bool | None
    note: str = ""


@dataclass
class Report:
    """The rows of one benchmark and the workload they were measured on."""

    benchmark: str
    quick: bool = False
    workload: dict[str, Any] = field(default_factory=dict)
    rows: list[Row] = field(default_factory=list)
    skipped: dict[str, str] = field(default_factory=dict)
    seconds: float = 0.0

    def add(
        self,
        name: str,
        *,
        unit: str,
        ours: float,
        peer: float | None = None,
        better: Better = "lower",
        goal: str | None = None,
        judged_when_quick: bool = True,
    ) -> None:
        """Add a measured row.

        With ``judged_when_quick`` False a ``--quick`` run notes the goal of the full run and does not judge.

        Raises:
            ValueError: a goal that cannot be read, or one for the ratio of a row without a peer.
        """
        ratio = None
        if peer is not None:
            above, below = (peer, ours) if better == "lower" else (ours, peer)
            ratio = above / below if below else None
        reached = None if goal is None else _reached(goal, ours, ratio)
        note = ""
        if self.quick and goal is not None and not judged_when_quick:
            goal, reached, note = None, None, f"{FULL_RUN} {goal}"
        self.rows.append(Row(name, peer, ours, unit, ratio, goal, reached, note))

    def skip(self, name: str, why: str, *, unit: str = "", goal: str | None = None) -> None:
        """Add a row that could not be measured, with the reason."""
        self.skipped[name] = why
        self.rows.append(Row(name, None, None, unit, None, goal, None, f"skipped: {why}"))

    @contextmanager
    def skipping(self, name: str, *, unit: str = "", goal: str | None = None) -> Iterator[None]:
        """Skip this row where what the block needs is not here: a package, weights, or a program."""
        try:
            yield
        except ModuleNotFoundError as error:
            self.skip(name, f"{error.name} is not installed", unit=unit, goal=goal)
        except (RefbenchError, FileNotFoundError) as error:
            self.skip(name, str(error).splitlines()[0], unit=unit, goal=goal)

    @property
    def short(self) -> list[Row]:
        """The rows that fall short of their goal."""
        return [row for row in self.rows if row.reached is False]

    def as_dict(self) -> dict[str, Any]:
        """What ``--json`` prints."""
        return {
            "benchmark": self.benchmark,
            "quick": self.quick,
            "machine": machine(),
            "workload": self.workload,
            "seconds": round(self.seconds, 1),
            "rows": [asdict(row) for row in self.rows],
        }

    def as_text(self) -> str:
        """The table, and one line each for what was skipped, was not judged, fell short, and was reached."""
        about = ", ".join(f"{name} {value}" for name, value in self.workload.items())
        here = machine()
        lines = [
            f"{self.benchmark}{' --quick' if self.quick else ''}: {about}",
            f"{here['processor']}, {here['cores']} cores, {here['threads']} threads, "
            f"{' '.join(here['flags']) or 'no vector flags known'}; {self.seconds:.0f} s",
            "",
            "| name | peer | ours | unit | ratio | goal | reached |",
            "| --- | --- | --- | --- | --- | --- | --- |",
        ]
        for row in self.rows:
            verdict = {True: "yes", False: "NO", None: ""}[row.reached]
            figures = (_shown(row.peer), _shown(row.ours), row.unit, _shown(row.ratio))
            cells = (row.name, *figures, row.goal or "", verdict or row.note)
            lines.append(f"| {' | '.join(cells)} |")
        return "\n".join([*lines, "", *self.verdict()])

    def verdict(self) -> list[str]:
        """What to know of the goals, in lines."""
        lines = []
        if self.skipped:
            told = "; ".join(f"{name} ({why})" for name, why in self.skipped.items())
            lines.append(f"skipped: {told}")
        unjudged = sum(row.note.startswith(FULL_RUN) for row in self.rows)
        if unjudged:
            lines.append(f"not judged with --quick: {unjudged} goals of a full run")
        for row in self.short:
            lines.append(
                f"falls short: {row.name}: {row.goal}, ratio {_shown(row.ratio)}, ours {_shown(row.ours)}"
            )
        judged = [row for row in self.rows if row.reached is not None]
        reached = len(judged) - len(self.short)
        lines.append(
            f"{reached} of {len(judged)} judged goals are reached" if judged else "no goal was judged"
        )
        return lines


def main(
    measure: Callable[[argparse.Namespace, Report], None],
    doc: str | None,
    arguments: Arguments | None = None,
    *,
    words: list[str] | None = None,
) -> int:
    """Run a benchmark: parse the flags, measure, print; returns the exit code.

    ``arguments`` adds the benchmark's own flags; ``words`` stand for the command line.
    """
    given = parser_for(doc, arguments).parse_args(words)
    report = Report(benchmark=Path(sys.modules[measure.__module__].__file__ or "").stem, quick=given.quick)
    start = time.monotonic()
    measure(given, report)
    report.seconds = time.monotonic() - start
    print(json.dumps(report.as_dict(), indent=2) if given.json else report.as_text())
    return 1 if report.short else 0


def parser_for(doc: str | None, arguments: Arguments | None = None) -> argparse.ArgumentParser:
    """The parser with the flags that all benchmarks share, and those that ``arguments`` adds."""
    form = partial(argparse.RawDescriptionHelpFormatter, width=110)
    parser = argparse.ArgumentParser(description=doc, formatter_class=form)
    parser.add_argument("--quick", action="store_true", help="smaller, within a minute on any processor")
    parser.add_argument("--json", action="store_true", help="print the same as JSON")
    if arguments is not None:
        arguments(parser)
    return parser


def machine() -> dict[str, Any]:
    """What the figures depend on: processor, vector flags, cores, threads, accelerator and versions."""
    known = _cpuinfo()
    flags = known.get("flags", "").split()
    affinity = getattr(os, "sched_getaffinity", None)
    cores = len(affinity(0)) if affinity else os.cpu_count()
    return {
        "processor": known.get("model name") or platform.processor() or platform.machine(),
        "flags": [flag for flag in FLAGS if flag in flags],
        "cores": cores,
        "threads": torch.get_num_threads(),
        "accelerator": torch.cuda.get_device_name() if torch.cuda.is_available() else None,
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "torch": torch.__version__,
        "refbench": __version__,
    }


def _cpuinfo() -> dict[str, str]:
    try:
        first = Path("/proc/cpuinfo").read_text("utf-8").split("\n\n")[0]
    except OSError:
        return {}
    pairs = (line.partition(":") for line in first.splitlines())
    return {name.strip(): value.strip() for name, _, value in pairs}


def _reached(goal: str, ours: float, ratio: float | None) -> bool:
    read = GOAL.fullmatch(goal) or RANGE.fullmatch(goal)
    if read is None:
        raise ValueError(
            f"{goal!r} is no goal; write for instance 'ratio >= 2', 'ours <= 0.15' or 'ours in 93 to 97'"
        )
    value = ours if read[1] == "ours" else ratio
    if value is None:
        raise ValueError(f"{goal!r} needs a peer")
    if read.re is RANGE:
        return float(read[2]) <= value <= float(read[3])
    return value >= float(read[3]) if read[2] == ">=" else value <= float(read[3])


def _shown(value: float | None) -> str:
    if value is None:
        return ""
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}"
