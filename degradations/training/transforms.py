"""Transforms for albumentations: a recipe inside a `Compose`, and a pipeline as a recipe.

`Degrade` draws from the pipeline's own generator, so ``Compose(..., seed=...)`` and ``set_random_seed`` apply
to it as to any transform. In a `DataLoader` every worker starts with a copy of the same generator, so the
worker's seed is mixed in; with a ``key`` beside the image the draws are those of `synthesise_lq` for that
key, whatever the order, the workers or the calls before.
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
from ..engine.degrade import degrade_image
from ..operations.distributions import Fixed
from ..operations.true_colour import register_module_path
from ..recipes.lookup import bundled, load_recipe
from ..recipes.recipe import Recipe
from ..recipes.steps import Step

os.environ.setdefault("NO_ALBUMENTATIONS_UPDATE", "1")
with optional("albumentations", "a recipe as a transform"):
    from albumentations.core.transforms_interface import ImageOnlyTransform

Picture = npt.NDArray[Any]


@register_module_path
class Degrade(ImageOnlyTransform):  # type: ignore[misc]
    """A recipe as an albumentations transform of RGB images (H, W, 3), uint8 or float32 in [0, 1].

    Args:
        recipe: a bundled name, a YAML file, a `Recipe`, or a dictionary as `Recipe.to_dict` gives.
        draw_seed: seed of the draws where a ``key`` is given, as ``seed`` of `synthesise_lq`.
        p: probability of applying it, 0 to 1.

    ``compose(image=image)`` draws from the pipeline's generator; ``compose(image=image, key="0001")``
    draws for that key.
    """

    def __init__(self, recipe: str | Recipe | dict[str, Any], draw_seed: int = 0, p: float = 1.0) -> None:
        super().__init__(p=p)
        self.loaded = _loaded(recipe)
        self.recipe = self.loaded.id if bundled(self.loaded.name) == self.loaded else self.loaded.to_dict()
        self.draw_seed = draw_seed

    @classmethod
    def get_class_fullname(cls) -> str:
        """The class path in serialised pipelines, that of 0.1, for albumentations."""
        return "refbench.degradations.transforms.Degrade"

    def get_params_dependent_on_data(self, params: dict[str, Any], data: dict[str, Any]) -> dict[str, Any]:
        """The seed and the key of the draws, for albumentations."""
        if data.get("key") is not None:
            return {"set_seed": self.draw_seed, "key": str(data["key"])}
        return {"set_seed": _worker_seed(), "key": self.random_generator.bytes(16).hex()}

    def apply(self, img: Picture, set_seed: int, key: str, **params: Any) -> Picture:
        """The LQ image, for albumentations."""
        if img.dtype == np.uint8:
            return degrade_image(img, self.loaded, set_seed, key=key).pixels
        return degrade_image(to_uint8(img), self.loaded, set_seed, key=key).pixels.astype(
            np.float32
        ) / np.float32(255.0)

    def get_transform_init_args_names(self) -> tuple[str, ...]:
        """What ``to_dict`` writes, for albumentations."""
        return ("recipe", "draw_seed")


def recipe_of_pipeline(pipeline: Any, name: str, version: int = 1, *, title: str = "") -> Recipe:
    """Make a recipe of an albumentations transform or `Compose`.

    The pipeline gets RGB uint8 (H, W, 3) and must keep the size. ``ImageCompression`` encodes RGB as RGB here
    (albumentations encodes RGB as if it were BGR); the pipeline's own seed has no effect.

    Args:
        pipeline: a serialisable transform.
        name, version, title: of the recipe.

    Raises:
        FaultListError: a pipeline that cannot be read back.
        RefbenchError: a pipeline that cannot be serialised.
    """
    try:
        plain = json.loads(json.dumps(pipeline.to_dict()["transform"]))
    except (TypeError, ValueError, NotImplementedError, AttributeError) as error:
        raise RefbenchError(f"this albumentations pipeline cannot be serialised: {error}") from None
    return Recipe(name, version, (Step("albumentations", {"pipeline": Fixed(plain)}),), title)


def _loaded(recipe: str | Recipe | dict[str, Any]) -> Recipe:
    if isinstance(recipe, Recipe):
        return recipe
    if isinstance(recipe, str):
        return load_recipe(recipe)
    if isinstance(recipe, dict):
        return Recipe.from_dict(recipe)
    raise RefbenchError(f"a recipe is a name, a YAML file, a Recipe or a dictionary; got {recipe!r}")


def _worker_seed() -> int:
    """The seed of this `DataLoader` worker, which differs from worker to worker; 0 outside of workers."""
    data = sys.modules.get("torch.utils.data")
    worker = data.get_worker_info() if data is not None else None
    return int(worker.seed) if worker is not None else 0
