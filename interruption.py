"""Signals that ask a run to stop (SIGINT, SIGTERM), raised as `KeyboardInterrupt` at a safe place.

While a module is being imported an interruption waits until the import is done: many packages written in C
turn it into another error, lose it, or end the process. A second signal comes through at once.
"""

from __future__ import annotations

import importlib
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType, TracebackType
from typing import Any, ClassVar

RETRY = 0.02  # seconds after which an interruption that waits for an import is tried again
CODES = {signal.SIGINT: 130, signal.SIGTERM: 143}


class Interruptions:
    """Handlers of SIGINT and SIGTERM for the time of a ``with`` block in the main thread.

    Attributes:
        code: exit code of the first signal that came, 130 or 143; 0 where none came.
    """

    active: ClassVar[Interruptions | None] = None

    def __init__(self) -> None:
        self.code = 0
        self.deferring = 0
        self._former: dict[signal.Signals, Any] = {}

    def __enter__(self) -> Interruptions:
        if threading.current_thread() is threading.main_thread():
            for number in CODES:
                if signal.getsignal(number) is not signal.SIG_IGN:  # as it is under nohup
                    self._handle(number, self._received)
            Interruptions.active = self
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, former in self._former.items():
            signal.signal(number, former)
        if Interruptions.active is self:
            Interruptions.active = None

    def _handle(self, number: signal.Signals, handler: Callable[[int, FrameType | None], None]) -> None:
        former = signal.signal(number, handler)
        self._former.setdefault(number, former if former is not None else signal.SIG_DFL)

    def _received(self, number: int, frame: FrameType | None) -> None:
        first = not self.code
        self.code = self.code or CODES[signal.Signals(number)]
        if first and self.deferring:
            return
        if first and _is_importing(frame) and hasattr(signal, "setitimer"):
            self._handle(signal.SIGALRM, self._try_again)
            signal.setitimer(signal.ITIMER_REAL, RETRY)
            return
        raise KeyboardInterrupt

    def _try_again(self, number: int, frame: FrameType | None) -> None:
        if _is_importing(frame):
            signal.setitimer(signal.ITIMER_REAL, RETRY)
        elif not self.deferring:
            raise KeyboardInterrupt


@contextmanager
def deferred_interruption() -> Iterator[Callable[[], bool]]:
    """Let the first interruption wait; the yielded function says whether one came.

    The caller asks between two pieces of work, puts everything in order, and raises `KeyboardInterrupt`. A
    second signal comes through at once. Without `Interruptions`, as in a notebook, nothing is deferred.
    """
    active = Interruptions.active
    if active is None:
        yield lambda: False
        return
    active.deferring += 1
    try:
        yield lambda: bool(active.code)
    finally:
        active.deferring -= 1


def _is_importing(frame: FrameType | None) -> bool:
    """Whether a frame is inside the import of a module."""
    importing = importlib._bootstrap.__name__
    while frame is not None:
        if frame.f_globals.get("__name__") == importing:
            return True
        frame = frame.f_back
    return False
