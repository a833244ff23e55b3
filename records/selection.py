"""Targets of a reference set for a verb: those of a split, their HQ files, and the check for LQ images."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from contextlib import suppress
from glob import escape
from pathlib import Path

import pyarrow.parquet as pq

from ..errors import RefbenchError
from .ids import recipe_and_seed
from .lq_set import DRAWS, INFO, LqInfo
from .reference_set import ReferenceSet, Target


def targets_of(reference_set: ReferenceSet, split: str) -> Sequence[Target]:
    """The targets with references of a split, at least one; ``all`` for those of every split.

    Raises:
        RefbenchError: there is none; the message says how many each split has.
    """
    targets = reference_set.select(split)
    if not targets:
        counts = Counter(target.split for target in reference_set.select())
        has = ", ".join(f"{count} in {name}" for name, count in sorted(counts.items())) or "none at all"
        raise RefbenchError(
            f"{reference_set.root} has no target with references in split {split!r}, but {has}; "
            "choose with --split (all for every one), or build the set with another --val and --test"
        )
    return targets


def hq_files(reference_set: ReferenceSet, split: str) -> tuple[dict[str, Path], dict[str, tuple[int, int]]]:
    """HQ files of the targets of a split by key, and their (width, height) as the manifest says.

    Targets without HQ are left out.

    Raises:
        RefbenchError: no target in the split, or none that has HQ.
    """
    targets = [target for target in targets_of(reference_set, split) if target.has_hq]
    if not targets:
        raise RefbenchError(f"{reference_set.root}: no target of split {split!r} has an HQ image")
    images = {target.key: reference_set.hq_path(target.key) for target in targets}
    return images, {target.key: (target.width, target.height) for target in targets}


def require_lq(reference_set: ReferenceSet, recipe: str, targets: Sequence[Target]) -> None:
    """Check that every target has its LQ image, made of the HQ image that the set has now.

    Raises:
        RefbenchError: some have none, or one of an HQ image that was replaced since; the message names the
            command that makes them.
    """
    name, seed = recipe_and_seed(recipe)
    folder = reference_set.lq_folder(recipe)
    if seed is not None and (folder / INFO).is_file() and LqInfo.read(folder).seed != seed:
        there = LqInfo.read(folder).seed
        raise RefbenchError(
            f"{folder} holds LQ images of seed {there}, not {seed}; rename it to "
            f"{name}.seed-{there} and run: refbench degrade {reference_set.root} --recipe {recipe}"
        )
    absent = [target.key for target in targets if not reference_set.lq_path(recipe, target.key).is_file()]
    if absent:
        some = ", ".join(absent[:3]) + (" ..." if len(absent) > 3 else "")
        fix = f"refbench degrade {reference_set.root} --recipe {recipe}"
        raise RefbenchError(
            f"{len(absent)} of {len(targets)} LQ images are absent ({some}); make them with: {fix}"
        )
    stale = set(stale_lq(reference_set, reference_set.lq_folder(recipe))) & {t.key for t in targets}
    if stale:
        some = ", ".join(sorted(stale)[:3]) + (" ..." if len(stale) > 3 else "")
        fix = f"refbench degrade {reference_set.root} --recipe {recipe}"
        raise RefbenchError(
            f"{len(stale)} of {len(targets)} LQ images are of HQ images that the set has no longer ({some}); "
            f"make them again with: {fix}"
        )


def lq_of(reference_set: ReferenceSet, recipe: str, keys: Collection[str]) -> LqInfo:
    """What ``lq.json`` says of the LQ images of some targets: their number and their hash.

    Args:
        reference_set: the set.
        recipe: name of the recipe, or ``RECIPE:N`` with a seed.
        keys: of the targets.

    Raises:
        RefbenchError: no LQ images of that recipe, or ``lq.json`` or ``draws.parquet`` cannot be read.
    """
    folder = reference_set.lq_folder(recipe)
    if not (folder / INFO).is_file():
        fix = f"make them with: refbench degrade {reference_set.root} --recipe {recipe}"
        raise RefbenchError(f"{reference_set.root} has no LQ images of the recipe {recipe!r}; {fix}")
    return LqInfo.read(folder).narrowed(folder, keys)


def lq_of_hash(reference_set: ReferenceSet, recipe: str, keys: Collection[str], *, lq_hash: str) -> str:
    """Which LQ folder of a recipe, of all seeds, holds the images of that hash: its name for `lq_folder`.

    Args:
        reference_set: the set.
        recipe: name of the recipe.
        keys: of the images.
        lq_hash: as a record states it.

    Returns:
        The name of the folder; ``recipe`` where none has that hash.
    """
    seeded = sorted(path.name for path in (reference_set.root / "lq").glob(f"{escape(recipe)}.seed-*"))
    for name in (recipe, *seeded):
        with suppress(RefbenchError):
            if lq_of(reference_set, name, keys).lq_hash == lq_hash:
                return name
    return recipe


def stale_lq(reference_set: ReferenceSet, folder: Path) -> list[str]:
    """Keys of the LQ images in a folder that state another HQ image than the set has now, in order.

    Nothing is stated where ``draws.parquet`` is absent or of another form.
    """
    try:
        stated = pq.read_table(folder / DRAWS, columns=["key", "hq_sha256"]).to_pydict()
    except (OSError, ValueError, KeyError):
        return []
    digests = {target.key: target.hq_sha256 for target in reference_set.targets if target.has_hq}
    pairs = zip(stated["key"], stated["hq_sha256"], strict=True)
    return sorted(key for key, digest in pairs if digest != digests.get(key, digest))
