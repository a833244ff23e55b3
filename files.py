"""Files that are whole or absent: atomic replacement, content hashes, canonical JSON and Parquet."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

StrPath = str | os.PathLike[str]
"""A path as `Path`, string or any other object of a path."""

CHUNK = 1 << 20


def paths_of(paths: Iterable[StrPath] | StrPath) -> list[Path]:
    """The paths of a sequence, or the one path that stands for a sequence of one."""
    return [Path(path) for path in ([paths] if isinstance(paths, str | os.PathLike) else paths)]


def names_of(names: Iterable[str] | str) -> list[str]:
    """The names of a sequence, or the one name that stands for a sequence of one."""
    return [names] if isinstance(names, str) else list(names)


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yield a path beside ``path`` to write to; on success it is flushed to disk and takes ``path``'s place.

    On any error, Ctrl-C included, the partial file is removed and ``path`` stays as it was. The partial
    name is fixed, so what a killed run leaves behind is overwritten by the next one.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.part")
    try:
        yield partial
        with partial.open("rb") as written:
            os.fsync(written.fileno())
        partial.replace(path)
    except BaseException:
        partial.unlink(missing_ok=True)
        raise


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
    write_text(path, json.dumps(value, sort_keys=True, indent=2, ensure_ascii=False, allow_nan=False) + "\n")


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
