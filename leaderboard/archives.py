"""Archives from strangers: unpacked into one folder, in bounded memory and space, with every fault told."""

from __future__ import annotations

import bz2
import gzip
import lzma
import re
import stat
import struct
import tarfile
import unicodedata
import zipfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO, cast

from .faults import FaultBook, Kind

BLOCK = 1 << 16
TAR_BLOCK = 512
LZMA_MEMORY = 128 << 20
HEADER_BYTES = 1 << 16
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


class _StopError(Exception):
    """Nothing more can be read from this archive; the fault was noted."""


@dataclass
class _Sink:
    """Where files may be written, and how much more of them."""

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
            raise _StopError

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
            self.book.add(DAMAGED, name, _reason(error))

    def skip(self, size: int) -> None:
        """Count bytes that were unpacked on the way and not written."""
        self._measure("", 0, size)

    def _measure(self, name: str, size: int, more: int) -> None:
        self.written += more
        if size > self.limits.file_bytes:
            self.book.add(TOO_BIG, name, f"over {self.limits.file_bytes >> 20} MiB in one file")
            raise _StopError
        if self.written > self.limits.total_bytes:
            self.book.add(TOO_BIG, "", f"over {self.limits.total_bytes >> 30} GiB in all")
            raise _StopError
        if self.written > max(self.limits.ratio * self.packed_bytes, self.limits.ratio_floor):
            self.book.add(BOMB, name)
            raise _StopError


def is_archive(path: Path) -> bool:
    """True for a file that begins like a zip, or (whatever its compression) like a tar."""
    with path.open("rb") as stream:
        head = stream.read(TAR_BLOCK)
    return head.startswith((b"PK\x03\x04", b"PK\x05\x06", *COMPRESSED)) or head[257:262] == b"ustar"


def unpack(path: Path, root: Path, book: FaultBook, limits: Limits) -> None:
    """Unpack the zip or tar ``path`` into the empty folder ``root``; what is wrong goes into ``book``.

    Only plain files are written, only below ``root``, and never more than ``limits`` allow.
    """
    sink = _Sink(root, path.stat().st_size, limits, book)
    try:
        with path.open("rb") as stream:
            head = stream.read(4)
            stream.seek(0)
            if head.startswith(b"PK"):
                _unpack_zip(stream, sink)
            else:
                _unpack_tar(_opened(stream), sink)
    except _StopError:
        return
    except DAMAGE as error:
        book.add(UNREADABLE, path.name, _reason(error))


def _reason(error: Exception) -> str:
    return (str(error) or type(error).__name__).split("\n")[0][:80]


def _unpack_zip(stream: BinaryIO, sink: _Sink) -> None:
    if _zip_entries(stream) > sink.limits.entries:
        sink.book.add(TOO_MANY, f"over {sink.limits.entries:,} entries")
        return
    with zipfile.ZipFile(stream) as archive:
        for info in archive.infolist():
            sink.count()
            kind = info.external_attr >> 28
            if info.filename.endswith("/"):
                continue
            if kind not in (0, stat.S_IFREG >> 12):
                sink.book.add(LINK, info.filename)
            elif info.flag_bits & 1:
                sink.book.add(LOCKED, info.filename)
            elif info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
                sink.book.add(METHOD, info.filename)
            else:
                sink.write(info.filename, _zip_blocks(archive, info))


def _zip_blocks(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> Iterator[bytes]:
    with archive.open(info) as member:
        while block := member.read(BLOCK):
            yield block


def _zip_entries(stream: BinaryIO) -> int:
    """What the end of a zip says of its number of entries, read before the directory is loaded."""
    size = stream.seek(0, 2)
    stream.seek(max(0, size - 65_557))
    tail = stream.read()
    stream.seek(0)
    at = tail.rfind(b"PK\x05\x06")
    directory = struct.unpack_from("<HHI", tail, at + 8) if 0 <= at <= len(tail) - 22 else (0, 0, 0)
    # A directory entry takes at least 46 bytes; the zip64 form only says more than 65,535.
    largest = directory[2] if directory[2] != 0xFFFFFFFF else size
    return largest // 46 if directory[1] == 0xFFFF else directory[1]


def _opened(stream: BinaryIO) -> BinaryIO:
    head = stream.read(6)
    stream.seek(0)
    for magic, opener in COMPRESSED.items():
        if head.startswith(magic):
            return opener(stream)
    return stream


class _Xz:
    """Reads xz with a bound on the memory that its header may ask for."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._inflater = lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=LZMA_MEMORY)

    def read(self, size: int) -> bytes:
        parts: list[bytes] = []
        while size and not self._inflater.eof:
            fed = self._stream.read(BLOCK) if self._inflater.needs_input else b""
            if self._inflater.needs_input and not fed:
                raise EOFError("cut off before its end")
            part = self._inflater.decompress(fed, size)
            parts.append(part)
            size -= len(part)
        return b"".join(parts)


COMPRESSED: dict[bytes, Callable[[BinaryIO], BinaryIO]] = {
    b"\x1f\x8b": lambda stream: cast("BinaryIO", gzip.GzipFile(fileobj=stream)),
    b"BZh": lambda stream: cast("BinaryIO", bz2.BZ2File(stream)),
    b"\xfd7zXZ\x00": lambda stream: cast("BinaryIO", _Xz(stream)),
}


def _unpack_tar(stream: BinaryIO, sink: _Sink) -> None:
    """Walk a tar entry by entry: plain files, with long names in the GNU and the POSIX way."""
    long_name: str | None = None
    long_size: int | None = None
    while True:
        head = _exactly(stream, TAR_BLOCK)
        if not head.strip(b"\0"):
            return
        member = tarfile.TarInfo.frombuf(head, "utf-8", "surrogateescape")
        size = member.size if long_size is None else long_size
        if size < 0:
            raise tarfile.HeaderError("negative size")
        sink.count()
        if member.type in (
            tarfile.GNUTYPE_LONGNAME,
            tarfile.GNUTYPE_LONGLINK,
            tarfile.XHDTYPE,
            tarfile.XGLTYPE,
        ):
            content = _header_content(stream, size)
            if member.type == tarfile.GNUTYPE_LONGNAME:
                long_name = content.rstrip(b"\0").decode("utf-8", "surrogateescape")
            elif member.type == tarfile.XHDTYPE:
                said = _pax(content)
                long_name = said.get("path", long_name)
                long_size = int(said["size"]) if said.get("size", "").isdecimal() else None
            continue
        name = member.name if long_name is None else long_name
        blocks = _tar_blocks(stream, size)
        if member.isreg() and not member.issparse():
            sink.write(name, blocks)
        elif not member.isdir():
            sink.book.add(LINK, name)
        for block in blocks:
            sink.skip(len(block))
        _exactly(stream, -size % TAR_BLOCK)
        long_name = long_size = None


def _exactly(stream: BinaryIO, size: int) -> bytes:
    data = b""
    while len(data) < size:
        part = stream.read(size - len(data))
        if not part:
            raise EOFError("cut off before its end")
        data += part
    return data


def _header_content(stream: BinaryIO, size: int) -> bytes:
    if size > HEADER_BYTES:
        raise tarfile.HeaderError("an impossibly long name")
    return _exactly(stream, size + -size % TAR_BLOCK)[:size]


def _tar_blocks(stream: BinaryIO, size: int) -> Iterator[bytes]:
    while size:
        block = stream.read(min(BLOCK, size))
        if not block:
            raise EOFError("cut off before its end")
        size -= len(block)
        yield block


def _pax(content: bytes) -> dict[str, str]:
    """Records ``LENGTH KEY=VALUE`` of a POSIX extended header."""
    said = {}
    while content:
        length, _, _ = content.partition(b" ")
        if not length.isdigit() or not len(length) + 3 < int(length) <= len(content):
            raise tarfile.HeaderError("a malformed extended header")
        key, _, value = content[len(length) + 1 : int(length) - 1].partition(b"=")
        said[key.decode("utf-8", "replace")] = value.decode("utf-8", "surrogateescape")
        content = content[int(length) :]
    return said


def _is_unfit(part: str) -> bool:
    too_long = len(part.encode("utf-8", "surrogateescape")) > 200
    return part in ("", ".") or too_long or part.endswith((".", " ")) or bool(RESERVED.match(part))
