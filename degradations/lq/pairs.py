"""Pairs of HQ and LQ images by key: checked reading, unpaired keys, and detection of swapped files."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import cv2
import numpy as np
import numpy.typing as npt

from ...errors import FaultListError, UnreadableImageError
from ...files import sha256_bytes
from ...images import RGB, Photo, decode, read_plain_file

Sizes: TypeAlias = Mapping[str, tuple[int, int]]
Thumbnail: TypeAlias = npt.NDArray[np.float32]
THUMBNAIL = 16  # pixels a side; detail that remains after the most severe recipe
MARGIN = 0.05  # by which the correlation with another HQ image must exceed that of the pair
CHUNK = 1024


@dataclass(frozen=True, slots=True)
class Fault:
    """An image that cannot be used, by its key, and the reason."""

    key: str
    reason: str

    def __str__(self) -> str:
        return f"{self.key}: {self.reason}"


def read_hq(key: str, path: Path, sizes: Sizes) -> tuple[RGB, str]:
    """Pixels, RGB uint8 (H, W, 3), and SHA-256 of one HQ file.

    Raises:
        UnreadableImageError: unreadable, transparent, or of another size (width, height) than ``sizes`` says.
    """
    photo, data = read_opaque(path)
    size = (photo.pixels.shape[1], photo.pixels.shape[0])
    if sizes.get(key, size) != size:
        expected = "x".join(map(str, sizes[key]))
        raise UnreadableImageError(path, f"is {size[0]}x{size[1]} pixels, the manifest says {expected}")
    return photo.pixels, sha256_bytes(data)


def read_opaque(path: Path) -> tuple[Photo, bytes]:
    """A decoded image without transparency, and the bytes of its file.

    Raises:
        UnreadableImageError: unreadable or transparent.
    """
    data = read_plain_file(path)
    photo = decode(data, path)
    if any("laid over white" in note for note in photo.notes):
        raise UnreadableImageError(path, "has transparency; save it as plain RGB")
    return photo, data


def require_keys(keys: Collection[str]) -> None:
    """Check that every key can name a file in one folder.

    Raises:
        FaultListError: every such key.
    """
    unfit = [key for key in sorted(keys) if not key or key.startswith(".") or set(key) & set('/\\:*?"<>|')]
    if unfit:
        raise FaultListError("keys", [f"{key!r} cannot name a file" for key in unfit], "Rename these images.")


def unpaired(hq: Collection[str], lq: Collection[str], extra_is_fault: bool = True) -> Iterator[Fault]:
    """Yield a fault for each key that only one of the two sides has."""
    yield from (Fault(key, "has no LQ image") for key in sorted(set(hq) - set(lq)))
    if extra_is_fault:
        yield from (Fault(key, "has no HQ image") for key in sorted(set(lq) - set(hq)))


def thumbnail(pixels: RGB) -> Thumbnail:
    """A 16 x 16 version of an image as a flat float32 vector of mean 0 and length 1."""
    small = cv2.resize(pixels, (THUMBNAIL, THUMBNAIL), interpolation=cv2.INTER_AREA).astype(np.float32)
    centred = (small - small.mean()).ravel()
    scaled: Thumbnail = centred / max(float(np.linalg.norm(centred)), 1e-6)
    return scaled


def swapped_pairs(keys: Sequence[str], hq: Sequence[Thumbnail], lq: Sequence[Thumbnail]) -> Iterator[Fault]:
    """Yield a fault for each LQ image that correlates clearly better with the HQ image of another key."""
    high = np.stack(hq)
    for start in range(0, len(keys), CHUNK):
        correlation = np.stack(lq[start : start + CHUNK]) @ high.T
        paired = correlation[np.arange(len(correlation)), np.arange(start, start + len(correlation))]
        best = correlation.argmax(axis=1)
        for row in map(int, np.flatnonzero(correlation.max(axis=1) > paired + MARGIN)):
            other = int(best[row])
            described = f"correlation {correlation[row, other]:.2f} against {paired[row]:.2f}"
            yield Fault(keys[start + row], f"looks like the LQ image of {keys[other]} ({described})")
