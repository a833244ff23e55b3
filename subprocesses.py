"""Running a program of the user: what it prints may be any bytes, and nothing of it outlives this process."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass

GRACE = 3.0  # seconds between SIGTERM and SIGKILL


@dataclass(frozen=True, slots=True)
class Ended:
    """A program that has ended: its exit code, and what it wrote to stdout and stderr as text.

    Bytes that are not UTF-8 stand as ``\\xe9``.
    """

    code: int
    stdout: str
    stderr: str

    def last_line(self) -> str:
        """The last line that it printed, of stderr where there is one; else ``no output``."""
        return (self.stderr.strip() or self.stdout.strip() or "no output").splitlines()[-1]


def run_program(
    words: Sequence[str], *, time_limit: float | None = None, environment: Mapping[str, str] | None = None
) -> Ended:
    """Run a program without a shell and wait until it has ended.

    If it takes too long, or this process is interrupted or terminated, the program and every process that it
    started are ended: SIGTERM, then SIGKILL. (On Windows the program alone.)

    Args:
        words: the program and its arguments.
        time_limit: seconds; None for no limit.
        environment: all environment variables; None for those of this process.

    Raises:
        OSError: the program cannot be started.
        subprocess.TimeoutExpired: it took longer than ``time_limit``.
    """
    process = subprocess.Popen(
        words,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=None if environment is None else dict(environment),
        start_new_session=os.name == "posix",
    )
    with process:
        try:
            out, err = process.communicate(timeout=time_limit)
        except BaseException:
            _end(process)
            raise
    return Ended(process.returncode, _text(out), _text(err))


def _text(said: bytes) -> str:
    return said.decode("utf-8", "backslashreplace")


def _end(process: subprocess.Popen[bytes]) -> None:
    if os.name != "posix":
        process.kill()
        return
    with suppress(OSError):
        os.killpg(process.pid, signal.SIGTERM)
    until = time.monotonic() + GRACE
    while time.monotonic() < until:
        process.poll()
        try:
            os.killpg(process.pid, 0)
        except OSError:
            return
        time.sleep(0.02)
    with suppress(OSError):
        os.killpg(process.pid, signal.SIGKILL)
