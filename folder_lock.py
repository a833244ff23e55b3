"""A lock on an output folder, so that two runs at once never write into one folder.

The lock is a file lock of the operating system (`filelock`), which ends with the process that holds it,
and a note beside it that says who holds it: machine, process, command, since when. Where the file system
has no locks, as on some network mounts, the note alone decides. A lock that a killed run left is taken over.
"""

from __future__ import annotations

import errno
import functools
import inspect
import json
import os
import shlex
import socket
import sys
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from contextvars import ContextVar
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import ParamSpec, TypeVar

from .errors import RefbenchError
from .files import is_running, machine_id, sha256_bytes, sweep_partials, write_text

P = ParamSpec("P")
R = TypeVar("R")

LOCK, HOLDER = ".refbench.lock", ".refbench.lock.json"
UNFINISHED = ".refbench.unfinished"
NAMES = frozenset({LOCK, HOLDER, UNFINISHED})
HEARTBEAT = 20.0  # seconds between signs of life of a holder
SILENCE = 120.0  # seconds after which a holder on another machine counts as dead
LONGEST_COMMAND = 200
CANNOT_LOCK = (errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP, errno.ENOTSUP)
CANNOT_WRITE = (errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR, errno.EEXIST)

_held: ContextVar[frozenset[Path]] = ContextVar("_held", default=frozenset())


class FolderInUseError(RefbenchError):
    """Another run is at work in the folder. The command line ends with exit code 2."""


@dataclass(frozen=True, slots=True)
class Holder:
    """Who holds a folder.

    Attributes:
        host: name of the machine.
        pid: process id.
        machine: see `files.machine_id`; tells containers of one machine apart.
        command: the command line of the process.
        since: start of the run, ISO 8601 in UTC.
    """

    host: str
    pid: int
    machine: str
    command: str
    since: str

    @classmethod
    def me(cls) -> Holder:
        """This process."""
        program = Path(sys.argv[0]).name
        words = ("refbench" if program == "__main__.py" else program, *sys.argv[1:])
        command = " ".join(map(shlex.quote, words))
        if len(command) > LONGEST_COMMAND:
            command = f"{command[:LONGEST_COMMAND]}..."
        since = datetime.now(UTC).isoformat(timespec="seconds")
        return cls(socket.gethostname(), os.getpid(), machine_id(), command, since)

    @classmethod
    def read(cls, path: Path) -> Holder | None:
        """The holder that a note names; None where there is none, or one cut off by a kill."""
        try:
            return cls(**json.loads(path.read_text("utf-8")))
        except (OSError, ValueError, TypeError):
            return None

    def __str__(self) -> str:
        return f"process {self.pid} on {self.host}, `{self.command}`, since {self.since}"


@contextmanager
def folder_lock(folder: Path, *, sweep: bool = True) -> Iterator[None]:
    """Hold an output folder for the time of a run.

    The folder is created if it is absent, and removed again if nothing was written. Partial files of killed
    runs in it are removed. A folder that this thread of work holds already is simply used, so that verbs may
    call one another. A folder that cannot be written is not locked; nothing can go wrong in it.

    Args:
        folder: where the run writes.
        sweep: remove partial files of killed runs.

    Raises:
        FolderInUseError: another run is at work there; the message says whose.
    """
    place = folder.absolute()
    with suppress(OSError):
        place = folder.resolve()
    if place in _held.get():
        yield
        return
    made = _missing_folders(place)
    taking = False
    try:
        try:
            place.mkdir(parents=True, exist_ok=True)
            taking = place.is_dir()
        except OSError as error:
            if error.errno not in CANNOT_WRITE:
                raise
            taking = False
        with ExitStack() as stack:
            if taking:
                stack.enter_context(_lock(folder, place))
                if sweep:
                    sweep_partials(place)
            token = _held.set(_held.get() | {place})
            stack.callback(_held.reset, token)
            yield
    finally:
        with suppress(OSError):
            if taking and not has_files(place):
                finish(place)
        for one in made:
            with suppress(OSError):
                one.rmdir()


def locks(parameter: str) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Decorator: hold the folder in the argument ``parameter`` while the function runs, see `folder_lock`."""

    def decorate(function: Callable[P, R]) -> Callable[P, R]:
        signature = inspect.signature(function)

        @functools.wraps(function)
        def locked(*args: P.args, **kwargs: P.kwargs) -> R:
            given = signature.bind(*args, **kwargs).arguments
            with folder_lock(Path(given[parameter])):
                return function(*args, **kwargs)

        return locked

    return decorate


def has_files(folder: Path) -> bool:
    """Whether a folder holds anything but the files of its lock."""
    return any(entry.name not in NAMES for entry in folder.iterdir())


def begin(folder: Path, what: str) -> bool:
    """Begin to write into a new or empty folder; False where it holds files of anything else.

    Until `finish` the folder has a note of what is being written, so that the same command goes on in it
    after an interruption.

    Args:
        folder: where the run writes; locked.
        what: everything that decides what is written.
    """
    note = folder / UNFINISHED
    wanted = sha256_bytes(what.encode("utf-8", "surrogateescape"))
    if folder.exists() and (not folder.is_dir() or has_files(folder)):
        return note.is_file() and note.read_text("utf-8", "replace") == wanted
    folder.mkdir(parents=True, exist_ok=True)
    write_text(note, wanted)
    return True


def finish(folder: Path) -> None:
    """Remove the note of `begin`: everything is written."""
    (folder / UNFINISHED).unlink(missing_ok=True)


@contextmanager
def _lock(folder: Path, place: Path) -> Iterator[None]:
    note = place / HOLDER
    with ExitStack() as stack:
        try:
            has_file_lock = _take_file_lock(stack, folder, place)
            _take_note(folder, note, has_file_lock=has_file_lock)
        except OSError as error:
            if error.errno not in CANNOT_WRITE:
                raise
            stack.close()
            yield
            return
        ended = threading.Event()
        alive = threading.Thread(target=_show_life, args=(note, ended), daemon=True, name="folder-lock")
        alive.start()
        try:
            yield
        finally:
            ended.set()
            for path in (note, place / LOCK):
                with suppress(OSError):
                    path.unlink()


def _take_file_lock(stack: ExitStack, folder: Path, place: Path) -> bool:
    """Take the lock of the operating system; False where the file system has none."""
    from filelock import FileLock, Timeout

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            stack.enter_context(FileLock(place / LOCK, timeout=0))
    except Timeout:
        raise _in_use(folder, Holder.read(place / HOLDER)) from None
    except NotImplementedError:
        return False
    except OSError as error:
        if error.errno in CANNOT_LOCK:
            return False
        raise
    return True


def _take_note(folder: Path, note: Path, *, has_file_lock: bool) -> None:
    """Write the note of the holder, exclusively; one of a dead holder is replaced.

    The note also closes two gaps of file locks: a lock file that was removed between another's opening and
    locking it, and machines whose network mount locks for each of them alone.
    """
    for _ in range(3):
        try:
            descriptor = os.open(note, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o644)
        except FileExistsError:
            before = Holder.read(note)
            if _is_alive(note, before, has_file_lock=has_file_lock):
                raise _in_use(folder, before) from None
            note.unlink(missing_ok=True)
            continue
        with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
            json.dump(asdict(Holder.me()), stream)
        return
    raise _in_use(folder, Holder.read(note))


def _is_alive(note: Path, holder: Holder | None, *, has_file_lock: bool) -> bool:
    if holder is not None and holder.machine == machine_id():
        return is_running(holder.pid) and (holder.pid != os.getpid() or not has_file_lock)
    if holder is None and has_file_lock:
        return False
    try:
        os.utime(note.parent / LOCK)  # the clock of the file system, not of this machine
        now = (note.parent / LOCK).stat().st_mtime
    except OSError:
        now = time.time()
    try:
        return now - note.stat().st_mtime < SILENCE
    except OSError:
        return False


def _show_life(note: Path, ended: threading.Event) -> None:
    while not ended.wait(HEARTBEAT):
        with suppress(OSError):
            os.utime(note)


def _in_use(folder: Path, holder: Holder | None) -> FolderInUseError:
    who = str(holder) if holder is not None else "it has just begun"
    fix = "wait until it has ended, or name another folder"
    if holder is not None and holder.machine != machine_id():
        fix = f"{fix}; if it was killed, its lock ends {SILENCE:.0f} s after its last sign of life"
    return FolderInUseError(f"{folder}: another run is at work there ({who}); {fix}")


def _missing_folders(place: Path) -> list[Path]:
    """The folders that must be made for ``place``, innermost first."""
    missing = []
    for one in (place, *place.parents):
        if one.exists():
            break
        missing.append(one)
    return missing
