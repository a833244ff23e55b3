"""The torch path against the reference path and against libjpeg."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from refbench.degradations.engine import torch_jpeg
from refbench.degradations.engine.batched import degrade_batch
from refbench.degradations.engine.degrade import degrade_image
from refbench.degradations.engine.padded import PaddedBatch
from refbench.degradations.operations.distributions import Fixed, Uniform
from refbench.degradations.recipes.bundled import RECIPES
from refbench.degradations.recipes.recipe import Recipe
from refbench.degradations.recipes.steps import Step
from refbench.errors import InvalidInputError, RefbenchError

KEYS = ["a", "b", "c", "d", "e"]


@pytest.fixture(scope="module")
def faces(astronaut: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """Five pictures, RGB uint8 (5, 160, 144, 3)."""
    return np.stack([astronaut[20 * n : 20 * n + 160, 100 + 9 * n : 244 + 9 * n] for n in range(5)])


def as_batch(faces: npt.NDArray[np.uint8]) -> torch.Tensor:
    return torch.from_numpy(faces.transpose(0, 3, 1, 2).copy()).double() / 255


def levels(batch: torch.Tensor) -> npt.NDArray[np.int64]:
    return (batch.double() * 255).round().long().permute(0, 2, 3, 1).numpy()


@pytest.mark.parametrize("name", RECIPES)
def test_equal_in_float64_and_near_in_float32(name: str, faces: npt.NDArray[np.uint8]) -> None:
    recipe = RECIPES[name]
    expected = np.stack(
        [degrade_image(face, recipe, 1, key=key).pixels for face, key in zip(faces, KEYS, strict=True)]
    )
    exact = degrade_batch(as_batch(faces), recipe, 1, keys=KEYS, precision=torch.float64)
    assert exact.dtype == torch.float32
    np.testing.assert_array_equal(levels(exact), expected)
    difference = np.abs(levels(degrade_batch(as_batch(faces).float(), recipe, 1, keys=KEYS)) - expected)
    second_order = name == "realesrgan-2nd-order"
    assert difference.mean() < (0.2 if second_order else 0.01)
    assert (difference <= 1).mean() >= (0.97 if second_order else 0.999)


def test_operations_beyond_the_recipes(faces: npt.NDArray[np.uint8]) -> None:
    steps = (
        Step("motion_blur", {"length": Uniform(3, 9), "angle": Uniform(0, 180)}),
        Step("defocus", {"radius": Uniform(0, 3)}),
        Step("speckle_noise", {"sigma": Uniform(0, 20), "grey": Fixed(True)}),
        Step("sensor_noise", {"shot": Uniform(0, 1), "read": Uniform(0, 4)}),
        Step("colour_shift", {"red": Uniform(-9, 9)}, probability=0.5),
        Step("grey", probability=0.5),
        Step("webp", {"quality": Uniform(30, 90)}),
    )
    recipe = Recipe("others", 1, steps)
    expected = np.stack(
        [degrade_image(face, recipe, 0, key=key).pixels for face, key in zip(faces, KEYS, strict=True)]
    )
    made = levels(degrade_batch(as_batch(faces), recipe, 0, keys=KEYS, precision=torch.float64))
    assert (made != expected).mean() < 1e-4


def test_a_picture_does_not_depend_on_its_neighbours(faces: npt.NDArray[np.uint8]) -> None:
    recipe = RECIPES["refldm-train"]
    whole = degrade_batch(as_batch(faces), recipe, 0, keys=KEYS, precision=torch.float64)
    for number in (0, 3):
        alone = degrade_batch(
            as_batch(faces[number : number + 1]), recipe, 0, keys=[KEYS[number]], precision=torch.float64
        )
        assert torch.equal(alone[0], whole[number])


@given(
    height=st.integers(1, 70),
    width=st.integers(1, 70),
    quality=st.integers(1, 100),
    seed=st.integers(0, 10**6),
)
@settings(max_examples=60, deadline=None)
def test_jpeg_equals_libjpeg(height: int, width: int, quality: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    coarse = rng.integers(0, 256, (height // 6 + 1, width // 6 + 1, 3), dtype=np.uint8)
    smooth = cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC).reshape(height, width, 3)
    noisy = rng.integers(0, 256, (height, width, 3), dtype=np.uint8)
    pictures = [smooth, noisy]
    batch = PaddedBatch.of(
        [torch.from_numpy(picture.transpose(2, 0, 1).astype(np.float32)) for picture in pictures]
    )
    coded = torch_jpeg.encode_decode(batch, [quality, 101 - quality]).images()
    for picture, own, level in zip(pictures, coded, (quality, 101 - quality), strict=True):
        encoded = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, level])[1]
        np.testing.assert_array_equal(own.permute(1, 2, 0).numpy(), cv2.imdecode(encoded, cv2.IMREAD_COLOR))


def test_jpeg_of_pictures_of_many_sizes_at_once() -> None:
    rng = np.random.default_rng(0)
    sizes = [(5, 3), (16, 16), (17, 31), (64, 8), (40, 41)]
    pictures = [rng.integers(0, 256, (h, w, 3), dtype=np.uint8) for h, w in sizes]
    batch = PaddedBatch.of([torch.from_numpy(p.transpose(2, 0, 1).astype(np.float32)) for p in pictures])
    for picture, own in zip(pictures, torch_jpeg.encode_decode(batch, [60] * 5).images(), strict=True):
        encoded = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, 60])[1]
        np.testing.assert_array_equal(own.permute(1, 2, 0).numpy(), cv2.imdecode(encoded, cv2.IMREAD_COLOR))


def test_wrong_batches_are_refused(faces: npt.NDArray[np.uint8]) -> None:
    recipe = RECIPES["refldm-train"]
    for batch, keys in (
        (as_batch(faces), ["a"]),
        (torch.zeros(1, 1, 64, 64), ["a"]),
        (torch.zeros(3, 64, 64), ["a"]),
    ):
        with pytest.raises(RefbenchError, match="HQ is floating point"):
            degrade_batch(batch, recipe, 0, keys=keys)
    with pytest.raises(InvalidInputError, match="too small for a kernel"):
        degrade_batch(torch.zeros(1, 3, 16, 16), recipe, 0, keys=["a"])
    assert degrade_batch(torch.zeros(0, 3, 64, 64), recipe, 0, keys=[]).shape == (0, 3, 64, 64)
