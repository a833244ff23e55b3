"""Verify an LQ folder: synthesise every image again and compare files, draws and pixels."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from ...deprecated import renamed
from ...errors import FaultListError, InvalidInputError
from ...files import StrPath, names_of, paths_by_key
from ...images import RGB
from ...progress import progress
from ...records.lq_set import LqInfo, LqRow, lq_hash, pixels_sha256, read_rows
from ..engine.degrade import degrade_image
from ..engine.parallel import parallel_map
from ..recipes.bundled import OLD_VERSIONS
from ..recipes.lookup import bundled
from ..recipes.recipe import Recipe
from .pairs import Fault, Sizes, read_hq, read_opaque, unpaired

ROUNDING = 0.05  # share of values that may differ by one level, for images made with another codec library


@dataclass(frozen=True, slots=True)
class Verification:
    """Result of `verify_lq_folder` where there is no fault.

    Attributes:
        info: content of ``lq.json``.
        identical: keys whose pixels were reproduced, or, for imported images, are unchanged.
        rounded: keys with single values that differ by one level: made with other library versions.
    """

    info: LqInfo
    identical: tuple[str, ...]
    rounded: tuple[str, ...]

    def __str__(self) -> str:
        made = "synthesised again and found identical" if self.info.origin == "synthesised" else "as imported"
        rounding = f"; {len(self.rounded)} differ by single levels" if self.rounded else ""
        count = f"{len(self.identical)} of {len(self.identical) + len(self.rounded)} images"
        return f"{self.info.recipe_id}: {count} {made}{rounding}"


def verify_lq_folder(
    images: Mapping[str, StrPath],
    folder: StrPath,
    sizes: Sizes | None = None,
    *,
    workers: int = 1,
    others: Collection[str] | str = (),
) -> Verification:
    """Check an LQ folder against its HQ images, its draws and its recipe.

    Args:
        images: HQ files by key, of every LQ image that the folder should hold.
        folder: with ``KEY.png``, ``draws.parquet`` and ``lq.json``.
        sizes: (width, height) of each HQ image as the manifest says, by key; unchecked where absent.
        workers: threads.
        others: keys of images that the folder may hold too, such as those of other splits; unchecked.

    Raises:
        FaultListError: unpaired keys, HQ or LQ files changed since, draws or pixels that the recipe does
            not reproduce, a recipe changed under its id; all at once.
        RefbenchError: not a complete LQ folder.
    """
    images = paths_by_key(images)
    folder = Path(folder)
    others = names_of(others)
    info = LqInfo.read(folder)
    rows = {row.key: row for row in read_rows(folder)}
    recipe = Recipe.from_dict(info.steps) if info.steps is not None else None
    faults = [
        *_folder_faults(info, rows, recipe, folder=folder),
        *unpaired(images, rows.keys() - (set(others) - images.keys())),
    ]
    check = partial(
        _check, images=images, rows=rows, recipe=recipe, seed=info.seed, folder=folder, sizes=sizes or {}
    )
    verdicts: dict[str, bool] = {}
    keys = sorted(images.keys() & rows.keys())
    with progress(f"verify {info.recipe}", len(keys)) as advance:
        for done in parallel_map(check, keys, workers):
            if isinstance(done, Fault):
                faults.append(done)
            else:
                verdicts.update(done)
            advance(1)
    if faults:
        fix = "Make these images again: refbench degrade." if recipe else "Import these images again."
        raise FaultListError(str(folder), sorted(map(str, faults)), fix)
    identical = tuple(key for key in keys if verdicts[key])
    return Verification(info, identical, tuple(key for key in keys if not verdicts[key]))


def _folder_faults(
    info: LqInfo, rows: Mapping[str, LqRow], recipe: Recipe | None, *, folder: Path
) -> Iterator[Fault]:
    if info.images != len(rows) or info.lq_hash != lq_hash(rows.values()):
        yield Fault("draws.parquet", "does not belong to lq.json: counts or hashes differ")
    known = OLD_VERSIONS.get(info.recipe_id) or bundled(info.recipe)
    if recipe is not None and recipe.fingerprint != info.fingerprint:
        yield Fault("lq.json", "its recipe is not the one whose fingerprint it gives")
    elif (
        recipe is not None
        and known is not None
        and known.id == recipe.id
        and known.fingerprint != recipe.fingerprint
    ):
        yield Fault("lq.json", f"its recipe {recipe.id} is not the bundled one of that name")
    extra = {path.stem for path in folder.glob("*.png")} - rows.keys()
    yield from (Fault(f"{key}.png", "is not in draws.parquet") for key in extra)


def _check(
    key: str,
    images: Mapping[str, Path],
    rows: Mapping[str, LqRow],
    *,
    recipe: Recipe | None,
    seed: int | None,
    folder: Path,
    sizes: Sizes,
) -> dict[str, bool] | Fault:
    row = rows[key]
    try:
        hq, hq_sha256 = read_hq(key, images[key], sizes)
        if hq_sha256 != row.hq_sha256:
            size = f"{row.width}x{row.height}"
            changed = f"; it was {size} pixels, it is {hq.shape[1]}x{hq.shape[0]}"
            return Fault(
                key, f"its HQ file changed{changed if size != f'{hq.shape[1]}x{hq.shape[0]}' else ''}"
            )
        lq = read_opaque(folder / f"{key}.png")[0].pixels
        if pixels_sha256(lq) != row.pixels_sha256:
            return Fault(key, "its LQ image changed since it was made")
        if recipe is None or seed is None:
            return {key: True}
        again = degrade_image(hq, recipe, seed, key=key)
    except InvalidInputError as error:
        return Fault(key, str(error))
    if again.record != row.record:
        differing = sorted(n for n in again.record | row.record if again.record.get(n) != row.record.get(n))
        return Fault(key, f"its draws are not the recipe's: {', '.join(differing)}")
    return _compared(key, lq, again.pixels)


def _compared(key: str, lq: RGB, again: RGB) -> dict[str, bool] | Fault:
    difference = np.abs(lq.astype(np.int16) - again)
    share, most = float((difference > 0).mean()), int(difference.max(initial=0))
    if most > 1 or share > ROUNDING:
        return Fault(
            key, f"synthesised again it differs by up to {most} levels, on {share:.1%} of the values"
        )
    return {key: most == 0}


__getattr__ = renamed(__name__, {"verify": "verify_lq_folder"})
