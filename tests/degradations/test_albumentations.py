"""Recipes as albumentations transforms, pipelines as recipes, serialised class paths."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import albumentations as A
import cv2
import numpy as np
import numpy.typing as npt
import pytest
import torch
from refbench.degradations.engine.degrade import degrade_image
from refbench.degradations.operations.true_colour import TrueColourCompression
from refbench.degradations.recipes.lookup import load_recipe
from refbench.degradations.recipes.recipe import Recipe
from refbench.degradations.training.transforms import Degrade, recipe_of_pipeline
from refbench.errors import FaultListError, RefbenchError
from torch.utils.data import DataLoader, Dataset

RGB = npt.NDArray[np.uint8]


@pytest.fixture(scope="module")
def face(astronaut: RGB) -> RGB:
    return np.ascontiguousarray(astronaut[30:158, 150:278])


def test_the_seed_of_the_pipeline_decides_the_draws(face: RGB) -> None:
    pipeline = A.Compose([A.HorizontalFlip(p=0.5), Degrade("refldm-moderate")], seed=5)
    first, second = pipeline(image=face)["image"], pipeline(image=face)["image"]
    assert (first != second).any()
    pipeline.set_random_seed(5)
    np.testing.assert_array_equal(pipeline(image=face)["image"], first)


def test_a_key_draws_what_synthesise_draws(face: RGB) -> None:
    pipeline = A.Compose([Degrade("refldm-severe", draw_seed=7)])
    pipeline(image=face)
    made = pipeline(image=face, key="0001")["image"]
    np.testing.assert_array_equal(
        made, degrade_image(face, load_recipe("refldm-severe"), 7, key="0001").pixels
    )


@pytest.mark.parametrize(
    "recipe", ["refldm-severe", Recipe.from_yaml("{name: g, version: 1, steps: [{operation: grey}]}")]
)
def test_to_dict_and_back(recipe: str | Recipe, face: RGB) -> None:
    pipeline = A.Compose([Degrade(recipe, draw_seed=3, p=0.9)])
    plain = json.loads(json.dumps(A.to_dict(pipeline)))
    again = A.from_dict(plain)
    assert A.to_dict(again) == A.to_dict(pipeline)
    assert again.transforms[0].p == 0.9
    for each in (pipeline, again):
        each.set_random_seed(1)
    np.testing.assert_array_equal(again(image=face)["image"], pipeline(image=face)["image"])


def test_float_pictures_stay_float(face: RGB) -> None:
    pipeline = A.Compose([Degrade("refldm-severe")])
    made = pipeline(image=(face / 255).astype(np.float32), key="k")["image"]
    assert made.dtype == np.float32
    np.testing.assert_array_equal(np.rint(made * 255), pipeline(image=face, key="k")["image"])


class Six(Dataset[torch.Tensor]):
    def __init__(self, face: RGB) -> None:
        self.face = face
        self.pipeline = A.Compose([Degrade("refldm-severe")], seed=42)

    def __len__(self) -> int:
        return 6

    def __getitem__(self, index: int) -> torch.Tensor:
        return torch.from_numpy(self.pipeline(image=self.face)["image"])


def test_workers_do_not_repeat_each_other(face: RGB) -> None:
    def read() -> list[bytes]:
        torch.manual_seed(0)
        return [batch.numpy().tobytes() for batch in DataLoader(Six(face), batch_size=1, num_workers=2)]

    first = read()
    assert len(set(first)) == 6
    assert read() == first


def test_a_pipeline_is_a_recipe(face: RGB) -> None:
    noise = A.OneOf([A.GaussNoise(p=1.0), A.ISONoise(p=1.0)], p=0.7)
    pipeline = A.Compose([A.GaussianBlur(p=1.0), A.ImageCompression(quality_range=(30, 60), p=0.5), noise])
    recipe = recipe_of_pipeline(pipeline, "custom-pipeline", title="of mine")
    assert Recipe.from_yaml(recipe.to_yaml()) == recipe
    again = Recipe.from_yaml(recipe.to_yaml())
    one = degrade_image(face, recipe, 0, key="a").pixels
    degrade_image(face, recipe, 0, key="b")
    np.testing.assert_array_equal(degrade_image(face, again, 0, key="a").pixels, one)
    assert (degrade_image(face, recipe, 0, key="b").pixels != one).any()
    assert (degrade_image(face, recipe, 1, key="a").pixels != one).any()


def test_transforms_of_a_pipeline_draw_independently(face: RGB) -> None:
    shifts = [A.RandomBrightnessContrast((-0.4, 0.4), (0, 0), p=0.5) for _ in range(2)]
    recipe = recipe_of_pipeline(A.Compose(shifts), "twice")
    means = {round(float(degrade_image(face, recipe, 0, key=str(key)).pixels.mean())) for key in range(12)}
    single = recipe_of_pipeline(A.Compose(shifts[:1]), "once")
    unchanged = [(degrade_image(face, single, 0, key=str(key)).pixels == face).all() for key in range(60)]
    both = [(degrade_image(face, recipe, 0, key=str(key)).pixels == face).all() for key in range(60)]
    assert len(means) > 5
    assert sum(both) < sum(unchanged)


def test_jpeg_in_a_pipeline_codes_true_colours(face: RGB) -> None:
    encoded = cv2.imencode(".jpg", face[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 40])[1]
    true = cv2.imdecode(encoded, cv2.IMREAD_COLOR)[..., ::-1]
    own = A.ImageCompression(quality_range=(40, 40), p=1.0)
    assert (own(image=face)["image"] != true).any(), "albumentations has fixed its channel order"
    recipe = recipe_of_pipeline(own, "jpeg-only")
    np.testing.assert_array_equal(degrade_image(face, recipe, 0, key="a").pixels, true)
    np.testing.assert_array_equal(
        TrueColourCompression(quality_range=(40, 40), p=1.0)(image=face)["image"], true
    )


def edited(change: dict[str, Any]) -> dict[str, Any]:
    plain = json.loads(json.dumps(A.to_dict(A.GaussianBlur(p=1.0))["transform"])) | change
    return {"name": "b", "version": 1, "steps": [{"operation": "albumentations", "pipeline": plain}]}


@pytest.mark.parametrize(
    ("change", "answer"),
    [
        ({"blur_limits": 3}, "blur_limits' are not valid"),
        (
            {"__class_fullname__": "GaussianBlurr"},
            "the transform 'GaussianBlurr', which albumentations does not know",
        ),
        ({"sigma_limit": [-3, 1]}, "cannot be built"),
    ],
)
def test_faulty_pipelines_are_named(change: dict[str, Any], answer: str) -> None:
    Recipe.from_dict(edited({}))
    with pytest.raises(FaultListError, match=answer):
        Recipe.from_dict(edited(change))


@pytest.mark.filterwarnings("ignore:Using lambda")
def test_a_pipeline_that_cannot_be_serialised_is_refused() -> None:
    with pytest.raises(RefbenchError, match="cannot be serialised"):
        recipe_of_pipeline(A.Lambda(image=lambda image, **_: image), "lambda")
    with pytest.raises(RefbenchError, match="a recipe is a name"):
        Degrade(3)  # type: ignore[arg-type]


def class_paths(plain: Any) -> Iterator[dict[str, Any]]:
    if isinstance(plain, dict):
        if "__class_fullname__" in plain:
            yield plain
        plain = list(plain.values())
    for entry in plain if isinstance(plain, list) else []:
        yield from class_paths(entry)


@pytest.mark.parametrize(
    ("transform", "module"),
    [
        (Degrade("refldm-moderate"), "refbench.degradations.training.transforms"),
        (TrueColourCompression(p=1.0), "refbench.degradations.operations.true_colour"),
    ],
)
def test_serialised_class_paths_of_0_1_are_written_and_module_paths_are_read(
    transform: A.BasicTransform, module: str
) -> None:
    plain = A.to_dict(A.Compose([transform], seed=1))
    [entry] = [e for e in class_paths(plain) if e["__class_fullname__"].startswith("refbench")]
    name = type(transform).__name__
    assert entry["__class_fullname__"] == f"refbench.degradations.transforms.{name}"
    entry["__class_fullname__"] = f"{module}.{name}"
    assert type(A.from_dict(plain).transforms[0]) is type(transform)


ALONE = """
import json, sys
import albumentations
from refbench.degradations import Degrade, TrueColourCompression
pipeline = albumentations.from_dict(json.loads(sys.argv[1]))
print([type(transform).__name__ for transform in pipeline.transforms])
"""


def test_albumentations_reads_a_pipeline_after_the_import_that_the_docs_name() -> None:
    plain = A.to_dict(A.Compose([Degrade("refldm-moderate"), TrueColourCompression(p=1.0)], seed=1))
    run = subprocess.run(
        [sys.executable, "-c", ALONE, json.dumps(plain)], capture_output=True, text=True, check=True
    )
    assert run.stdout.strip() == "['Degrade', 'TrueColourCompression']"
