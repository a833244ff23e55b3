"""Pairing of submitted images with targets by key; all faults are listed before anything is computed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from ...errors import FaultListError, UnreadableImageError
from ...files import sha256_bytes
from ...image_files.decoding import size_in_header
from ...image_files.plain_files import read_plain_file
from ...image_files.png_check import FaultKind, inspect_png_data, is_lost
from ...records.reference_set import Target

LOSSLESS = frozenset({".bmp", ".png", ".tif", ".tiff"})
SHOWN = 20


@dataclass(frozen=True, slots=True)
class Paired:
    """A submission's image for one target.

    Attributes:
        key: of the target.
        path: of the file; None where no image was submitted.
        sha256: of the file's bytes; empty where it cannot be read.
        reason: why it cannot be scored; empty where it can.
        as_stored: a checked 8-bit RGB PNG, whose numbers are scored as they are stored.
    """

    key: str
    path: Path | None
    sha256: str
    reason: str = ""
    as_stored: bool = False


def pair(
    targets: Sequence[Target],
    images: Mapping[str, Path],
    name: str,
    *,
    allow_missing: bool = False,
    check_pngs: bool = True,
) -> dict[str, Paired]:
    """Find the image of every target by key; check sizes, completeness and how the PNGs are stored.

    A file that is damaged is not a fault here: it becomes an unscored row with the reason.

    Args:
        targets: of the split.
        images: path by key.
        name: of the submission, for errors.
        allow_missing: a missing image becomes an unscored row.
        check_pngs: apply the rules of `submission check` to every file named ``.png``.

    Raises:
        FaultListError: missing, extra, duplicate or wrong-size images, and PNGs that are not plain 8-bit RGB,
            all of them at once.
    """
    wanted = {target.key: target for target in targets}
    faults = [*_duplicates(images), *_names("extra", sorted(images.keys() - wanted.keys()))]
    missing = sorted(wanted.keys() - images.keys())
    if not allow_missing:
        faults += _names("missing", missing)
    pairs: dict[str, Paired] = {}
    unfit: dict[FaultKind, list[str]] = {}
    for key, target in sorted(wanted.items()):
        if key not in images:
            pairs[key] = Paired(key, None, "", "no image was submitted")
            continue
        pairs[key], size, kinds = _inspect(key, images[key], check_pngs=check_pngs)
        for kind in kinds:
            unfit.setdefault(kind, []).append(images[key].name)
        if size not in (None, (target.width, target.height)):
            wrong = f"{size[0]}x{size[1]}" if size else ""
            faults.append(f"wrong size: {images[key]} is {wrong}; wanted {target.width}x{target.height}")
    for kind, files in unfit.items():
        more = f" and {len(files) - SHOWN} more" if len(files) > SHOWN else ""
        faults.append(f"{kind.what}: {', '.join(files[:SHOWN])}{more}; {kind.fix}")
    if faults:
        fix = "Give one image for every key of the split, named KEY.png, of the size of its HQ image."
        raise FaultListError(name, faults, fix)
    return pairs


def lossy(pairs: Mapping[str, Paired]) -> int:
    """Number of images in a lossy format (JPEG, WebP)."""
    return sum(p.path is not None and p.path.suffix.lower() not in LOSSLESS for p in pairs.values())


def _inspect(
    key: str, path: Path, *, check_pngs: bool
) -> tuple[Paired, tuple[int, int] | None, list[FaultKind]]:
    """The image of one target, its size where that is known, and what is wrong with a PNG as it is stored."""
    try:
        data = read_plain_file(path)
    except UnreadableImageError as error:
        return Paired(key, path, "", error.reason), None, []
    paired = Paired(key, path, sha256_bytes(data))
    if check_pngs and path.suffix.lower() == ".png":
        report = inspect_png_data(data)
        size = (report.width, report.height) if report.width else None
        damage = [
            f"{kind.what}: {detail}".rstrip(": ") for kind, detail in report.faults if is_lost(kind, detail)
        ]
        kinds = [kind for kind, detail in report.faults if not is_lost(kind, detail)]
        if damage:
            return replace(paired, reason=damage[0]), size, []
        return replace(paired, as_stored=True), size, kinds
    try:
        return paired, size_in_header(data, path), []
    except UnreadableImageError:
        return paired, None, []


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
