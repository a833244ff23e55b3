"""Safe extraction of untrusted tar archives.

The entries are read here because the standard library allocates whatever size a header claims.
"""

from __future__ import annotations

import bz2
import gzip
import lzma
import tarfile
from collections.abc import Callable, Iterator
from typing import BinaryIO, cast

from .safe_extract import BLOCK, LINK, SPARSE, SafeExtractor

TAR_BLOCK = 512
LZMA_MEMORY = 128 << 20
HEADER_BYTES = 1 << 16


def decompressed(stream: BinaryIO) -> BinaryIO:
    """The stream itself, or its decompressed content if it starts as gzip, bzip2 or xz do."""
    head = stream.read(6)
    stream.seek(0)
    for magic, opener in COMPRESSED.items():
        if head.startswith(magic):
            return opener(stream)
    return stream


class _XzReader:
    """Reads xz with a limit on the memory that its header may ask for."""

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
    b"\xfd7zXZ\x00": lambda stream: cast("BinaryIO", _XzReader(stream)),
}


def unpack_tar(stream: BinaryIO, extractor: SafeExtractor) -> None:
    """Extract a tar entry by entry: regular files, with long names as GNU tar and POSIX (pax) write them.

    Raises:
        ExtractionStoppedError: a limit was reached.
        READ_ERRORS: the archive is damaged.
    """
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
        extractor.count_entry()
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
                fields = _pax(content)
                long_name = fields.get("path", long_name)
                long_size = int(fields["size"]) if fields.get("size", "").isdecimal() else None
            continue
        name = member.name if long_name is None else long_name
        blocks = _tar_blocks(stream, size)
        if member.type == tarfile.GNUTYPE_SPARSE:
            extractor.faults.add(SPARSE, name)
        elif member.isreg():
            extractor.write(name, blocks)
        elif not member.isdir():
            extractor.faults.add(LINK, name)
        for block in blocks:
            extractor.count_skipped(len(block))
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
        raise tarfile.HeaderError("a name that is too long")
    return _exactly(stream, size + -size % TAR_BLOCK)[:size]


def _tar_blocks(stream: BinaryIO, size: int) -> Iterator[bytes]:
    while size:
        block = stream.read(min(BLOCK, size))
        if not block:
            raise EOFError("cut off before its end")
        size -= len(block)
        yield block


def _pax(content: bytes) -> dict[str, str]:
    """The records ``LENGTH KEY=VALUE`` of a POSIX extended header."""
    fields = {}
    while content:
        length, _, _ = content.partition(b" ")
        if not length.isdigit() or not len(length) + 3 < int(length) <= len(content):
            raise tarfile.HeaderError("a malformed extended header")
        key, _, value = content[len(length) + 1 : int(length) - 1].partition(b"=")
        fields[key.decode("utf-8", "replace")] = value.decode("utf-8", "surrogateescape")
        content = content[int(length) :]
    return fields
