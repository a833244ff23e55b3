"""Pictures of a site as WebP: LQ, restored, HQ and references, encoded once and reused by content."""

from __future__ import annotations

import io
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np

from ...errors import UnreadableImageError
from ...files import sha256_file, sha256_json
from ...images import RGB, read_rgb
from ...records.reference_set import ReferenceSet
from ...records.selection import lq_of_hash
from ..store.names import safe_name
from ..submission.submission import Submission
from ..tables.board import Table
from .galleries import Galleries


@dataclass(frozen=True, slots=True)
class PictureOptions:
    """How pictures are shown. Scores never come from them, always from the submitted PNGs.

    Attributes:
        most: images of a set on the comparison page.
        size: longest side, in pixels; never enlarged.
        quality: of WebP, 1 to 100.
        thumbnail: side of the small pictures, in pixels.
    """

    most: int = 240
    size: int = 512
    quality: int = 88
    thumbnail: int = 112


@dataclass(frozen=True, slots=True)
class Source:
    """One side of a comparison: ``name`` in addresses, ``label`` for people, ``kind``: lq, hq or model."""

    name: str
    label: str
    kind: str


@dataclass(frozen=True)
class Album:
    """The pictures of one table.

    Attributes:
        keys: images with pictures, in order.
        sources: LQ, the models in the table's order, HQ.
        files: by (source name, key), the picture's path below the site.
        thumbnails: by key, a small picture of HQ.
        references: by key, the keys of the references shown beside it.
        reference_files: by key of a reference, its path below the site.
        galleries: keys of the galleries.
        making: by path below the site, the source and longest side (pixels) of every picture.
    """

    keys: tuple[str, ...]
    sources: tuple[Source, ...]
    files: Mapping[tuple[str, str], str]
    thumbnails: Mapping[str, str]
    references: Mapping[str, tuple[str, ...]]
    reference_files: Mapping[str, str]
    galleries: Galleries
    making: Mapping[str, tuple[Path, int]] = field(repr=False)


def plan_album(
    table: Table,
    galleries: Galleries,
    reference_set: ReferenceSet | None,
    *,
    submissions: Mapping[str, Submission],
    options: PictureOptions,
) -> Album | None:
    """Plan the pictures of a table; None without a reference set.

    Args:
        table: whose images are shown.
        galleries: keys that come first.
        reference_set: of the table's benchmark.
        submissions: by the names of the rows.
        options: how many pictures, and how large.
    """
    if reference_set is None:
        return None
    keys = choose_keys(table.keys, galleries, options.most)
    known = {target.key: target for target in reference_set.targets}
    place = f"pictures/{table.track.set_hash[:8]}"
    making: dict[str, tuple[Path, int]] = {}
    files: dict[tuple[str, str], str] = {}
    thumbnails: dict[str, str] = {}
    reference_files: dict[str, str] = {}

    def picture(folder: str, key: str, path: Path, *, size: int) -> str:
        address = f"{place}/{folder}/{safe_name(key)}.webp"
        making[address] = (path, size)
        return address

    lq = lq_of_hash(reference_set, table.recipe, table.keys, lq_hash=table.track.lq_hash)
    lq_folder = reference_set.lq_folder(lq)
    lq_name = f"lq-{safe_name(lq)}"
    sources = [Source("lq", "LQ", "lq")] if lq_folder.is_dir() else []
    models = [row for row in table.rows if row.name in submissions]
    sources += [Source(row.name, row.label, "model") for row in models]
    sources.append(Source("hq", "HQ", "hq"))
    for key in keys:
        files["hq", key] = picture("hq", key, reference_set.hq_path(key), size=options.size)
        thumbnails[key] = picture("thumb", key, reference_set.hq_path(key), size=options.thumbnail)
        if sources[0].kind == "lq":
            files["lq", key] = picture(lq_name, key, lq_folder / f"{key}.png", size=options.size)
        for row in models:
            path = submissions[row.name].images.get(key)
            if path is not None:
                files[row.name, key] = picture(f"{table.slug}/{row.name}", key, path, size=options.size)
        for reference in known[key].references:
            if reference in known:
                path = reference_set.hq_path(reference)
                reference_files[reference] = picture("hq", reference, path, size=options.size)
    references = {key: tuple(r for r in known[key].references if r in reference_files) for key in keys}
    return Album(keys, tuple(sources), files, thumbnails, references, reference_files, galleries, making)


def choose_keys(keys: Sequence[str], galleries: Galleries, most: int) -> tuple[str, ...]:
    """At most ``most`` keys in their own order: those of the galleries, then evenly spaced others."""
    if len(keys) <= most:
        return tuple(keys)
    chosen = list(dict.fromkeys([*galleries.disputed, *galleries.worst, *galleries.best]))[:most]
    rest = [key for key in keys if key not in set(chosen)]
    spots = np.linspace(0, len(rest) - 1, most - len(chosen)).round().astype(int).tolist()
    return tuple(sorted({*chosen, *(rest[spot] for spot in spots)}))


def fingerprint(path: Path, size: int, options: PictureOptions) -> str:
    """Hash of what determines a picture's bytes: the content of its source and the settings."""
    return sha256_json([sha256_file(path), size, options.quality])


def encode(path: Path, size: int, options: PictureOptions) -> bytes:
    """An image file as WebP with its longest side at most ``size`` pixels; equal inputs give equal bytes."""
    from PIL import Image

    pixels = shrink(_readable(path), size)
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "WEBP", quality=options.quality, method=2)
    return buffer.getvalue()


def shrink(pixels: RGB, size: int) -> RGB:
    """RGB uint8 (H, W, 3) with its longest side at most ``size`` pixels, by area averaging."""
    height, width = pixels.shape[:2]
    if max(height, width) <= size:
        return pixels
    scale = size / max(height, width)
    target = (max(1, round(width * scale)), max(1, round(height * scale)))
    return np.asarray(cv2.resize(pixels, target, interpolation=cv2.INTER_AREA), dtype=np.uint8)


def _readable(path: Path) -> RGB:
    try:
        return read_rgb(path)
    except UnreadableImageError:
        return np.full((64, 64, 3), 128, dtype=np.uint8)


def match_sets(tables: Iterable[Table], sets: Sequence[ReferenceSet]) -> dict[str, ReferenceSet]:
    """The reference set of each table, by the table's slug and the set's content hash."""
    by_hash = {found.info.content_hash: found for found in sets}
    return {t.slug: by_hash[t.track.set_hash] for t in tables if t.track.set_hash in by_hash}
