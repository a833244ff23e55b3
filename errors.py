"""What goes wrong, said so that the reader can mend it: what came, what was wanted, what to do."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar


class RefbenchError(Exception):
    """Wrong use, or an environment that cannot do the job. The command line ends with exit code 2."""

    exit_code: ClassVar[int] = 2


class FaultyInput(RefbenchError):
    """An input that was judged and found faulty. The command line ends with exit code 1."""

    exit_code: ClassVar[int] = 1


class UnreadableImage(FaultyInput):
    """An image file that cannot be used, with the file and the reason in one line."""

    def __init__(self, path: Path, reason: str) -> None:
        super().__init__(f"{path}: {reason}")
        self.path = path
        self.reason = reason


class FaultList(FaultyInput):
    """Every fault of one input at once, so that nobody mends them one run at a time."""

    def __init__(self, subject: str, faults: Sequence[str], mend: str = "") -> None:
        noun = "fault" if len(faults) == 1 else "faults"
        lines = [f"{subject}: {len(faults)} {noun}", *(f"  - {fault}" for fault in faults)]
        super().__init__("\n".join([*lines, mend] if mend else lines))
        self.subject = subject
        self.faults = tuple(faults)
