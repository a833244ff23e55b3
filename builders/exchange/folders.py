"""Export of a set as plain folders: ``SPLIT/IDENTITY/KEY.png``, and LQ images as ``lq/RECIPE/KEY.png``."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ...progress import track
from ...records.reference_set import ReferenceSet
from .lq_exchange import copy_file, copy_lq_facts, lq_folders


def write_folders(found: ReferenceSet, out: Path, recipes: Sequence[str] = ()) -> list[Path]:
    """Copy every image to ``out/SPLIT/IDENTITY/KEY.png``.

    LQ images go to ``out/lq/RECIPE/KEY.png``, with ``lq.json`` and ``draws.parquet``, as in a set. A build
    with the options ``aligned`` and ``identities: folders`` reads people and splits back.

    Args:
        found: the set.
        out: folder to write to.
        recipes: names of recipes whose LQ images are included.

    Raises:
        RefbenchError: an image of the set is missing; no LQ images of a recipe.
    """
    named = lq_folders(found, recipes)
    written = []
    for target in track("images", found.targets, len(found.targets)):
        path = out / target.split / target.identity / f"{target.key}.png"
        copy_file(found.root / (target.hq or target.lq), path)
        written.append(path)
    return [*written, *write_lq_folders(found, out, named)]


def write_lq_folders(found: ReferenceSet, out: Path, recipes: Sequence[str]) -> list[Path]:
    """Copy the LQ images of some recipes to ``out/lq/RECIPE/KEY.png``, with what is stated of them."""
    written = []
    for recipe in recipes:
        for target in found.targets:
            path = found.lq_path(recipe, target.key)
            if path.is_file():
                written.append(out / "lq" / recipe / path.name)
                copy_file(path, written[-1])
        written += copy_lq_facts(found, out, recipe)
    return written
