"""Check of untrusted PNG files in bounded memory: a whole 8-bit RGB image, without decoding its pixels.

Pillow is not used for it: its ``verify`` reads whole chunks into memory, its decoder holds the whole image,
and both accept a file whose last rows are missing.
"""

from __future__ import annotations

import io
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from .colour_profiles import PROFILE_LIMIT, is_srgb_or_unusable
from .decoding import MAX_MEGAPIXELS
from .metadata import PNG_SIGNATURE, UPRIGHT, exif_orientation
from .plain_files import special_kind


@dataclass(frozen=True, slots=True)
class FaultKind:
    """A kind of fault: what is wrong (after the file names), and how to fix it."""

    what: str
    fix: str


CHUNK_LIMIT = 256 << 20
EXIF_LIMIT = 1 << 20
BLOCK = 1 << 16

RESAVE = "save it again as an 8-bit RGB PNG, straight from the restorer's output"
EMPTY = FaultKind("the file is empty", RESAVE)
NOT_PNG = FaultKind("not a PNG although its name says so", RESAVE)
DAMAGED = FaultKind("a damaged PNG", "copy or save it again; a cut-off transfer is the usual cause")
DEPTH = FaultKind("not 8 bits per channel", "round to 8 bits (round, do not truncate) and save again")
ALPHA = FaultKind("has an alpha channel", "drop alpha and save again as RGB")
PALETTE = FaultKind("a palette image, reduced to at most 256 colours", RESAVE)
GREY = FaultKind("a grey image", "save three channels, as RGB")
ANIMATED = FaultKind("an animated PNG", "save one frame only")
TRANSPARENT = FaultKind(
    "one colour is declared transparent (tRNS)", "save again as RGB, without transparency"
)
PROFILE = FaultKind(
    "its colour profile is not sRGB, so its numbers mean other colours", "convert to sRGB and save again"
)
TURNED = FaultKind("its EXIF asks for a turn", "turn the pixels upright and save again without EXIF")
NOT_A_FILE = FaultKind("not a plain file", "put the PNG itself there")
HUGE = FaultKind(f"more than {MAX_MEGAPIXELS:g} megapixels", "save it at the size of the set's images")

COLOURS = {0: GREY, 3: PALETTE, 4: ALPHA, 6: ALPHA}
CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
PICTURES = ("JPEG", "GIF", "WebP", "BMP", "TIFF")
MAGIC = (
    (b"\xff\xd8\xff", "JPEG"),
    (b"GIF8", "GIF"),
    (b"RIFF", "WebP"),
    (b"BM", "BMP"),
    (b"II*\0", "TIFF"),
    (b"MM\0*", "TIFF"),
    (b"PK\x03\x04", "a zip archive"),
    (b"\x1f\x8b", "a gzip file"),
    (b"version https://git-lfs", "a Git LFS pointer, not the file itself"),
)


@dataclass(frozen=True, slots=True)
class PngReport:
    """What `inspect_png` found.

    Attributes:
        width, height: in pixels; 0 where unknown.
        faults: each a kind and a detail, which may be empty.
    """

    width: int
    height: int
    faults: tuple[tuple[FaultKind, str], ...]


def is_lost(kind: FaultKind, detail: str) -> bool:
    """Whether a fault means that there is no picture, rather than one that is stored in a wrong way."""
    return kind in (DAMAGED, EMPTY, NOT_A_FILE) or (kind == NOT_PNG and detail not in PICTURES)


class _DamagedError(Exception):
    pass


def inspect_png(path: Path) -> PngReport:
    """Check one file: signature, header, checksums of all chunks, and that its pixel data are complete.

    Pixels are decompressed in blocks of 64 KiB to be counted, and never kept. Nothing is raised: a file that
    cannot be read is a fault.
    """
    kind = special_kind(path)
    if kind:
        return PngReport(0, 0, ((NOT_A_FILE, kind),))
    try:
        with path.open("rb") as stream:
            return _inspect(stream)
    except OSError as error:
        return PngReport(0, 0, ((DAMAGED, f"cannot be read: {error.strerror}"),))


def inspect_png_data(data: bytes) -> PngReport:
    """`inspect_png` of the content of a file."""
    return _inspect(io.BytesIO(data))


def _inspect(stream: BinaryIO) -> PngReport:
    start = stream.read(24)
    if not start:
        return PngReport(0, 0, ((EMPTY, ""),))
    if not start.startswith(PNG_SIGNATURE):
        return PngReport(
            0, 0, ((NOT_PNG, next((name for magic, name in MAGIC if start.startswith(magic)), "")),)
        )
    stream.seek(len(PNG_SIGNATURE))
    faults: list[tuple[FaultKind, str]] = []
    width = height = 0
    try:
        chunks = _chunks(stream)
        kind, blocks = next(chunks)
        header = b"".join(blocks)
        if kind != b"IHDR" or len(header) != 13:
            raise _DamagedError("it does not start with its header")
        width, height = int.from_bytes(header[:4], "big"), int.from_bytes(header[4:8], "big")
        depth, colour, interlaced = header[8], header[9], header[12]
        if not width or not height or colour not in CHANNELS:
            raise _DamagedError("impossible header")
        if width * height > MAX_MEGAPIXELS * 1e6:
            return PngReport(width, height, ((HUGE, f"{width}x{height}"),))
        if depth != 8 and colour != 3:
            faults.append((DEPTH, f"{depth} bits"))
        if colour in COLOURS:
            faults.append((COLOURS[colour], ""))
        row_bits = width * CHANNELS[colour] * depth
        wanted = None if interlaced else height * (1 + -(-row_bits // 8))
        faults += _read_body(chunks, wanted)
    except _DamagedError as error:
        faults.append((DAMAGED, str(error)))
    return PngReport(width, height, tuple(faults))


def _read_body(
    chunks: Iterator[tuple[bytes, Iterator[bytes]]], wanted: int | None
) -> list[tuple[FaultKind, str]]:
    faults: list[tuple[FaultKind, str]] = []
    inflater = zlib.decompressobj()
    found = 0
    most = wanted if wanted is not None else 1 << 62
    for kind, blocks in chunks:
        if kind == b"acTL":
            faults.append((ANIMATED, ""))
        elif kind == b"tRNS":
            faults.append((TRANSPARENT, ""))
        elif kind == b"eXIf" and exif_orientation(_first(blocks, EXIF_LIMIT)) != UPRIGHT:
            faults.append((TURNED, ""))
        elif kind == b"iCCP" and not is_srgb_or_unusable(_unpacked_profile(_first(blocks, PROFILE_LIMIT))):
            faults.append((PROFILE, ""))
        for block in blocks:
            while kind == b"IDAT" and block and found <= most and not inflater.eof:
                try:
                    found += len(inflater.decompress(block, BLOCK))
                except zlib.error:
                    raise _DamagedError("its pixel data cannot be decompressed") from None
                block = inflater.unconsumed_tail
    if found == 0 or (wanted is not None and found < wanted):
        raise _DamagedError("rows of pixels are missing")
    if wanted is not None and found > wanted:
        raise _DamagedError("more pixel data than its size needs")
    return faults


def _first(blocks: Iterator[bytes], limit: int) -> bytes:
    """The content of a chunk, or nothing where it is longer than ``limit`` bytes."""
    found = bytearray()
    for block in blocks:
        found += block
        if len(found) > limit:
            return b""
    return bytes(found)


def _unpacked_profile(content: bytes) -> bytes:
    """The ICC profile of an iCCP chunk; empty where it is damaged or longer than `PROFILE_LIMIT`."""
    packed = content.partition(b"\0")[2][1:]
    inflater = zlib.decompressobj()
    try:
        profile = inflater.decompress(packed, PROFILE_LIMIT)
    except zlib.error:
        return b""
    return profile if inflater.eof else b""


def _chunks(stream: BinaryIO) -> Iterator[tuple[bytes, Iterator[bytes]]]:
    """Type and content of each chunk up to IEND; the content is read in blocks and its checksum verified."""
    while True:
        head = stream.read(8)
        if len(head) < 8:
            raise _DamagedError("cut off before its end")
        length, kind = int.from_bytes(head[:4], "big"), head[4:]
        if length > CHUNK_LIMIT:
            raise _DamagedError("a chunk longer than 256 MiB")
        blocks = _blocks(stream, kind, length)
        yield kind, blocks
        for _ in blocks:
            pass
        if kind == b"IEND":
            return


def _blocks(stream: BinaryIO, kind: bytes, length: int) -> Iterator[bytes]:
    checksum = zlib.crc32(kind)
    while length:
        block = stream.read(min(BLOCK, length))
        if not block:
            raise _DamagedError("cut off before its end")
        checksum = zlib.crc32(block, checksum)
        length -= len(block)
        yield block
    if stream.read(4) != checksum.to_bytes(4, "big"):
        raise _DamagedError(f"wrong checksum in its {kind.decode('latin-1')} chunk")
