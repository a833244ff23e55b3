"""Reading and writing of images: photos of any common format to RGB uint8, and 8-bit RGB PNG encoding.

Inside the package a decoded picture is RGB uint8, HWC; a batch for a network is RGB float32 in [0, 1],
NCHW. Pillow decodes (it knows EXIF, CMYK, palettes and truncation). PNG is written here: each row less the
row above, then run lengths; twice as fast as OpenCV's fastest level, and no larger, on faces sharp or blurred
(benchmarks/degradations.py).
"""

from __future__ import annotations

import io
import math
import struct
import warnings
import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from .errors import FaultListError, RefbenchError, UnreadableImageError
from .files import CLOSED, walk_files, write_bytes
from .names import printable
from .progress import say

RGB = npt.NDArray[np.uint8]
LUMA_WEIGHTS = (0.299, 0.587, 0.114)
"""Weights of red, green and blue in the luma of ITU-R BT.601."""

PHOTO_SUFFIXES = frozenset({".bmp", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp"})
MAX_MEGAPIXELS = 64.0
PNG_UP = 2  # the row filter "up" of the PNG specification, section 9.2


@dataclass(frozen=True, slots=True)
class Photo:
    """A decoded picture: ``pixels`` RGB uint8 HWC, and what had to be converted to get there."""

    pixels: RGB
    notes: tuple[str, ...] = ()


def decode(data: bytes, name: Path, max_megapixels: float = MAX_MEGAPIXELS) -> Photo:
    """Decode an encoded picture to upright 8-bit RGB.

    EXIF rotation is applied; CMYK, grey, palette and 16-bit pictures are converted and noted; alpha is
    laid over white and noted.

    Raises:
        UnreadableImageError: not a picture, truncated, or more than ``max_megapixels``; names ``name``.
    """
    from PIL import Image, ImageOps, UnidentifiedImageError

    notes: list[str] = []
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            with Image.open(io.BytesIO(data)) as opened:
                width, height = opened.size
                if width * height > max_megapixels * 1e6:
                    size = f"{width}x{height} is {width * height / 1e6:.0f} megapixels"
                    raise UnreadableImageError(name, f"{size}; the limit is {max_megapixels:g}")
                if opened.getexif().get(0x0112, 1) != 1:
                    notes.append("turned upright as its EXIF says")
                upright = ImageOps.exif_transpose(opened)
                upright.load()
    except UnidentifiedImageError:
        raise UnreadableImageError(name, "not a picture, or of a format that Pillow does not know") from None
    except Image.DecompressionBombError:
        raise UnreadableImageError(name, f"far more than {max_megapixels:g} megapixels") from None
    except (OSError, SyntaxError, ValueError, EOFError, MemoryError) as error:
        raise UnreadableImageError(
            name, f"damaged: {str(error).rstrip('.') or type(error).__name__}"
        ) from None
    if upright.mode.startswith(("I", "F")):
        notes.append(f"converted from {upright.mode} (more than 8 bits) to 8-bit RGB")
        wide = np.asarray(upright, dtype=np.float64)
        scale = 65535.0 if upright.mode.startswith("I") else max(float(wide.max(initial=1.0)), 1.0)
        grey = np.rint(np.clip(wide / scale, 0.0, 1.0) * 255.0).astype(np.uint8)
        return Photo(np.repeat(grey[..., None], 3, axis=2), tuple(notes))
    if "A" in upright.getbands() or "transparency" in upright.info:
        notes.append("its transparency was laid over white")
        layered = upright.convert("RGBA")
        upright = Image.alpha_composite(Image.new("RGBA", layered.size, "white"), layered)
    elif upright.mode != "RGB":
        notes.append(f"converted from {upright.mode} to RGB")
    return Photo(np.array(upright.convert("RGB"), dtype=np.uint8), tuple(notes))


def read_photo(path: Path, max_megapixels: float = MAX_MEGAPIXELS) -> Photo:
    """Read and decode one picture file; see `decode`.

    Raises:
        UnreadableImageError: the file cannot be opened, or `decode` refuses it.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise UnreadableImageError(path, f"cannot be opened: {error.strerror or error}") from None
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
