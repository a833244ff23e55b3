"""LQ images in exports and imports: which there are, what is stated of them, how they return into a set."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

from ...errors import RefbenchError, UnreadableImageError
from ...files import replacing, sha256_bytes, sha256_file
from ...images import decode
from ...progress import say, track
from ...records.ids import VersionedId
from ...records.lq_set import (
    DRAWS,
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
from ...records.reference_set import ReferenceSet
from ...records.selection import stale_lq

LQ = "lq"


def lq_folders(found: ReferenceSet, recipes: Sequence[str]) -> list[str]:
    """Names of the folders of LQ images of some recipes, all there and of the HQ images of today.

    Raises:
        RefbenchError: no LQ images of a recipe, or of HQ images that were replaced.
    """
    for recipe in recipes:
        folder = found.lq_folder(recipe)
        command = f"refbench degrade {found.root} --recipe {recipe}"
        if not folder.is_dir():
            raise RefbenchError(f"{found.root} has no LQ images of {recipe!r}; make them with: {command}")
        if stale := stale_lq(found, folder):
            raise RefbenchError(
                f"{folder}: {len(stale)} LQ images are of HQ images that the set has no longer; make them "
                f"again with: {command}"
            )
    return [found.lq_folder(recipe).name for recipe in recipes]


def copy_lq_facts(found: ReferenceSet, out: Path, recipe: str) -> list[Path]:
    """Copy ``lq.json`` and ``draws.parquet`` of a recipe to ``out/lq/RECIPE``; returns what was written."""
    written = []
    for name in (DRAWS, INFO):
        path = found.lq_folder(recipe) / name
        if path.is_file():
            written.append(out / LQ / recipe / name)
            copy_file(path, written[-1])
    return written


def copy_file(path: Path, to: Path) -> None:
    """Copy a file, atomically.

    Raises:
        RefbenchError: it is missing.
    """
    try:
        with replacing(to) as partial:
            shutil.copyfile(path, partial)
    except FileNotFoundError:
        raise RefbenchError(f"{path} is missing; run refbench verify") from None


def adopt_lq(made: ReferenceSet, stated: Path, recipe: str) -> list[str]:
    """Complete the LQ images in ``made.root/lq/RECIPE`` by ``draws.parquet`` and ``lq.json``.

    Args:
        made: a set whose images and LQ images are written.
        stated: folder of the export with both files; where it lacks them, they are made for imported images.
        recipe: name of the folder.

    Returns:
        A line for every LQ image that is not the one that was exported.
    """
    folder = made.root / LQ / recipe
    keys = sorted(path.stem for path in folder.glob("*.png"))
    if not (stated / INFO).is_file() or not (stated / DRAWS).is_file():
        return _as_imported(made, folder, keys, recipe=recipe)
    info, rows = LqInfo.read(stated), {row.key: row for row in read_rows(stated)}
    wrong = [
        f"{key}: its LQ image of {recipe} is not the one that was exported"
        for key in keys
        if key not in rows or rows[key].lq_sha256 != sha256_file(folder / f"{key}.png")
    ]
    wrong += [f"{key}: its LQ image of {recipe} is missing" for key in sorted(rows.keys() - set(keys))]
    if info.lq_hash != lq_hash(rows.values()):
        wrong.append(f"lq/{recipe}: {DRAWS} does not belong to {INFO}: counts or hashes differ")
    if not wrong:
        for name in (DRAWS, INFO):
            copy_file(stated / name, folder / name)
    return wrong


def _as_imported(made: ReferenceSet, folder: Path, keys: Sequence[str], *, recipe: str) -> list[str]:
    say(f"{folder}: the export does not state how these LQ images were made; they come as imported ones")
    rows: list[LqRow] = []
    faults: list[str] = []
    for key in track(f"LQ images of {recipe}", keys, len(keys)):
        target, data = made[key], (folder / f"{key}.png").read_bytes()
        try:
            pixels = decode(data, folder / f"{key}.png").pixels
        except UnreadableImageError as error:
            faults.append(str(error))
            continue
        digest = sha256_bytes(data)
        rows.append(
            LqRow(key, target.width, target.height, target.hq_sha256, digest, pixels_sha256(pixels), {})
        )
    if faults:
        return faults
    info = LqInfo(
        schema_version=2,
        origin="imported",
        recipe=recipe,
        recipe_id=str(VersionedId(recipe, "imported")),
        fingerprint="",
        steps=None,
        seed=None,
        images=len(rows),
        lq_hash=lq_hash(rows),
        versions=versions(),
    )
    write_rows(folder, rows)
    write_info(folder, info)
    return []
