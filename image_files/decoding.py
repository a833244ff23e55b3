"""Decoding of image files with Pillow: any common format to upright 8-bit sRGB, and notes on what was done.

Only the formats of `FORMATS` are opened: Pillow knows more, and hands some of them to other programs.
"""

from __future__ import annotations

import io
import math
import warnings
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Literal

import numpy as np

from ..errors import UnreadableImageError
from ..extras import EXTRAS, is_installed
from .bit_depth import RESAVE, RGB, UnclearLevelsError, grey_levels, is_deep, read_low_bytes, rounded
from .colour_profiles import to_srgb
from .metadata import (
    ORIENTATION,
    PNG_SIGNATURE,
    UPRIGHT,
    exif_orientation,
    jpeg_exif,
    plain_jpeg,
    plain_png,
)

if TYPE_CHECKING:
    from PIL import Image

MAX_MEGAPIXELS = 64.0
FORMATS = ("AVIF", "BMP", "DIB", "GIF", "HEIF", "JPEG", "JPEG2000", "PNG", "PPM", "TIFF", "WEBP")
NOT_READ = (
    "not a picture, or of a format that is not read; read are JPEG, PNG, TIFF, WebP, BMP, AVIF and HEIC"
)
MALFORMED = "its metadata is malformed; what could be read of it was used"
TURNS = {
    2: "FLIP_LEFT_RIGHT",
    3: "ROTATE_180",
    4: "FLIP_TOP_BOTTOM",
    5: "TRANSPOSE",
    6: "ROTATE_270",
    7: "TRANSVERSE",
    8: "ROTATE_90",
}
"""EXIF orientation: the method of Pillow that turns the stored picture upright."""
HEIF_BRANDS = frozenset({b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1"})
AVIF_BRANDS = frozenset({b"avif", b"avis"})
SIGNATURES = (PNG_SIGNATURE, b"\xff\xd8\xff", b"GIF8")
ALPHA_MODES = ("LA", "La", "PA", "RGBA", "RGBa")

_open_lock = Lock()
"""Held while headers are read: Pillow's limit of pixels and Python's warning filters are global."""


@dataclass(frozen=True, slots=True)
class Photo:
    """A decoded picture: ``pixels`` RGB uint8 HWC, and what had to be converted to get there."""

    pixels: RGB
    notes: tuple[str, ...] = ()


def decode(data: bytes, name: Path, max_megapixels: float = MAX_MEGAPIXELS) -> Photo:
    """Decode an encoded picture to upright 8-bit sRGB.

    Every conversion is noted: the EXIF orientation is applied, a colour profile converted to sRGB, alpha laid
    over white; CMYK, L*a*b*, grey and palette pictures become RGB, and 16 bits are rounded to 8. Of several
    pictures in one file the first is read. Malformed metadata changes nothing but the notes.

    Args:
        data: content of the file.
        name: of the file, for errors.
        max_megapixels: limit of width times height, judged before the pixels are decoded.

    Raises:
        UnreadableImageError: not a picture of `FORMATS`, damaged, more than ``max_megapixels``, or numbers
            without a clear meaning (floats outside 0 to 1, integers of 32 bits); names ``name``.
    """
    try:
        cleaned, malformed = plain_png(data) if data.startswith(PNG_SIGNATURE) else (data, False)
        try:
            with _open(cleaned, name, max_megapixels) as opened:
                facts = _read_metadata(opened, malformed)
                picture, note = _load(opened, cleaned, facts.orientation)
                return _photo(picture, facts, note)
        except (UnreadableImageError, UnclearLevelsError):
            raise
        except Exception:
            plain = _without_metadata(data)
            if plain is None:
                raise
            with _open(plain, name, max_megapixels) as opened:
                facts = _Metadata(exif_orientation(jpeg_exif(data)), malformed=True)
                picture, note = _load(opened, plain, facts.orientation)
                return _photo(picture, facts, note)
    except UnclearLevelsError as error:
        raise UnreadableImageError(name, str(error)) from None
    except UnreadableImageError:
        raise
    except Exception as error:  # on damaged data, decoders raise anything at all
        raise UnreadableImageError(name, _damage(error, data)) from None


def decode_stored(data: bytes, name: Path, max_megapixels: float = MAX_MEGAPIXELS) -> Photo:
    """Decode an 8-bit RGB PNG to the numbers that it stores: no turn, no profile, no transparent colour.

    Raises:
        UnreadableImageError: damaged, more than ``max_megapixels``, or not an 8-bit RGB PNG.
    """
    if not data.startswith(PNG_SIGNATURE) or data[24:26] != b"\x08\x02":
        raise UnreadableImageError(name, "not an 8-bit RGB PNG")
    try:
        with _open(plain_png(data, keep_metadata=False)[0], name, max_megapixels) as opened:
            return Photo(np.array(opened, dtype=np.uint8))
    except UnreadableImageError:
        raise
    except Exception as error:  # on damaged data, decoders raise anything at all
        raise UnreadableImageError(name, _damage(error, data)) from None


def size_in_header(data: bytes, name: Path) -> tuple[int, int]:
    """Width and height in pixels of the upright picture, from its header; pixels are not decoded.

    Raises:
        UnreadableImageError: not a picture of `FORMATS`, or a damaged header.
    """
    try:
        cleaned, malformed = plain_png(data) if data.startswith(PNG_SIGNATURE) else (data, False)
        with _open(cleaned, name, math.inf) as opened:
            width, height = opened.size
            stored_turned = opened.format != "TIFF" and _read_metadata(opened, malformed).orientation >= 5
            return (height, width) if stored_turned else (width, height)
    except UnreadableImageError:
        raise
    except Exception as error:  # on damaged data, decoders raise anything at all
        raise UnreadableImageError(name, _damage(error, data)) from None


def is_readable(file_format: Literal["AVIF", "HEIF"]) -> bool:
    """Whether this machine's packages decode a format that not every Pillow knows."""
    return file_format in _formats()


@dataclass(frozen=True, slots=True)
class _Metadata:
    """What a file says beside its pixels.

    Attributes:
        orientation: of EXIF; outside 2 to 8 nothing is turned.
        profile: ICC profile, as it is embedded.
        frames: number of pictures in the file.
        bits: per channel, where Pillow reduces them itself.
        malformed: whether some of it could not be read.
    """

    orientation: int = UPRIGHT
    profile: bytes = b""
    frames: int = 1
    bits: int = 8
    malformed: bool = False


def _open(data: bytes, name: Path, max_megapixels: float) -> Image.Image:
    """Read the header; the size is judged here, and Pillow's own limit is not asked."""
    from PIL import Image

    with _open_lock, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        pillows_limit, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, None
        try:
            opened = Image.open(io.BytesIO(data), formats=_formats())
        finally:
            Image.MAX_IMAGE_PIXELS = pillows_limit
    width, height = opened.size
    if width * height > max_megapixels * 1e6:
        size = f"{width}x{height} is {width * height / 1e6:.0f} megapixels"
        raise UnreadableImageError(name, f"{size}; the limit is {max_megapixels:g}")
    return opened


@cache
def _formats() -> tuple[str, ...]:
    """The formats of `FORMATS` that this machine's packages decode."""
    from PIL import Image

    if is_installed("pillow_heif"):
        import pillow_heif

        pillow_heif.register_heif_opener()
    Image.init()
    return tuple(name for name in FORMATS if name in Image.OPEN)


def _read_metadata(opened: Image.Image, malformed: bool) -> _Metadata:
    orientation, odd = _orientation(opened)
    try:
        frames = int(getattr(opened, "n_frames", 1))
    except Exception:  # a chain of pictures that is damaged further on
        frames, odd = 1, True
    profile = opened.info.get("icc_profile") or b""
    bits = opened.info.get("bit_depth", 8)
    return _Metadata(
        orientation,
        profile if isinstance(profile, bytes) else b"",
        frames,
        bits if isinstance(bits, int) else 8,
        malformed or odd,
    )


def _orientation(opened: Image.Image) -> tuple[int, bool]:
    """The orientation, and whether EXIF is malformed; what Pillow cannot parse is searched for it alone."""
    block = opened.info.get("exif")
    with _open_lock, warnings.catch_warnings(record=True) as complaints:
        warnings.simplefilter("always")
        try:
            exif = opened.getexif()
            value = exif.get(ORIENTATION, UPRIGHT)
            if opened.format == "TIFF":
                _drop_malformed_parts(exif)
            elif block is not None:
                exif.tobytes()
        except Exception:  # the parser raises anything at all on malformed entries
            found = exif_orientation(block) if isinstance(block, bytes) else UPRIGHT
            return found, True
    return (int(value) if value in TURNS else UPRIGHT), bool(complaints)


def _drop_malformed_parts(exif: Image.Exif) -> None:
    """Take out the parts of a TIFF's EXIF that Pillow would fail at when it loads the pixels."""
    from PIL import TiffTags

    for tag in TiffTags.TAGS_V2_GROUPS:
        try:
            exif.get_ifd(tag)
        except Exception:  # as above
            del exif[tag]
            warnings.warn("malformed EXIF", stacklevel=2)


def _load(opened: Image.Image, data: bytes, orientation: int) -> tuple[Image.Image, str]:
    """The upright picture of at most 8 bits per channel, and the note of what was done to get there."""
    from PIL import Image

    file_format = opened.format or ""
    deep = is_deep(opened, data)
    low = read_low_bytes(data) if deep else None
    opened.load()
    if file_format == "TIFF" and ORIENTATION not in getattr(opened, "tag_v2", {}):
        orientation = UPRIGHT  # Pillow has turned it
    if opened.mode.startswith(("I", "F")):
        wide = f"converted from {opened.mode} (more than 8 bits) to 8-bit RGB"
        picture, note = Image.fromarray(grey_levels(opened, file_format)).convert("RGB"), wide
    elif low is not None:
        picture, note = rounded(opened, low), "rounded from 16 bits per channel to 8"
    else:
        picture, note = opened, "reduced from 16 bits per channel to 8" if deep else ""
    return _turned(picture, orientation), note


def _turned(picture: Image.Image, orientation: int) -> Image.Image:
    from PIL import Image

    method = TURNS.get(orientation)
    return picture if method is None else picture.transpose(Image.Transpose[method])


def _photo(picture: Image.Image, facts: _Metadata, depth_note: str) -> Photo:
    """Pixels in sRGB without alpha, and every note."""
    from PIL import Image

    notes = [MALFORMED] if facts.malformed else []
    if facts.frames > 1:
        notes.append(f"the first of {facts.frames} pictures in the file")
    if facts.orientation in TURNS:
        notes.append("turned upright as its EXIF says")
    if depth_note:
        notes.append(depth_note)
    elif facts.bits > 8:
        notes.append(f"reduced from {facts.bits} bits per channel to 8")
    alpha = None
    if picture.mode in ALPHA_MODES or "transparency" in picture.info:
        layered = picture.convert("RGBA")
        alpha, picture = layered.getchannel("A"), layered.convert("RGB")
        if alpha.getextrema()[0] == 255:
            alpha = None
            notes.append("its alpha channel, which is opaque everywhere, was left out")
        else:
            notes.append("its transparency was laid over white")
    elif picture.mode != "RGB":
        notes.append(f"converted from {picture.mode} to RGB")
    if facts.profile and picture.mode != "LAB":  # which Pillow converts by the profile of L*a*b* itself
        picture, note = to_srgb(picture if picture.mode == "CMYK" else picture.convert("RGB"), facts.profile)
        notes += [note] if note else []
    picture = picture.convert("RGB")
    if alpha is not None:
        picture = Image.alpha_composite(
            Image.new("RGBA", picture.size, "white"), Image.merge("RGBA", (*picture.split(), alpha))
        ).convert("RGB")
    return Photo(np.array(picture, dtype=np.uint8), tuple(notes))


def _without_metadata(data: bytes) -> bytes | None:
    """The same picture without metadata; None where nothing can be left out."""
    if data.startswith(PNG_SIGNATURE):
        plain, _ = plain_png(data, keep_metadata=False)
    elif data.startswith(b"\xff\xd8"):
        plain = plain_jpeg(data)
    else:
        return None
    return None if plain == data else plain


def _damage(error: Exception, data: bytes) -> str:
    """Why a picture cannot be decoded, from what the decoder raised."""
    from PIL import UnidentifiedImageError

    if not isinstance(error, UnidentifiedImageError):
        said = " ".join(str(error).split()).rstrip(".")[:200]
        return f"damaged: {said or type(error).__name__}"
    brand = data[8:12] if data[4:8] == b"ftyp" else b""
    if brand in HEIF_BRANDS and not is_readable("HEIF"):
        return f"a HEIC picture, which needs pillow-heif: pip install 'refbench[{EXTRAS['pillow_heif']}]'"
    if brand in AVIF_BRANDS and not is_readable("AVIF"):
        return "an AVIF picture, which this Pillow does not decode: pip install --upgrade pillow"
    if data[:4] in (b"II*\0", b"MM\0*"):
        return f"a TIFF of a kind that is not read, such as floats in colour; {RESAVE}"
    known = brand in HEIF_BRANDS | AVIF_BRANDS or data.startswith(SIGNATURES)
    return "damaged: its header cannot be read" if known else NOT_READ
