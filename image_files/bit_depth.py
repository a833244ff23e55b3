"""Reduction of 16-bit and float pictures to 8 bits: rounded, by one rule for all files, or refused."""

from __future__ import annotations

import io
import sys
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from PIL import Image

RGB = npt.NDArray[np.uint8]
BITS_PER_SAMPLE, PHOTOMETRIC = 258, 262  # tags of TIFF
RESAVE = "save it with 8 or 16 bits per channel"


class UnclearLevelsError(Exception):
    """A file whose numbers do not say which of them is white; the message says what came."""


def grey_levels(picture: Image.Image, file_format: str) -> RGB:
    """8-bit levels (H, W) of a picture of one wide channel, mode ``I;16``, ``I`` or ``F``.

    16-bit integers go from 0 to 65535, floats from 0 (black) to 1 (white). 32-bit and signed integers, and
    floats outside 0 to 1, have no such range that holds for all files.

    Raises:
        UnclearLevelsError: integers of 32 bits or with a sign, NaN, infinity, or floats outside 0 to 1.
    """
    levels = _grey_levels(picture, file_format)
    negative = file_format == "TIFF" and _tiff_tag(picture, PHOTOMETRIC) == 0
    return np.asarray(255 - levels, dtype=np.uint8) if negative else levels


def _grey_levels(picture: Image.Image, file_format: str) -> RGB:
    wide = np.asarray(picture, dtype=np.float64)
    if picture.mode.startswith("F"):
        if not np.isfinite(wide).all():
            raise UnclearLevelsError(f"its 32-bit floats hold NaN or infinity; {RESAVE}")
        low, high = float(wide.min()), float(wide.max())
        if low < 0.0 or high > 1.0:
            raise UnclearLevelsError(
                f"its 32-bit floats go from {low:g} to {high:g}; only 0 (black) to 1 (white) is clear; "
                f"{RESAVE}"
            )
        return np.rint(wide * 255.0).astype(np.uint8)
    if picture.mode == "I" and file_format not in ("PNG", "PPM"):
        raise UnclearLevelsError(
            f"its integers of 32 bits or with a sign go from {int(wide.min())} to {int(wide.max())}; which "
            f"of them is white is not known; {RESAVE}"
        )
    white = 4095.0 if _tiff_tag(picture, BITS_PER_SAMPLE) == (12,) else 65535.0
    return np.rint(np.clip(wide / white, 0.0, 1.0) * 255.0).astype(np.uint8)


def is_deep(opened: Image.Image, data: bytes) -> bool:
    """Whether a PNG or TIFF that Pillow opens with 8 bits per channel stores 16."""
    if opened.mode in ("1", "L", "P", "I", "F") or opened.mode.startswith("I;"):
        return False
    if opened.format == "PNG":
        return data[24] == 16
    bits = _tiff_tag(opened, BITS_PER_SAMPLE)
    return opened.format == "TIFF" and isinstance(bits, tuple) and max(bits, default=8) == 16


def read_low_bytes(data: bytes) -> Image.Image | None:
    """The low bytes of a picture of 16 bits per channel; None where Pillow has no way to read them.

    Pillow keeps the high bytes of such pictures. With the order of the two bytes exchanged, its decoder keeps
    the low ones.

    Raises:
        UnclearLevelsError: a TIFF in separate planes, of which Pillow reads bytes as levels.
    """
    from PIL import Image

    opened = Image.open(io.BytesIO(data))
    tiles = []
    for tile in opened.tile:
        words: tuple[Any, ...] = (tile.args,) if isinstance(tile.args, str) else tile.args or ("",)
        channels, deep, order = str(words[0]).partition(";16")
        if not deep:
            raise UnclearLevelsError(f"16 bits per channel in separate planes are not read; {RESAVE}")
        if channels == "LA":
            return None
        little = order == "L" or (order == "N" and sys.byteorder == "little")
        swapped = f"{channels};16{'B' if little else 'L'}"
        tiles.append(tile._replace(args=swapped if isinstance(tile.args, str) else (swapped, *words[1:])))
    opened.tile = tiles
    opened.load()
    return opened


def rounded(high: Image.Image, low: Image.Image) -> Image.Image:
    """A picture of 8 bits per channel from the high and the low bytes of one of 16, rounded to nearest."""
    from PIL import Image

    levels = np.asarray(high, dtype=np.uint32) * 256 + np.asarray(low, dtype=np.uint32)
    small = ((levels + 128) // 257).astype(np.uint8)
    return Image.merge(high.mode, [Image.fromarray(small[..., band]) for band in range(small.shape[2])])


def _tiff_tag(opened: Image.Image, tag: int) -> Any:
    return getattr(opened, "tag_v2", {}).get(tag)
