"""Where the files of an archive go: one folder, fit names, limits, and every fault told."""

from __future__ import annotations

import lzma
import re
import struct
import tarfile
import unicodedata
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from .faults import FaultBook, Kind

BLOCK = 1 << 16
RESERVED = re.compile(r"(?i)^(con|prn|aux|nul|com\d|lpt\d)(\.|$)")
UNFIT = re.compile(r'[\x00-\x1f\x7f<>:"|?*\\]')

PACK_AGAIN = "pack the folder again with zip or tar"
UNREADABLE = Kind("the archive is damaged", PACK_AGAIN)
ESCAPES = Kind("a name that leads out of the folder", "pack with plain relative names")
UNFIT_NAME = Kind(
    "a name that not every disk can hold", 'rename it: no control characters, none of <>:"|?*\\'
)
TWICE = Kind("stands twice in the archive", "keep one")
COLLISION = Kind(
    "names that differ only in the case of letters", "keep one; some disks hold only one of them"
)
LINK = Kind("a link or a device", "pack the file itself")
LOCKED = Kind("encrypted", "pack it without a password")
METHOD = Kind("compressed in a way that is not read here", "use deflate (zip) or gzip, bzip2, xz (tar)")
TOO_MANY = Kind(
    "more files than a submission may have", "pack the restored images and the card, nothing else"
)
TOO_BIG = Kind("unpacks to more than is allowed", "pack 8-bit PNGs of the set's size, nothing else")
BOMB = Kind("unpacks to far more than its packed size: PNGs do not shrink like that", PACK_AGAIN)
DAMAGED = Kind("cannot be unpacked: damaged or cut off", PACK_AGAIN)


@dataclass(frozen=True, slots=True)
class Limits:
    """What an archive may unpack to: number of entries, bytes in one file and in all, and growth."""

    entries: int = 200_000
    file_bytes: int = 200 << 20
    total_bytes: int = 64 << 30
    ratio: float = 200.0
    ratio_floor: int = 16 << 20


DAMAGE = (
    OSError,
    EOFError,
    ValueError,
    NotImplementedError,
    RuntimeError,
    MemoryError,
    struct.error,
    tarfile.TarError,
    zipfile.BadZipFile,
    zlib.error,
    lzma.LZMAError,
)


class StopError(Exception):
    """Nothing more can be read from this archive; the fault was noted."""


@dataclass
class Sink:
    """Where files may be written, and how much more of them; all writing goes through here."""

    root: Path
    packed_bytes: int
    limits: Limits
    book: FaultBook
    written: int = 0
    entries: int = 0
    seen: dict[str, str] = field(default_factory=dict)

    def count(self) -> None:
        """Count one entry, and stop at the limit."""
        self.entries += 1
        if self.entries > self.limits.entries:
            self.book.add(TOO_MANY, f"over {self.limits.entries:,} entries")
            raise StopError

    def place(self, name: str) -> Path | None:
        """The path to write an entry to, or None where its name forbids it (and the fault is noted)."""
        name = name.removeprefix("./")
        parts = name.split("/")
        folded = unicodedata.normalize("NFC", name).casefold()
        if name.startswith(("/", "\\")) or ".." in parts or re.match(r"^[A-Za-z]:", name) or "..\\" in name:
            self.book.add(ESCAPES, name)
        elif UNFIT.search(name) or any(_is_unfit(part) for part in parts) or len(parts) > 8:
            self.book.add(UNFIT_NAME, name)
        elif self.seen.get(folded) == name:
            self.book.add(TWICE, name)
        elif folded in self.seen:
            self.book.add(COLLISION, f"{self.seen[folded]} and {name}")
        else:
            self.seen[folded] = name
            return self.root.joinpath(*parts)
        return None

    def write(self, name: str, blocks: Iterator[bytes]) -> None:
        """Write one file block by block; stops at the limits. A faulty file is left out."""
        path = self.place(name)
        if path is None:
            return
        size = 0
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with path.open("xb") as out:
                for block in blocks:
                    size += len(block)
                    self._measure(name, size, len(block))
                    out.write(block)
        except DAMAGE as error:
            if path.is_file():
                path.unlink()
            self.book.add(DAMAGED, name, reason(error))

    def skip(self, size: int) -> None:
        """Count bytes that were unpacked on the way and not written."""
        self._measure("", 0, size)

    def _measure(self, name: str, size: int, more: int) -> None:
        self.written += more
        if size > self.limits.file_bytes:
            self.book.add(TOO_BIG, name, f"over {self.limits.file_bytes >> 20} MiB in one file")
            raise StopError
        if self.written > self.limits.total_bytes:
            self.book.add(TOO_BIG, "", f"over {self.limits.total_bytes >> 30} GiB in all")
            raise StopError
        if self.written > max(self.limits.ratio * self.packed_bytes, self.limits.ratio_floor):
            self.book.add(BOMB, name)
            raise StopError


def reason(error: Exception) -> str:
    """Why reading failed, in one short line."""
    return (str(error) or type(error).__name__).split("\n")[0][:80]


def _is_unfit(part: str) -> bool:
    too_long = len(part.encode("utf-8", "surrogateescape")) > 200
    return part in ("", ".") or too_long or part.endswith((".", " ")) or bool(RESERVED.match(part))
