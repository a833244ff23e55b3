"""realesrgan-2nd-order@2: the unsharp mask and PyTorch's area resizing; version 1 stays as it was."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from refbench.degradations.engine.degrade import degrade_image
from refbench.degradations.operations.blurring import sharpened
from refbench.degradations.operations.resizing import resize
from refbench.degradations.recipes.lookup import load_recipe
from refbench.degradations.training.dataset import TrainingPairs
from refbench.errors import RefbenchError
from toys import cartoon, write_images

V1_FINGERPRINT = "2f48cb9d0cf6"
sides = st.integers(1, 40)


def image(side: int = 96) -> np.ndarray:
    return cartoon(1, 2, side)


def test_version_1_stays_and_version_2_is_taken_by_name() -> None:
    assert load_recipe("realesrgan-2nd-order@1").fingerprint.startswith(V1_FINGERPRINT)
    assert load_recipe("realesrgan-2nd-order").id == "realesrgan-2nd-order@2"
    assert load_recipe("realesrgan-2nd-order@2") == load_recipe("realesrgan-2nd-order")
    with pytest.raises(RefbenchError, match="version 2 here, not 3"):
        load_recipe("realesrgan-2nd-order@3")


def test_a_file_of_version_1_is_read(tmp_path: Path) -> None:
    first = load_recipe("realesrgan-2nd-order@1")
    first.write(tmp_path / "r.yaml")
    assert load_recipe(tmp_path / "r.yaml") == first


@given(sides, sides, sides, sides)
def test_torch_area_is_that_of_torch(height: int, width: int, rows: int, columns: int) -> None:
    pixels = np.random.default_rng(height * 41 + width).uniform(0, 255, (height, width, 3))
    batch = torch.from_numpy(pixels).permute(2, 0, 1)[None]
    wanted = torch.nn.functional.interpolate(batch, size=(rows, columns), mode="area")[0].permute(1, 2, 0)
    np.testing.assert_allclose(resize(pixels, (rows, columns), "torch-area"), wanted.numpy(), atol=1e-9)


def test_the_unsharp_mask_is_that_of_its_paper() -> None:
    pixels = image().astype(np.float64)

    def blur(plane: np.ndarray) -> np.ndarray:
        return cv2.GaussianBlur(plane, (51, 51), 0, borderType=cv2.BORDER_REFLECT_101)

    difference = pixels - blur(pixels)
    places = blur((np.abs(difference) > 10).astype(np.float64))
    wanted = places * np.clip(pixels + 0.5 * difference, 0, 255) + (1 - places) * pixels
    found = sharpened(image())
    assert np.abs(found - wanted).max() <= 0.5 + 1e-6
    assert np.abs(found.astype(int) - image()).max() > 5
    flat = np.full((40, 40, 3), 99, np.uint8)
    assert np.array_equal(sharpened(flat), flat)


def test_version_2_degrades_the_sharpened_image() -> None:
    recipe = load_recipe("realesrgan-2nd-order")
    plain = type(recipe)("without", 1, recipe.steps[1:], sweep="")
    assert recipe.labels[0] == "unsharp_mask"
    assert recipe.labels[1:] == plain.labels
    first, again = (degrade_image(image(), recipe, 0, key="a") for _ in range(2))
    assert np.array_equal(first.pixels, again.pixels)
    assert first.pixels.shape == image().shape
    assert not any(name.startswith("unsharp_mask") for name in first.record)


def test_training_may_take_the_sharpened_image_as_truth(tmp_path: Path) -> None:
    files = write_images(tmp_path, {"a": image()})
    recipe = load_recipe("realesrgan-2nd-order")
    plain, sharp = (
        TrainingPairs(files, {"a": []}, recipe, mirror_probability=0.0, sharpen_truth=on)[0]
        for on in (False, True)
    )
    assert torch.equal(plain["lq"], sharp["lq"])
    assert torch.equal(
        sharp["hq"].mul(255).round().to(torch.uint8), torch.from_numpy(sharpened(image())).permute(2, 0, 1)
    )
    assert not torch.equal(plain["hq"], sharp["hq"])
