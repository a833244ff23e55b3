"""Metadata of image files: the orientation in EXIF, and copies of PNG and JPEG data without metadata.

Metadata never decides whether a picture can be used. What is needed (orientation, colour profile, number of
frames) is read where it can be; text is skipped without being unpacked; what is malformed is left out.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from typing import NamedTuple

PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
PIXEL_CHUNKS = frozenset({b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND"})
FRAME_CHUNKS = frozenset({b"acTL", b"fcTL", b"fdAT"})
TEXT_CHUNKS = frozenset({b"tEXt", b"zTXt", b"iTXt"})
TEXT_READ = (b"XML:com.adobe.xmp\0", b"Raw profile type exif\0")
"""Keywords of the texts that can hold an orientation."""
TEXT_LIMIT = 1 << 16
ORIENTATION = 0x0112
UPRIGHT = 1


class PngChunk(NamedTuple):
    """One chunk of a PNG file: its type, where it starts and ends in the file, and whether it is whole."""

    kind: bytes
    start: int
    end: int
    is_whole: bool


def png_chunks(data: bytes) -> Iterator[PngChunk]:
    """The chunks of a PNG in order; the last one ends with the data, however much of it is there.

    Checksums are verified of metadata alone; the decoder verifies those of the pixels.
    """
    at = len(PNG_SIGNATURE)
    while at < len(data):
        head = data[at : at + 8]
        length, kind = int.from_bytes(head[:4], "big"), head[4:8]
        end = at + 12 + length
        whole = end <= len(data)
        if whole and kind not in PIXEL_CHUNKS | FRAME_CHUNKS and length <= 1 << 24:
            stored = int.from_bytes(data[end - 4 : end], "big")
            whole = zlib.crc32(data[at + 4 : end - 4]) == stored
        yield PngChunk(kind, at, min(end, len(data)), whole)
        at = end


def plain_png(data: bytes, *, keep_metadata: bool = True) -> tuple[bytes, bool]:
    """A PNG without the chunks that are not needed, and whether malformed ones were among them.

    Args:
        data: of the file.
        keep_metadata: keep the colour profile, EXIF, frames, and short texts that can hold an orientation;
            otherwise pixels alone.
    """
    kept: list[tuple[int, int]] = []
    malformed = False
    for chunk in png_chunks(data):
        wanted = chunk.kind in PIXEL_CHUNKS
        if not wanted and keep_metadata:
            wanted = chunk.kind in {b"iCCP", b"eXIf"} | FRAME_CHUNKS or _can_hold_orientation(data, chunk)
        if not chunk.is_whole and chunk.kind not in PIXEL_CHUNKS:
            malformed, wanted = True, False
        if not wanted:
            continue
        if kept and kept[-1][1] == chunk.start:
            kept[-1] = (kept[-1][0], chunk.end)
        else:
            kept.append((chunk.start, chunk.end))
    start = len(PNG_SIGNATURE)
    if kept == [(start, len(data))]:
        return data, malformed
    return PNG_SIGNATURE + b"".join(data[first:last] for first, last in kept), malformed


def _can_hold_orientation(data: bytes, chunk: PngChunk) -> bool:
    short = chunk.end - chunk.start <= TEXT_LIMIT
    return chunk.kind in TEXT_CHUNKS and short and data.startswith(TEXT_READ, chunk.start + 8)


def plain_jpeg(data: bytes) -> bytes:
    """A JPEG without comments and without application data, those of JFIF and Adobe aside."""
    parts, at = [data[:2]], 2
    while at + 4 <= len(data) and data[at] == 0xFF:
        marker = data[at + 1]
        if marker == 0xFF:
            at += 1
            continue
        if marker in (0xDA, 0xD9):
            break
        end = at + 2 + int.from_bytes(data[at + 2 : at + 4], "big")
        if not (0xE1 <= marker <= 0xEF and marker != 0xEE) and marker != 0xFE:
            parts.append(data[at:end])
        at = end
    return b"".join([*parts, data[at:]])


def exif_orientation(block: bytes) -> int:
    """The orientation that an EXIF block states, 1 to 8, however malformed its other entries are; else 1.

    Args:
        block: TIFF structure, with or without the word ``Exif`` before it.
    """
    while block.startswith(b"Exif\0\0"):
        block = block[6:]
    order = {b"II": "<", b"MM": ">"}.get(block[:2])
    if order is None or len(block) < 10:
        return UPRIGHT
    at = int(struct.unpack_from(f"{order}I", block, 4)[0])
    if at + 2 > len(block):
        return UPRIGHT
    entries = int(struct.unpack_from(f"{order}H", block, at)[0])
    for entry in range(at + 2, min(at + 2 + 12 * entries, len(block) - 11), 12):
        tag, kind, count = struct.unpack_from(f"{order}HHI", block, entry)
        if tag == ORIENTATION and count == 1 and kind in (1, 3, 4):
            value = int(struct.unpack_from(order + {1: "B", 3: "H", 4: "I"}[kind], block, entry + 8)[0])
            return value if 1 <= value <= 8 else UPRIGHT
    return UPRIGHT


def jpeg_exif(data: bytes) -> bytes:
    """The first EXIF block of a JPEG; empty where there is none."""
    start = data.find(b"Exif\0\0", 0, 1 << 20)
    if not data.startswith(b"\xff\xd8") or start < 4:
        return b""
    return data[start : start - 2 + int.from_bytes(data[start - 2 : start], "big")]
