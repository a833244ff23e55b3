"""Reading and writing of images: photos of any common format to RGB uint8, and 8-bit RGB PNG encoding.

Inside the package a decoded picture is RGB uint8, HWC; a batch for a network is RGB float32 in [0, 1],
NCHW. `image_files` decodes, and notes what it converted. PNG is written here: each row less the
row above, then run lengths; twice as fast as OpenCV's fastest level, and no larger, on faces sharp or blurred
(benchmarks/degradations.py).
"""

from __future__ import annotations

import math
import struct
import zlib
from pathlib import Path

import numpy as np
import numpy.typing as npt

from .errors import FaultListError, RefbenchError, UnreadableImageError
from .files import CLOSED, walk_files, write_bytes
from .image_files.bit_depth import RGB as RGB
from .image_files.decoding import MAX_MEGAPIXELS as MAX_MEGAPIXELS
from .image_files.decoding import Photo as Photo
from .image_files.decoding import decode as decode
from .image_files.decoding import decode_stored as decode_stored
from .image_files.plain_files import read_plain_file as read_plain_file
from .names import printable
from .progress import say

LUMA_WEIGHTS = (0.299, 0.587, 0.114)
"""Weights of red, green and blue in the luma of ITU-R BT.601."""

PHOTO_SUFFIXES = frozenset(
    {".avif", ".bmp", ".heic", ".heif", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp"}
)
PNG_UP = 2  # the row filter "up" of the PNG specification, section 9.2


def read_photo(path: Path, max_megapixels: float = MAX_MEGAPIXELS) -> Photo:
    """Read and decode one picture file; see `decode`.

    Raises:
        UnreadableImageError: the file cannot be opened, or `decode` refuses it.
    """
    data = read_plain_file(path)
    if not data:
        raise UnreadableImageError(path, "the file is empty")
    return decode(data, path, max_megapixels)


def read_rgb(path: Path) -> RGB:
    """Read one picture as RGB uint8 HWC; see `read_photo`."""
    return read_photo(path).pixels


def encode_png(pixels: RGB) -> bytes:
    """Encode RGB uint8 HWC as an 8-bit PNG; the same pixels always give the same bytes.

    Raises:
        RefbenchError: the array is empty, or of another dtype or shape.
    """
    if pixels.dtype != np.uint8 or pixels.ndim != 3 or pixels.shape[2] != 3 or not pixels.size:
        got = f"{pixels.dtype} {pixels.shape}"
        raise RefbenchError(f"a PNG is written from RGB uint8 HWC; got {got}; use images.to_uint8")
    height, width = pixels.shape[:2]
    levels = pixels.reshape(height, -1)
    rows = np.empty((height, 1 + levels.shape[1]), dtype=np.uint8)
    rows[:, 0] = PNG_UP
    rows[0, 1:] = levels[0]
    np.subtract(levels[1:], levels[:-1], out=rows[1:, 1:])
    packer = zlib.compressobj(level=1, strategy=zlib.Z_RLE)
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    parts = ((b"IHDR", header), (b"IDAT", packer.compress(rows.data) + packer.flush()), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(_png_part(kind, data) for kind, data in parts)


def _png_part(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def write_png(path: Path, pixels: RGB) -> None:
    """Write RGB uint8 HWC as an 8-bit PNG, atomically."""
    write_bytes(path, encode_png(pixels))


def enlarged(pixels: RGB, size: tuple[int, int]) -> RGB:
    """RGB uint8 (H, W, 3), enlarged to ``size`` (width, height) by bicubic interpolation if it has another.

    LQ images may be smaller than HQ: this is how they are shown, compared and given to restorers.
    """
    import cv2

    if (pixels.shape[1], pixels.shape[0]) == size:
        return pixels
    return np.asarray(cv2.resize(pixels, size, interpolation=cv2.INTER_CUBIC), dtype=np.uint8)


def luma(pixels: RGB) -> npt.NDArray[np.uint8]:
    """BT.601 luma of RGB uint8 (H, W, 3), rounded to uint8 (H, W) as OpenCV does."""
    import cv2

    return np.asarray(cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY), dtype=np.uint8)


def to_uint8(values: npt.NDArray[np.floating]) -> RGB:
    """Round values in [0, 1] to the nearest of 256 levels, clipping what lies outside.

    Raises:
        RefbenchError: NaN or infinity among the values.
    """
    if not np.isfinite(values).all():
        raise RefbenchError("an image holds NaN or infinity; it cannot be rounded to 8 bits")
    levels: RGB = np.rint(np.clip(values, 0.0, 1.0) * 255.0).astype(np.uint8)
    return levels


def find_photos(folder: Path, left_out: dict[str, str] | None = None) -> list[Path]:
    """All plain files below ``folder`` with a picture's suffix, in order of their paths; hidden ones aside.

    Args:
        folder: searched with its folders; links to folders are not followed.
        left_out: gets the reason for everything else that is called like a picture or cannot be opened, by
            its path below ``folder``. None: one line on stderr for each.

    Raises:
        RefbenchError: ``folder`` is not a folder or cannot be opened; or, without ``left_out``, one of its
            folders cannot, whose pictures would be missing in silence.
    """
    if not folder.is_dir():
        raise RefbenchError(f"{folder} is not a folder; name a folder of photos")
    try:
        found = walk_files(folder)
    except OSError as error:
        raise RefbenchError(f"{folder} cannot be opened: {error.strerror or error}") from None
    told = {
        path: reason
        for path, reason in found.others.items()
        if path.suffix.lower() in PHOTO_SUFFIXES or path.is_dir() or reason.startswith(CLOSED)
    }
    if left_out is not None:
        left_out |= {path.relative_to(folder).as_posix(): reason for path, reason in told.items()}
    else:
        closed = [f"{path}: {reason}" for path, reason in told.items() if reason.startswith(CLOSED)]
        if closed:
            raise FaultListError(str(folder), closed, "make it readable, or name a folder without it")
        for path, reason in told.items():
            say(f"left out: {printable(str(path))}: {reason}")
    return [path for path in found.files if path.suffix.lower() in PHOTO_SUFFIXES]


def psnr_of_error(error: npt.NDArray[np.floating]) -> float:
    """Peak signal-to-noise ratio in dB of a difference in levels of 255, any shape; infinite for zeros."""
    mean = float(np.square(error, dtype=np.float64).mean())
    return 10.0 * math.log10(255.0**2 / mean) if mean else math.inf
