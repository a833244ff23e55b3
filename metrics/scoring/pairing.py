"""Pairing of submitted images with targets by key; all faults are listed before anything is computed."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ...errors import FaultListError
from ...files import sha256_bytes
from ...records.reference_set import Target

LOSSLESS = frozenset({".bmp", ".png", ".tif", ".tiff"})
SHOWN = 20


@dataclass(frozen=True, slots=True)
class Paired:
    """A submission's image for one target: its file and the hash of its bytes; empty where missing."""

    key: str
    path: Path | None
    sha256: str
    reason: str = ""


def pair(
    targets: Sequence[Target], images: Mapping[str, Path], name: str, *, allow_missing: bool = False
) -> dict[str, Paired]:
    """Find the image of every target by key; check sizes and completeness.

    A file that cannot be read or decoded is not a fault here: it becomes an unscored row with the reason.

    Raises:
        FaultListError: missing, extra, duplicate or wrong-size images, all of them at once. With
            ``allow_missing`` a missing image becomes an unscored row instead.
    """
    wanted = {target.key: target for target in targets}
    faults = [*_duplicates(images), *_names("extra", sorted(images.keys() - wanted.keys()))]
    missing = sorted(wanted.keys() - images.keys())
    if not allow_missing:
        faults += _names("missing", missing)
    pairs: dict[str, Paired] = {}
    for key, target in sorted(wanted.items()):
        if key not in images:
            pairs[key] = Paired(key, None, "", "no image was submitted")
            continue
        pairs[key], size = _inspect(key, images[key])
        if size not in (None, (target.width, target.height)):
            wrong = f"{size[0]}x{size[1]}" if size else ""
            faults.append(f"wrong size: {images[key]} is {wrong}; wanted {target.width}x{target.height}")
    if faults:
        fix = "Give one image for every key of the split, named KEY.png, of the size of its HQ image."
        raise FaultListError(name, faults, fix)
    return pairs


def lossy(pairs: Mapping[str, Paired]) -> int:
    """Number of images in a lossy format (JPEG, WebP)."""
    return sum(p.path is not None and p.path.suffix.lower() not in LOSSLESS for p in pairs.values())


def _inspect(key: str, path: Path) -> tuple[Paired, tuple[int, int] | None]:
    from PIL import Image

    try:
        data = path.read_bytes()
    except OSError as error:
        return Paired(key, path, "", f"cannot be opened: {error.strerror or error}"), None
    paired = Paired(key, path, sha256_bytes(data))
    try:
        with Image.open(io.BytesIO(data)) as opened:
            width, height = opened.size
            rotated = opened.getexif().get(0x0112, 1) in (5, 6, 7, 8)
            return paired, (height, width) if rotated else (width, height)
    except (OSError, SyntaxError, ValueError):
        return paired, None


def _duplicates(images: Mapping[str, Path]) -> list[str]:
    faults = []
    by_name: dict[str, str] = {}
    by_file: dict[Path, str] = {}
    for key, path in sorted(images.items()):
        if other := by_name.get(key.casefold()):
            faults.append(f"duplicate: {other} and {key} are one key but for the case of letters")
        if other := by_file.get(path):
            faults.append(f"duplicate: {other} and {key} are the same file {path}")
        by_name[key.casefold()] = key
        by_file[path] = key
    return faults


def _names(what: str, keys: Sequence[str]) -> list[str]:
    shown = [f"{what}: {key}" for key in keys[:SHOWN]]
    rest = len(keys) - len(shown)
    return [*shown, f"{what}: {rest} more"] if rest > 0 else shown
