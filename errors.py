"""Exceptions of the package: each says what came, what was wanted and how to fix it."""

from __future__ import annotations

from collections.abc import Sequence
from os import PathLike, fspath
from pathlib import Path
from typing import Any, ClassVar

from .names import printable


class RefbenchError(Exception):
    """Wrong use, or an environment that cannot do the job. The command line ends with exit code 2."""

    exit_code: ClassVar[int] = 2


class InvalidInputError(RefbenchError):
    """An input that was judged and found faulty. The command line ends with exit code 1."""

    exit_code: ClassVar[int] = 1


class UnreadableImageError(InvalidInputError):
    """An image file that cannot be used, with the file and the reason in one line."""

    def __init__(self, path: str | PathLike[str], reason: str) -> None:
        path = Path(path)
        super().__init__(f"{printable(str(path))}: {printable(reason)}")
        self.path = path
        self.reason = reason


class UnreadableTextError(InvalidInputError):
    """A text file that cannot be used, with the file and the reason in one line."""

    def __init__(self, path: str | PathLike[str], reason: str) -> None:
        super().__init__(f"{printable(fspath(path))}: {reason}")
        self.path = path
        self.reason = reason


class FaultListError(InvalidInputError):
    """Every fault of one input at once, so that nobody has to fix them one run at a time."""

    def __init__(self, subject: str, faults: Sequence[str], fix: str = "") -> None:
        noun = "fault" if len(faults) == 1 else "faults"
        lines = [f"{subject}: {len(faults)} {noun}", *(f"  - {printable(fault)}" for fault in faults)]
        super().__init__("\n".join([*lines, fix] if fix else lines))
        self.subject = subject
        self.faults = tuple(faults)


OLD_NAMES = {
    "FaultList": FaultListError,
    "FaultyInput": InvalidInputError,
    "UnreadableImage": UnreadableImageError,
}


def __getattr__(name: str) -> Any:
    """The exceptions by their names in 0.1."""
    if name not in OLD_NAMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from .deprecated import warn

    warn(f"{__name__}.{name}", f"{__name__}.{OLD_NAMES[name].__name__}")
    return OLD_NAMES[name]
