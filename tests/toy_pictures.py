"""Toy pictures for the tests: ICC profiles, EXIF blocks, PNGs and TIFFs that Pillow cannot write."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageCms

ADOBE_RGB = ((0.60974, 0.31111, 0.01947), (0.20528, 0.62567, 0.06087), (0.14919, 0.06322, 0.74457))
"""Primaries of Adobe RGB (1998) as XYZ under D50."""


def encoded(image: Image.Image, kind: str, **options: object) -> bytes:
    """An image in one of Pillow's formats."""
    stream = io.BytesIO()
    image.save(stream, kind, **options)
    return stream.getvalue()


def srgb_profile() -> bytes:
    """The sRGB profile of LittleCMS."""
    return ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def wide_gamut_profile() -> bytes:
    """A matrix profile (ICC 2) with the primaries and the gamma of Adobe RGB."""

    def xyz(values: Sequence[float]) -> bytes:
        return b"XYZ \0\0\0\0" + b"".join(struct.pack(">i", round(value * 65536)) for value in values)

    text = b"Adobe RGB"
    described = b"desc\0\0\0\0" + struct.pack(">I", len(text) + 1) + text + b"\0" + bytes(78)
    curve = b"curv\0\0\0\0" + struct.pack(">IH", 1, round(2.19921875 * 256)) + b"\0\0"
    tags = {b"desc": described + bytes(-len(described) % 4), b"cprt": b"text\0\0\0\0none\0\0\0\0"}
    tags |= {b"wtpt": xyz((0.9642, 1.0, 0.8249)), b"rTRC": curve, b"gTRC": curve, b"bTRC": curve}
    tags |= {name: xyz(values) for name, values in zip((b"rXYZ", b"gXYZ", b"bXYZ"), ADOBE_RGB, strict=True)}
    at = 128 + 4 + 12 * len(tags)
    table, body = struct.pack(">I", len(tags)), b""
    for kind, data in tags.items():
        table += kind + struct.pack(">II", at + len(body), len(data))
        body += data
    head = struct.pack(
        ">I4sI4s4s4s", 128 + len(table) + len(body), b"lcms", 0x02100000, b"mntr", b"RGB ", b"XYZ "
    )
    head += struct.pack(">6H", 2020, 1, 1, 0, 0, 0) + b"acsp" + bytes(28)
    head += struct.pack(">3i", 63190, 65536, 54061)
    return head + bytes(128 - len(head)) + table + body


def exif(*entries: tuple[int, int, int, bytes]) -> bytes:
    """An EXIF block of entries (tag, type, count, four bytes of value)."""
    body = b"".join(struct.pack("<HHI", tag, kind, count) + value for tag, kind, count, value in entries)
    return b"Exif\0\0II*\0" + struct.pack("<IH", 8, len(entries)) + body + bytes(4)


def turned(orientation: int) -> bytes:
    """An EXIF block with an orientation alone."""
    return exif((0x0112, 3, 1, struct.pack("<HH", orientation, 0)))


def chunk(kind: bytes, data: bytes) -> bytes:
    """One chunk of a PNG."""
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def with_chunk(png: bytes, part: bytes) -> bytes:
    """A PNG with one more chunk before its pixels."""
    at = png.index(b"IDAT") - 4
    return png[:at] + part + png[at:]


def deep_png(levels: npt.NDArray[np.uint16]) -> bytes:
    """A PNG of 16 bits per channel: RGB for (H, W, 3), RGBA for (H, W, 4), grey and alpha for (H, W, 2)."""
    height, width, channels = levels.shape
    header = struct.pack(">IIBBBBB", width, height, 16, {2: 4, 3: 2, 4: 6}[channels], 0, 0, 0)
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in levels)
    parts = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + parts


def tiff(
    levels: npt.NDArray[np.generic], *, orientation: int = 1, photometric: int = 2, planes: bool = False
) -> bytes:
    """An uncompressed little-endian TIFF of any depth: integers, signed integers or floats."""
    height, width = levels.shape[:2]
    channels = levels.shape[2] if levels.ndim == 3 else 1
    kind = {"u": 1, "i": 2, "f": 3}[levels.dtype.kind]
    parts = [levels[..., band].tobytes() for band in range(channels)] if planes else [levels.tobytes()]
    bits = [8 * levels.dtype.itemsize] * channels
    tags: list[tuple[int, str, list[int]]] = [
        (256, "I", [width]),
        (257, "I", [height]),
        (258, "H", bits),
        (259, "H", [1]),
        (262, "H", [photometric]),
        (273, "I", []),
        (274, "H", [orientation]),
        (277, "H", [channels]),
        (278, "I", [height]),
        (279, "I", [len(part) for part in parts]),
        (284, "H", [2 if planes else 1]),
        (339, "H", [kind] * channels),
    ]
    long = 2 * 6 * (channels > 2) + 8 * 4 * planes
    start = 8 + 2 + 12 * len(tags) + 4
    places = [start + long + sum(map(len, parts[:number])) for number in range(len(parts))]
    table, more = struct.pack("<H", len(tags)), b""
    for tag, code, values in tags:
        values = places if tag == 273 else values
        data = struct.pack(f"<{len(values)}{code}", *values)
        table += struct.pack("<HHI", tag, {"H": 3, "I": 4}[code], len(values))
        table += data.ljust(4, b"\0") if len(data) <= 4 else struct.pack("<I", start + len(more))
        more += data if len(data) > 4 else b""
    return b"II*\0" + struct.pack("<I", 8) + table + bytes(4) + more.ljust(long, b"\0") + b"".join(parts)
