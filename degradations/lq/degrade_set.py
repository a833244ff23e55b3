"""LQ images of a reference set: synthesise them below ``SET/lq``, or verify those that exist."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ...files import StrPath, names_of
from ...records.ids import VersionedId, recipe_and_seed
from ...records.lq_set import INFO, LqInfo
from ...records.reference_set import ReferenceSet
from ...records.selection import hq_files
from ..recipes.lookup import load_recipe
from ..recipes.recipe import Recipe
from .options import DegradeOptions
from .synthesise import synthesise_lq
from .verify import Verification, verify_lq_folder


def degrade_set(
    reference_set: StrPath,
    recipes: Sequence[str | Path | Recipe] | str | Path | Recipe,
    options: DegradeOptions | None = None,
) -> list[LqInfo]:
    """Synthesise the LQ images of a set, one folder ``SET/lq/RECIPE`` per recipe and seed.

    Seed 0 has the folder ``RECIPE``, any other ``RECIPE.seed-N``; images of other splits in it stay.

    Args:
        reference_set: folder of the set.
        recipes: names of bundled recipes, YAML files, or recipes; ``RECIPE:N`` for a seed of its own.
        options: split, seed and workers; None for the defaults.

    Raises:
        RefbenchError: no such set, recipe or split.
    """
    options = options or DegradeOptions()
    chosen = ReferenceSet.read(reference_set)
    images, sizes = hq_files(chosen, options.split)
    keep = {target.key: target.hq_sha256 for target in chosen.targets if target.has_hq}
    named = [recipes] if isinstance(recipes, str | Path | Recipe) else recipes
    loaded = [_load(recipe, options.seed) for recipe in named]
    return [
        synthesise_lq(
            images,
            recipe,
            chosen.lq_folder(f"{recipe.name}:{seed}"),
            seed=seed,
            workers=options.workers,
            sizes=sizes,
            keep=keep,
        )
        for recipe, seed in loaded
    ]


def verify_lq_of_set(
    reference_set: StrPath, recipes: Sequence[str] | str, split: str = "test", *, workers: int = 1
) -> list[Verification]:
    """Verify the LQ images of a set by synthesising them again: keys, sizes, draws, pixels.

    Args:
        reference_set: folder of the set.
        recipes: names of the LQ folders below ``SET/lq``, or what `degrade_set` was given.
        split: whose targets; ``all`` for every image with references.
        workers: threads.

    Raises:
        FaultListError: every difference, all at once.
        RefbenchError: no such set, LQ folder or split.
    """
    chosen = ReferenceSet.read(reference_set)
    images, sizes = hq_files(chosen, split)
    names = [
        name if (chosen.lq_folder(name) / INFO).is_file() else _recipe_name(name)
        for name in names_of(recipes)
    ]
    others = {target.key for target in chosen.targets}
    return [
        verify_lq_folder(images, chosen.lq_folder(name), sizes, workers=workers, others=others)
        for name in names
    ]


def _load(recipe: str | Path | Recipe, seed: int) -> tuple[Recipe, int]:
    """A recipe and the seed of its draws, its own where it is given as ``RECIPE:N``."""
    if isinstance(recipe, Recipe):
        return recipe, seed
    if isinstance(recipe, Path):
        return load_recipe(recipe), seed
    name, own = recipe_and_seed(recipe)
    return load_recipe(name), seed if own is None else own


def _recipe_name(text: str) -> str:
    """The name of a recipe that is given as a file, an object or an id; any other text is a name."""
    name, seed = recipe_and_seed(text)
    if seed is not None:
        return f"{_recipe_name(name)}:{seed}"
    is_name = not text.endswith((".yaml", ".yml")) and ":" not in text and not VersionedId.parse(text).version
    return text if is_name else load_recipe(text).name
