"""Safe extraction of untrusted archives: one folder, portable names, limits on size, every fault reported.

The formats are read in `zips` and `tars`; every byte that reaches the disk passes `SafeExtractor`.
"""

from __future__ import annotations

import lzma
import re
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from ...names import NOT_PORTABLE, is_portable, normal
from .faults import FaultKind, FaultLog

BLOCK = 1 << 16

PACK_AGAIN = "pack the folder again with zip or tar"
UNREADABLE = FaultKind("the archive is damaged", PACK_AGAIN)
ESCAPES = FaultKind("a name that leads out of the folder", "pack with plain relative names")
BAD_NAME = FaultKind(
    "a name that not every disk can hold", 'rename it: no control characters, none of <>:"|?*\\'
)
BACKSLASH = FaultKind(
    "a name with backslashes, as some Windows programs write them between folders",
    "pack the folder again with another program",
)
TWICE = FaultKind("is in the archive twice", "keep one")
COLLISION = FaultKind(
    "names that differ only in the case of letters", "keep one; some disks hold only one of them"
)
LINK = FaultKind("a link or a device", "pack the file itself")
SPARSE = FaultKind("a sparse file", "pack without the option --sparse of tar")
LOCKED = FaultKind("encrypted", "pack it without a password")
METHOD = FaultKind("compressed by an unsupported method", "use deflate (zip) or gzip, bzip2, xz (tar)")
TOO_MANY = FaultKind(
    "more files than a submission may have", "pack the restored images and the card, nothing else"
)
TOO_BIG = FaultKind("unpacks to more than is allowed", "pack 8-bit PNGs of the set's size, nothing else")
BOMB = FaultKind("unpacks to far more than its packed size: PNGs do not shrink like that", PACK_AGAIN)
DAMAGED = FaultKind("cannot be unpacked: damaged or cut off", PACK_AGAIN)


@dataclass(frozen=True, slots=True)
class ArchiveLimits:
    """What an archive may unpack to.

    Attributes:
        entries: most entries, folders included.
        file_bytes: most bytes in one file.
        total_bytes: most bytes of all entries together, those that are not written included.
        ratio: most bytes unpacked per byte of the archive.
        ratio_floor: bytes below which ``ratio`` is not looked at.
    """

    entries: int = 200_000
    file_bytes: int = 200 << 20
    total_bytes: int = 64 << 30
    ratio: float = 200.0
    ratio_floor: int = 16 << 20


READ_ERRORS = (
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


class ExtractionStoppedError(Exception):
    """A limit was reached and the fault was reported: nothing more is read from this archive."""


@dataclass
class SafeExtractor:
    """Writes the files of one archive below ``root`` and counts them against the limits.

    Attributes:
        root: empty folder to write to.
        packed_bytes: size of the archive.
        limits: of entries and bytes.
        faults: where faults are reported.
        unpacked: bytes so far, of all entries together.
        entries: how many so far.
        seen: names so far, by their form on a disk that ignores case.
    """

    root: Path
    packed_bytes: int
    limits: ArchiveLimits
    faults: FaultLog
    unpacked: int = 0
    entries: int = 0
    seen: dict[str, str] = field(default_factory=dict)

    def count_entry(self) -> None:
        """Count one entry.

        Raises:
            ExtractionStoppedError: there are more than the limit.
        """
        self.entries += 1
        if self.entries > self.limits.entries:
            self.faults.add(TOO_MANY, f"over {self.limits.entries:,} entries")
            raise ExtractionStoppedError

    def path_of(self, name: str) -> Path | None:
        """The path to write an entry to; None, and a fault, where its name is not allowed."""
        name = name.removeprefix("./")
        parts = name.split("/")
        folded = normal(name).casefold()
        if name.startswith(("/", "\\")) or ".." in parts or re.match(r"^[A-Za-z]:", name) or "..\\" in name:
            self.faults.add(ESCAPES, name)
        elif "\\" in name and not NOT_PORTABLE.search(name.replace("\\", "")):
            self.faults.add(BACKSLASH, name)
        elif not all(is_portable(part) for part in parts) or len(parts) > 8:
            self.faults.add(BAD_NAME, name)
        elif self.seen.get(folded) == name:
            self.faults.add(TWICE, name)
        elif folded in self.seen:
            self.faults.add(COLLISION, f"{self.seen[folded]} and {name}")
        else:
            self.seen[folded] = name
            return self.root.joinpath(*parts)
        return None

    def write(self, name: str, blocks: Iterator[bytes]) -> None:
        """Write one file block by block; a damaged one is removed again and reported.

        Raises:
            ExtractionStoppedError: a limit was reached.
        """
        path = self.path_of(name)
        if path is None:
            return
        size = 0
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with path.open("xb") as out:
                for block in blocks:
                    size += len(block)
                    self._count_bytes(name, size, len(block))
                    out.write(block)
        except READ_ERRORS as error:
            if path.is_file():
                path.unlink()
            self.faults.add(DAMAGED, name, reason(error))

    def count_skipped(self, size: int) -> None:
        """Count ``size`` bytes that were unpacked and not written.

        Raises:
            ExtractionStoppedError: a limit was reached.
        """
        self._count_bytes("", 0, size)

    def _count_bytes(self, name: str, size: int, more: int) -> None:
        """Count ``more`` bytes of a file of which ``size`` bytes are unpacked."""
        self.unpacked += more
        if size > self.limits.file_bytes:
            self.faults.add(TOO_BIG, name, f"over {self.limits.file_bytes >> 20} MiB in one file")
            raise ExtractionStoppedError
        if self.unpacked > self.limits.total_bytes:
            self.faults.add(TOO_BIG, "", f"over {self.limits.total_bytes >> 30} GiB in all")
            raise ExtractionStoppedError
        if self.unpacked > max(self.limits.ratio * self.packed_bytes, self.limits.ratio_floor):
            self.faults.add(BOMB, name)
            raise ExtractionStoppedError


def reason(error: Exception) -> str:
    """Why reading failed, in at most 80 characters."""
    return (str(error) or type(error).__name__).split("\n")[0][:80]
