"""Recipes inside an `albumentations.Compose`, and albumentations pipelines as recipes.

`Degrade` draws from the pipeline's own generator, so ``Compose(..., seed=...)`` and ``set_random_seed`` rule
it as they rule any transform. Two traps are avoided: in a `DataLoader` every worker starts with a copy of the
same generator, so a worker's seed is mixed in; and with a ``key`` beside the image the draws are those of
`synthesise` for that key, whatever the order, the workers or the calls before.
"""

from __future__ import annotations

import json
import os
import sys
from typing import Any

import numpy as np
import numpy.typing as npt

from ...errors import RefbenchError
from ...extras import optional
from ...images import to_uint8
from ..engine.degrade import degrade
from ..operations.distributions import Fixed
from ..recipes.lookup import bundled, load_recipe
from ..recipes.recipe import Recipe
from ..recipes.steps import Step

os.environ.setdefault("NO_ALBUMENTATIONS_UPDATE", "1")
with optional("albumentations", "a recipe as a transform"):
    from albumentations.core.transforms_interface import ImageOnlyTransform

Picture = npt.NDArray[Any]


class Degrade(ImageOnlyTransform):  # type: ignore[misc]
    """A recipe as a transform of RGB pictures, uint8 or float32 in [0, 1].

    Args:
        recipe: a bundled name, a YAML file, a `Recipe`, or its plain values.
        draw_seed: of the draws where a ``key`` is given; the ``seed`` of `synthesise`.
        p: probability of applying it. 1 by default, unlike albumentations' own transforms.

    ``compose(image=picture)`` draws from the pipeline's generator; ``compose(image=picture, key="0001")``
    draws for that key.
    """

    def __init__(self, recipe: str | Recipe | dict[str, Any], draw_seed: int = 0, p: float = 1.0) -> None:
        super().__init__(p=p)
        self.loaded = _loaded(recipe)
        self.recipe = self.loaded.id if bundled(self.loaded.name) == self.loaded else self.loaded.to_dict()
        self.draw_seed = draw_seed

    @classmethod
    def get_class_fullname(cls) -> str:
        """The name in serialised pipelines, which stays that of 0.1, for albumentations."""
        return "refbench.degradations.transforms.Degrade"

    def get_params_dependent_on_data(self, params: dict[str, Any], data: dict[str, Any]) -> dict[str, Any]:
        """The seed and the key of the draws, for albumentations."""
        if data.get("key") is not None:
            return {"set_seed": self.draw_seed, "key": str(data["key"])}
        return {"set_seed": _worker_seed(), "key": self.random_generator.bytes(16).hex()}

    def apply(self, img: Picture, set_seed: int, key: str, **params: Any) -> Picture:
        """The LQ picture, for albumentations."""
        if img.dtype == np.uint8:
            return degrade(img, self.loaded, set_seed, key=key).pixels
        return degrade(to_uint8(img), self.loaded, set_seed, key=key).pixels.astype(np.float32) / np.float32(
            255.0
        )

    def get_transform_init_args_names(self) -> tuple[str, ...]:
        """What ``to_dict`` writes, for albumentations."""
        return ("recipe", "draw_seed")


def recipe_of_pipeline(pipeline: Any, name: str, version: int = 1, *, title: str = "") -> Recipe:
    """An albumentations transform or `Compose` as a recipe: drawn by key, written to YAML, verified.

    The pipeline gets RGB uint8 and must keep the size. ``ImageCompression`` compresses true colours here
    (albumentations itself takes RGB for BGR); the pipeline's own seed has no effect.

    Raises:
        FaultListError: a pipeline that cannot be serialised or read back.
    """
    try:
        plain = json.loads(json.dumps(pipeline.to_dict()["transform"]))
    except (TypeError, ValueError, NotImplementedError, AttributeError) as error:
        raise RefbenchError(f"this albumentations pipeline cannot be written down: {error}") from None
    return Recipe(name, version, (Step("albumentations", {"pipeline": Fixed(plain)}),), title)


def _loaded(recipe: str | Recipe | dict[str, Any]) -> Recipe:
    if isinstance(recipe, Recipe):
        return recipe
    if isinstance(recipe, str):
        return load_recipe(recipe)
    if isinstance(recipe, dict):
        return Recipe.from_dict(recipe)
    raise RefbenchError(f"a recipe is a name, a YAML file, a Recipe or its plain values; got {recipe!r}")


def _worker_seed() -> int:
    """The seed of this `DataLoader` worker, which differs from worker to worker; 0 outside of workers."""
    data = sys.modules.get("torch.utils.data")
    worker = data.get_worker_info() if data is not None else None
    return int(worker.seed) if worker is not None else 0
