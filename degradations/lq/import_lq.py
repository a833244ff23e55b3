"""Import LQ images that others made, such as a published test set, under the same checks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from ...errors import FaultListError, InvalidInputError, RefbenchError
from ...files import StrPath, paths_by_key, sha256_bytes, write_bytes
from ...folder_lock import has_files, locks
from ...images import encode_png, find_photos
from ...names import normal
from ...progress import progress
from ...records.ids import VersionedId
from ...records.lq_set import (
    INFO,
    LqInfo,
    LqRow,
    lq_hash,
    pixels_sha256,
    read_rows,
    versions,
    write_info,
    write_rows,
)
from ..engine.parallel import parallel_map
from .pairs import (
    Fault,
    Sizes,
    Thumbnail,
    read_hq,
    read_opaque,
    require_keys,
    swapped_pairs,
    thumbnail,
    unpaired,
)

PNG = b"\x89PNG\r\n\x1a\n"


@dataclass(frozen=True, slots=True)
class _Pair:
    row: LqRow
    hq: Thumbnail
    lq: Thumbnail


@locks("out")
def import_lq(
    images: Mapping[str, StrPath],
    source: StrPath,
    out: StrPath,
    *,
    name: str,
    ignore_extra: bool = False,
    sizes: Sizes | None = None,
    names: Mapping[str, str] | None = None,
    workers: int = 1,
) -> LqInfo:
    """Copy the LQ images of a folder to ``out/KEY.png`` and write ``draws.parquet`` and ``lq.json``.

    Args:
        images: HQ files by key.
        source: folder of images named by key; it is only read.
        out: the LQ folder to write.
        name: takes the place of the recipe's name, for instance ``official-severe``.
        ignore_extra: leave out LQ images without HQ instead of refusing them.
        sizes: (width, height) of each HQ image as the manifest says, by key; unchecked where absent.
        names: further names (composed, without suffix) that files of a key may have, for instance those of
            the photos that the images were made from.
        workers: threads.

    Raises:
        FaultListError: keys on one side only, two files of one key, unreadable or transparent images, larger
            than HQ or of another shape, LQ images that look swapped; all at once, and nothing is written.
        RefbenchError: ``out`` holds anything but LQ images of other keys that were imported under this name.
    """
    images = paths_by_key(images)
    source = Path(source)
    out = Path(out)
    before = _rows_before(out, name, images)
    recipe_id = str(VersionedId(name, "imported"))
    require_keys(images)
    files: dict[str, Path] = {}
    faults: list[Fault] = []
    known = {normal(key): key for key in images}
    for path in find_photos(source):
        stem = normal(path.stem)
        key = known.get(stem) or (names or {}).get(stem, stem)
        if key in files:
            faults.append(Fault(key, f"has two LQ images, {files[key].name} and {path.name}"))
        files[key] = path
    faults += unpaired(images, files, extra_is_fault=not ignore_extra)
    keys = sorted(images.keys() & files.keys())
    check = partial(_check, images=images, files=files, sizes=sizes or {})
    pairs: dict[str, _Pair] = {}
    with progress("check LQ images", len(keys)) as advance:
        for done in parallel_map(check, keys, workers):
            if isinstance(done, Fault):
                faults.append(done)
            else:
                pairs[done.row.key] = done
            advance(1)
    ordered = [pairs[key] for key in sorted(pairs)]
    if ordered:
        faults += swapped_pairs(sorted(pairs), [pair.hq for pair in ordered], [pair.lq for pair in ordered])
    if faults:
        raise FaultListError(str(source), sorted(map(str, faults)))
    for pair in ordered:
        write_bytes(out / f"{pair.row.key}.png", _as_png(files[pair.row.key]))
    rows = [pair.row for pair in ordered] + before
    info = LqInfo(
        schema_version=2,
        origin="imported",
        recipe=name,
        recipe_id=recipe_id,
        fingerprint="",
        steps=None,
        seed=None,
        images=len(rows),
        lq_hash=lq_hash(rows),
        versions=versions(),
    )
    (out / INFO).unlink(missing_ok=True)
    write_rows(out, rows)
    write_info(out, info)
    return info.narrowed(out, images) if before else info


def _rows_before(out: Path, name: str, images: Mapping[str, Path]) -> list[LqRow]:
    """The images of other keys, of another split for instance, that were imported under this name before."""
    if not out.is_dir() or not has_files(out):
        return []
    info = LqInfo.read(out) if (out / INFO).is_file() else None
    if info is None or (info.origin, info.recipe) != ("imported", name):
        raise RefbenchError(f"{out} is not empty; name another folder, or remove it")
    rows = read_rows(out)
    again = sorted(images.keys() & {row.key for row in rows})
    if again:
        raise RefbenchError(
            f"{out} is not empty: {len(again)} of these images were imported before ({again[0]} ...); "
            "name another folder, or remove it"
        )
    return rows


def _check(key: str, images: Mapping[str, Path], files: Mapping[str, Path], *, sizes: Sizes) -> _Pair | Fault:
    try:
        hq, hq_sha256 = read_hq(key, images[key], sizes)
        lq = read_opaque(files[key])[0].pixels
    except InvalidInputError as error:
        return Fault(key, str(error))
    if lq.shape[0] * hq.shape[1] != lq.shape[1] * hq.shape[0] or lq.shape[0] > hq.shape[0]:
        both = f"LQ is {lq.shape[1]}x{lq.shape[0]} pixels, HQ {hq.shape[1]}x{hq.shape[0]}"
        return Fault(key, f"{both}; an LQ image has the size of HQ, or is smaller in the same shape")
    lq_sha256 = sha256_bytes(_as_png(files[key]))
    row = LqRow(key, hq.shape[1], hq.shape[0], hq_sha256, lq_sha256, pixels_sha256(lq), {})
    return _Pair(row, thumbnail(hq), thumbnail(lq))


def _as_png(path: Path) -> bytes:
    """The bytes of an RGB PNG unchanged; any other file as a PNG of its pixels."""
    photo, data = read_opaque(path)
    return data if data.startswith(PNG) and not photo.notes else encode_png(photo.pixels)
