"""Files that are whole or absent: atomic replacement, content hashes, canonical JSON and Parquet."""

from __future__ import annotations

import hashlib
import itertools
import json
import os
import re
import shutil
import socket
import stat
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .names import normal

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

StrPath = str | os.PathLike[str]
"""A path as `Path`, string or any other object of a path."""

CHUNK = 1 << 20
CLOSED = "a folder that cannot be opened"


def paths_of(paths: Iterable[StrPath] | StrPath) -> list[Path]:
    """The paths of a sequence, or the one path that stands for a sequence of one."""
    return [Path(path) for path in ([paths] if isinstance(paths, str | os.PathLike) else paths)]


def paths_by_key(paths: Mapping[str, StrPath]) -> dict[str, Path]:
    """The same mapping with every value as `Path`."""
    return {key: Path(path) for key, path in paths.items()}


def names_of(names: Iterable[str] | str) -> list[str]:
    """The names of a sequence, or the one name that stands for a sequence of one."""
    return [names] if isinstance(names, str) else list(names)


PARTIAL = re.compile(r"\.(?P<name>.+)\.(?P<pid>\d+)-(?P<machine>[0-9a-f]{8})-\d+\.part", re.DOTALL)
OLD_PARTIAL = re.compile(r"\..+\.(png|webp|jsonl?|ya?ml|parquet|np[yz]|csv|txt|html|safetensors|pt)\.part")
LONGEST_NAME = 200  # bytes of a name that still leave room for the process in the name of a partial file
DAY = 86_400.0
_numbers = itertools.count()


@dataclass(frozen=True, slots=True)
class FoundFiles:
    """What lies below a folder, hidden files and folders left out, in order of normalised paths.

    Attributes:
        files: plain files, and links to such.
        others: why everything else cannot be used, by its path: folders that cannot be opened, links to
            folders (which are not followed) and into nowhere, pipes, sockets, devices.
    """

    files: list[Path]
    others: dict[Path, str]


def walk_files(folder: Path) -> FoundFiles:
    """Find all files below a folder; nothing that it holds is opened.

    Raises:
        NotADirectoryError: not a folder.
        PermissionError: the folder itself cannot be opened.
    """
    files: list[Path] = []
    others: dict[Path, str] = {}
    waiting = [folder]
    while waiting:
        inside = waiting.pop()
        try:
            with os.scandir(inside) as opened:
                entries = [entry for entry in opened if not entry.name.startswith(".")]
        except OSError as error:
            if inside == folder:
                raise
            others[inside] = f"{CLOSED}: {error.strerror or error}"
            continue
        for entry in entries:
            path = inside / entry.name
            if entry.is_dir(follow_symlinks=False):
                waiting.append(path)
            elif entry.is_file():
                files.append(path)
            else:
                others[path] = _other_kind(path)

    def place(path: Path) -> tuple[str, str]:
        inner = path.relative_to(folder).as_posix()
        return normal(inner), inner

    files.sort(key=place)
    return FoundFiles(files, {path: others[path] for path in sorted(others, key=place)})


def _other_kind(path: Path) -> str:
    try:
        mode = path.stat().st_mode
    except OSError as error:
        return (
            "cannot be opened: a link into nowhere"
            if path.is_symlink()
            else f"cannot be opened: {error.strerror or error}"
        )
    if stat.S_ISDIR(mode):
        return "a link to a folder, which is not followed; name its target"
    kinds = {stat.S_IFIFO: "a named pipe", stat.S_IFSOCK: "a socket"}
    return f"{kinds.get(stat.S_IFMT(mode), 'a device')}, no file"


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yield a path beside ``path`` to write to; on success it is flushed to disk and takes ``path``'s place.

    On any error, Ctrl-C included, the partial file is removed and ``path`` stays as it was. Its name is
    unique (see `partial_path`), so that several processes and threads may write one file at the same time;
    the last one counts. What a killed run leaves behind is removed by `sweep_partials`.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = partial_path(path)
    try:
        yield partial
        with partial.open("rb") as written:
            os.fsync(written.fileno())
        partial.replace(path)
    except BaseException:
        partial.unlink(missing_ok=True)
        raise


def partial_path(path: Path) -> Path:
    """A path beside ``path`` that no other process or thread uses: ``.NAME.PID-MACHINE-NUMBER.part``."""
    name = path.name if len(os.fsencode(path.name)) <= LONGEST_NAME else sha256_bytes(os.fsencode(path.name))
    return path.with_name(f".{name}.{os.getpid()}-{machine_id()}-{next(_numbers)}.part")


@cache
def machine_id() -> str:
    """Eight hex digits for the machine, or the container on it, within which process ids are unique."""
    space = ""
    with suppress(OSError):
        space = str(Path("/proc/self/ns/pid").readlink())
    return sha256_bytes(f"{socket.gethostname()} {space}".encode())[:8]


def is_running(pid: int) -> bool:
    """Whether a process of this machine is alive; True where that cannot be found out (Windows)."""
    if os.name == "nt":
        return True
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except (OSError, OverflowError):
        return True
    return True


def sweep_partials(folder: Path) -> int:
    """Remove partial files and folders that killed runs left at or below ``folder``; returns how many.

    Only what cannot be in use is removed: names of processes of this machine that have ended, names of other
    machines that did not change for a day, and names without a process (of version 0.1), likewise.
    """
    swept = 0
    for place, folders, names in os.walk(folder):
        for name in [*names, *folders]:
            if name.startswith(".") and name.endswith(".part") and _is_stale(Path(place) / name):
                swept += 1
                if name in folders:
                    shutil.rmtree(Path(place) / name, ignore_errors=True)
                else:
                    with suppress(OSError):
                        (Path(place) / name).unlink()
    return swept


def _is_stale(partial: Path) -> bool:
    named = PARTIAL.fullmatch(partial.name)
    if named is None and not OLD_PARTIAL.fullmatch(partial.name):
        return False
    if named is not None and named["machine"] == machine_id():
        return not is_running(int(named["pid"]))
    try:
        return time.time() - partial.stat().st_mtime > DAY
    except OSError:
        return False


def write_bytes(path: Path, data: bytes) -> None:
    """Replace ``path`` by ``data`` atomically."""
    with replacing(path) as partial:
        partial.write_bytes(data)


def write_text(path: Path, text: str) -> None:
    """Replace ``path`` by UTF-8 ``text`` with Unix line ends, atomically."""
    write_bytes(path, text.encode("utf-8"))


def canonical_json(value: Any) -> str:
    """JSON with sorted keys and no needless space: equal values give equal text. NaN is refused."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def write_json(path: Path, value: Any) -> None:
    """Write ``value`` as JSON for people (sorted keys, two spaces), atomically. NaN is refused."""
    text = json.dumps(value, sort_keys=True, indent=2, ensure_ascii=False, allow_nan=False) + "\n"
    write_bytes(path, text.encode("utf-8", "backslashreplace"))  # names that are no UTF-8 as JSON's \udcXX


def write_table(path: Path, rows: pd.DataFrame | pa.Table) -> None:
    """Write a table as Parquet, atomically; the same rows and column types always give the same bytes."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    table = rows if isinstance(rows, pa.Table) else pa.Table.from_pandas(rows, preserve_index=False)
    table = table.replace_schema_metadata(None)
    with replacing(path) as partial:
        pq.write_table(table, partial, compression="zstd")


def sha256_bytes(data: bytes) -> str:
    """Hexadecimal SHA-256 of ``data``."""
    return hashlib.sha256(data).hexdigest()


def sha256_file(path: Path) -> str:
    """Hexadecimal SHA-256 of a file, read in chunks."""
    digest = hashlib.sha256()
    with path.open("rb") as stream:
        while chunk := stream.read(CHUNK):
            digest.update(chunk)
    return digest.hexdigest()


def sha256_json(value: Any) -> str:
    """Hexadecimal SHA-256 of the canonical JSON of ``value``."""
    return sha256_bytes(canonical_json(value).encode("utf-8"))
