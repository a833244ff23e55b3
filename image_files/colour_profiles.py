"""Colour management: pixels with an embedded ICC profile -> sRGB, by LittleCMS (`PIL.ImageCms`)."""

from __future__ import annotations

import io
from functools import lru_cache
from typing import TYPE_CHECKING, Literal, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from PIL import Image, ImageCms

SAME_LEVELS = 2
"""Levels of 255 by which colours may differ through a profile that counts as sRGB: what its variants do."""
GRID = 9
PROFILE_LIMIT = 16 << 20  # bytes

Space = Literal["sRGB", "RGB", "CMYK", "other", "broken"]


class ProfileKind(NamedTuple):
    """A profile's colour space, and its name for notes; ``sRGB`` where it changes no colour."""

    space: Space
    name: str


@lru_cache(maxsize=32)
def profile_kind(profile: bytes) -> ProfileKind:
    """What an ICC profile describes; ``broken`` where it cannot be read.

    A profile counts as sRGB by what it does, not by its name: a grid of colours moves by at most
    `SAME_LEVELS`.
    """
    from PIL import Image, ImageCms

    if len(profile) > PROFILE_LIMIT:
        return ProfileKind("broken", "")
    try:
        opened = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        space = str(opened.profile.xcolor_space).strip()
        described = ImageCms.getProfileDescription(opened)
        name = "".join(char for char in described.strip() if char.isprintable())[:40]
        if space != "RGB":
            return ProfileKind("CMYK" if space == "CMYK" else "other", name or space)
        steps = np.rint(np.linspace(0, 255, GRID)).astype(np.uint8)
        grid = np.stack(np.meshgrid(steps, steps, steps), axis=-1).reshape(GRID, -1, 3)
        moved = np.asarray(_transformed(Image.fromarray(grid), opened), dtype=np.int16)
    except (OSError, ValueError, ImageCms.PyCMSError, ImportError):
        return ProfileKind("broken", "")
    same = int(np.abs(moved - grid).max()) <= SAME_LEVELS
    return ProfileKind("sRGB" if same else "RGB", name or "no name")


def is_srgb_or_unusable(profile: bytes) -> bool:
    """Whether pixels with this profile are read as they are stored."""
    return profile_kind(profile).space not in ("RGB", "CMYK")


def to_srgb(picture: Image.Image, profile: bytes) -> tuple[Image.Image, str]:
    """A picture in sRGB, and what was done; the picture itself and no note where nothing had to be done.

    Intent: relative colorimetric with black point compensation. A profile that is broken, or of another
    colour space than the pixels, is not applied: the numbers count as sRGB, and the note says so.

    Args:
        picture: mode RGB or CMYK; of another mode, nothing is converted.
        profile: ICC profile as embedded.
    """
    from PIL import ImageCms

    kind = profile_kind(profile)
    if kind.space == "sRGB":
        return picture, ""
    if kind.space == "broken":
        return picture, "its colour profile is broken; read as sRGB"
    if kind.space != picture.mode:
        return picture, f"its colour profile ({kind.name}) is not for these colours; read as sRGB"
    try:
        moved = _transformed(picture, ImageCms.ImageCmsProfile(io.BytesIO(profile)))
    except (OSError, ValueError, ImageCms.PyCMSError):
        return picture, "its colour profile is broken; read as sRGB"
    return moved, f"colours converted from its profile ({kind.name}) to sRGB"


def _transformed(picture: Image.Image, source: ImageCms.ImageCmsProfile) -> Image.Image:
    from PIL import ImageCms

    transform = ImageCms.buildTransform(
        source,
        ImageCms.createProfile("sRGB"),
        picture.mode,
        "RGB",
        ImageCms.Intent.RELATIVE_COLORIMETRIC,
        ImageCms.Flags.BLACKPOINTCOMPENSATION,
    )
    moved = ImageCms.applyTransform(picture, transform)
    assert moved is not None
    return moved
