"""Safe extraction of untrusted zip archives: regular files only, read block by block."""

from __future__ import annotations

import stat
import struct
import zipfile
from collections.abc import Iterator
from typing import BinaryIO

from .safe_extract import BLOCK, LINK, LOCKED, METHOD, TOO_MANY, SafeExtractor

WINDOWS = frozenset({0, 10, 14})
"""Hosts of the zip format (APPNOTE 4.4.2) that separate folders by backslashes: MS-DOS, NTFS, VFAT."""


def unpack_zip(stream: BinaryIO, extractor: SafeExtractor) -> None:
    """Extract a zip entry by entry.

    Some Windows programs separate folders by backslashes. They are taken for slashes in entries that were
    made on Windows, and where every name of the archive has them; names are checked after that.

    Raises:
        ExtractionStoppedError: a limit was reached.
        READ_ERRORS: the archive is damaged.
    """
    if _zip_entries(stream) > extractor.limits.entries:
        extractor.faults.add(TOO_MANY, f"over {extractor.limits.entries:,} entries")
        return
    with zipfile.ZipFile(stream) as archive:
        entries = archive.infolist()
        all_have = all("\\" in info.filename for info in entries)
        for info in entries:
            extractor.count_entry()
            kind = info.external_attr >> 28
            is_windows = all_have or info.create_system in WINDOWS
            name = info.filename.replace("\\", "/") if is_windows else info.filename
            if name.endswith("/"):
                continue
            if kind not in (0, stat.S_IFREG >> 12):
                extractor.faults.add(LINK, name)
            elif info.flag_bits & 1:
                extractor.faults.add(LOCKED, name)
            elif info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
                extractor.faults.add(METHOD, name)
            else:
                extractor.write(name, _zip_blocks(archive, info))


def _zip_blocks(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> Iterator[bytes]:
    with archive.open(info) as member:
        while block := member.read(BLOCK):
            yield block


def _zip_entries(stream: BinaryIO) -> int:
    """The number of entries in the end record of a zip, read before its directory is loaded."""
    size = stream.seek(0, 2)
    stream.seek(max(0, size - 65_557))
    tail = stream.read()
    stream.seek(0)
    at = tail.rfind(b"PK\x05\x06")
    directory = struct.unpack_from("<HHI", tail, at + 8) if 0 <= at <= len(tail) - 22 else (0, 0, 0)
    # A directory entry takes at least 46 bytes; the zip64 form only says more than 65,535.
    largest = directory[2] if directory[2] != 0xFFFFFFFF else size
    return largest // 46 if directory[1] == 0xFFFF else directory[1]
