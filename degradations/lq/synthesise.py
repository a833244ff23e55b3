"""Synthesise the LQ images of a set on disk: resumable, the same bytes for any number of workers."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path

from ...deprecated import renamed
from ...errors import FaultListError, InvalidInputError, RefbenchError
from ...files import StrPath, paths_by_key, sha256_bytes, sha256_file, write_bytes
from ...folder_lock import locks
from ...images import encode_png
from ...progress import progress, say
from ...records.lq_set import INFO, LqInfo, LqRow, lq_hash, pixels_sha256, versions, write_info, write_rows
from ..engine.degrade import degrade_image
from ..engine.parallel import parallel_map
from ..recipes.recipe import Recipe
from .pairs import Fault, Sizes, read_hq, require_keys
from .resume_log import ResumeLog

__all__ = ["LqInfo", "synthesise_lq"]


@locks("out")
def synthesise_lq(
    images: Mapping[str, StrPath],
    recipe: Recipe,
    out: StrPath,
    *,
    seed: int,
    workers: int = 1,
    sizes: Sizes | None = None,
    keep: Mapping[str, str] | None = None,
) -> LqInfo:
    """Write ``out/KEY.png`` for every image, then ``draws.parquet``, then ``lq.json``.

    An interrupted run continues: an LQ image is kept if recipe, seed, HQ file and its own bytes are
    unchanged. The bytes depend neither on ``workers`` nor on the order of ``images`` nor on where a run was
    interrupted.

    Args:
        images: HQ files by key.
        recipe: steps and the distributions of their parameters.
        out: the LQ folder; it may hold an unfinished run of the same recipe and seed.
        seed: seed of the draws.
        workers: threads.
        sizes: (width, height) of each HQ image as the manifest says, by key; unchecked where absent.
        keep: SHA-256 by key of other HQ files, such as those of other splits, whose LQ images stay if they
            are of these files; all others are removed.

    Returns:
        What ``lq.json`` says of ``images``; in the file it says so of all images in the folder.

    Raises:
        FaultListError: images that are unreadable, transparent, too small or of another size; the LQ
            images of the others are kept for the next run.
        RefbenchError: no images, or ``out`` holds LQ images of another recipe or seed.
    """
    images = paths_by_key(images)
    out = Path(out)
    if not images:
        raise RefbenchError("there are no HQ images to degrade")
    require_keys(images)
    before = LqInfo.read(out) if (out / INFO).is_file() else None
    log = ResumeLog.open(out, recipe, seed)
    make = partial(_make, recipe=recipe, seed=seed, out=out, known=log.rows, sizes=sizes or {})
    rows: list[LqRow] = []
    faults: list[Fault] = []
    with log, progress(f"degrade {recipe.name}", len(images)) as advance:
        for done in parallel_map(make, sorted(images.items()), workers):
            if isinstance(done, LqRow):
                rows.append(done)
                log.add(done)
            else:
                faults.append(done)
            advance(1)
    if faults:
        fix = "Fix these HQ images or leave them out, and run again."
        raise FaultListError(f"degrade {recipe.name}", sorted(map(str, faults)), fix)
    others = {key: row for key, row in log.rows.items() if key not in images}
    kept = {key: row for key, row in others.items() if _is_kept(row, keep or {}, out)}
    for key in others.keys() - kept.keys():
        (out / f"{key}.png").unlink(missing_ok=True)
    if len(others) > len(kept):
        removed = "LQ images of other HQ images were removed; the set has them no longer"
        say(f"{out}: {len(others) - len(kept)} {removed}")
    made, rows = rows, [*rows, *kept.values()]
    info = LqInfo(
        schema_version=2,
        origin="synthesised",
        recipe=recipe.name,
        recipe_id=recipe.id,
        fingerprint=recipe.fingerprint,
        steps=recipe.to_dict(),
        seed=seed,
        images=len(rows),
        lq_hash=lq_hash(rows),
        versions=versions(),
    )
    if before is not None and before.schema_version == 1 and before.lq_hash == info.lq_hash:
        info = info.model_copy(update={"schema_version": 1})  # what records of this folder state stays
    write_rows(out, rows, recipe.drawn)
    write_info(out, info)
    log.remove()
    return info.narrowed(out, images) if len(made) < len(rows) else info


def _is_kept(row: LqRow, keep: Mapping[str, str], out: Path) -> bool:
    return keep.get(row.key) == row.hq_sha256 and (out / f"{row.key}.png").is_file()


def _make(
    item: tuple[str, Path], recipe: Recipe, seed: int, *, out: Path, known: Mapping[str, LqRow], sizes: Sizes
) -> LqRow | Fault:
    key, path = item
    lq_path = out / f"{key}.png"
    try:
        hq, hq_sha256 = read_hq(key, path, sizes)
        row = known.get(key)
        if row and row.hq_sha256 == hq_sha256 and lq_path.is_file() and sha256_file(lq_path) == row.lq_sha256:
            return row
        degraded = degrade_image(hq, recipe, seed, key=key)
    except InvalidInputError as error:
        return Fault(key, str(error))
    data = encode_png(degraded.pixels)
    write_bytes(lq_path, data)
    height, width = hq.shape[:2]
    pixels = pixels_sha256(degraded.pixels)
    return LqRow(key, width, height, hq_sha256, sha256_bytes(data), pixels, degraded.record)


__getattr__ = renamed(__name__, {"synthesise": "synthesise_lq"})
