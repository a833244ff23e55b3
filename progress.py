"""Progress on stderr: a bar for people, one closing line for logs, nothing on stdout."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from .names import terminal_safe

Item = TypeVar("Item")
Advance = Callable[[int], None]


def say(line: str) -> None:
    """Print one line for people on stderr; what would command the terminal is escaped."""
    print(terminal_safe(line), file=sys.stderr, flush=True)


@contextmanager
def progress(label: str, total: int) -> Iterator[Advance]:
    """Show ``label`` moving towards ``total``; the yielded function takes the number of items just done."""
    done = 0
    start = time.monotonic()
    if sys.stderr.isatty():
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
        with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
            task = bar.add_task(label, total=total)

            def advance(count: int) -> None:
                nonlocal done
                done += count
                bar.advance(task, count)

            yield advance
    else:

        def count_only(count: int) -> None:
            nonlocal done
            done += count

        yield count_only
    say(f"{label}: {done} of {total} in {time.monotonic() - start:.1f} s")


def track(label: str, items: Iterable[Item], total: int) -> Iterator[Item]:
    """Iterate over ``items`` under a progress bar that expects ``total`` of them."""
    with progress(label, total) as advance:
        for item in items:
            yield item
            advance(1)
