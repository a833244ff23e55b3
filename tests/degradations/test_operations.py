"""Operations: near identity at their mildest, input unmodified, equal results for equal generators."""

from __future__ import annotations

import math

import cv2
import numpy as np
import numpy.typing as npt
import pytest
from refbench.degradations.engine.degrade import degrade_image
from refbench.degradations.operations import colours
from refbench.degradations.operations.operation import Setting
from refbench.degradations.operations.registry import OPERATIONS
from refbench.degradations.recipes.classical import classical_steps
from refbench.degradations.recipes.lookup import load_recipe
from refbench.degradations.recipes.recipe import Recipe
from refbench.degradations.reports.quick_quality import psnr, ssim
from refbench.errors import InvalidInputError

Pixels = npt.NDArray[np.float64]
MILDEST = {
    "blur": {"sigma_x": 0.0},
    "sinc": {"cutoff": math.pi, "size": 101},
    "motion_blur": {"length": 1.0},
    "defocus": {"radius": 0.0},
    "downscale": {"by": 1.0},
    "rescale": {"by": 1.0},
    "full_size": {},
    "gaussian_noise": {"sigma": 0.0},
    "poisson_noise": {"scale": 0.0},
    "speckle_noise": {"sigma": 0.0},
    "sensor_noise": {"shot": 0.0},
    "jpeg": {"quality": 100},
    "webp": {"quality": 100},
    "colour_shift": {},
    "colour_jitter": {},
    "unsharp_mask": {"amount": 0.0},
}
STRONG = {
    "blur": {"sigma_x": 4.0},
    "sinc": {"cutoff": 0.5},
    "motion_blur": {"length": 15.0},
    "defocus": {"radius": 5.0},
    "downscale": {"by": 4.0},
    "rescale": {"by": 0.25},
    "full_size": {"divided_by": 4},
    "gaussian_noise": {"sigma": 20.0},
    "poisson_noise": {"scale": 2.0},
    "speckle_noise": {"sigma": 30.0},
    "sensor_noise": {"shot": 2.0, "read": 5.0},
    "jpeg": {"quality": 10},
    "webp": {"quality": 5},
    "colour_shift": {"red": 30.0},
    "colour_jitter": {"brightness": 0.6, "hue": 0.2, "order": "hsbc"},
    "grey": {},
    "unsharp_mask": {"amount": 2.0, "threshold": 0.0},
}


@pytest.fixture(scope="module")
def face(astronaut: npt.NDArray[np.uint8]) -> Pixels:
    return astronaut[20:220, 120:320, ::-1].astype(np.float64)


def apply(name: str, pixels: Pixels, values: dict[str, object], seed: int = 0) -> Pixels:
    operation = OPERATIONS[name]
    defaults = {own: parameter.default for own, parameter in operation.parameters.items()}
    setting = Setting(np.random.default_rng(seed), (pixels.shape[0], pixels.shape[1]))
    return operation.apply(pixels, defaults | values, setting)


def test_every_operation_is_tried() -> None:
    assert set(STRONG) | {"albumentations"} == set(OPERATIONS)


@pytest.mark.parametrize("name", MILDEST)
def test_the_mildest_is_near_the_identity(name: str, face: Pixels) -> None:
    changed = apply(name, face, MILDEST[name])
    assert changed.shape == face.shape
    bound = {"jpeg": 2.0, "webp": 3.0, "sinc": 2.0, "colour_jitter": 0.1}.get(name, 1e-9)
    assert np.abs(changed - face).mean() <= bound


@pytest.mark.parametrize("name", STRONG)
def test_the_strong_changes_much_is_repeatable_and_leaves_its_input(name: str, face: Pixels) -> None:
    before = face.copy()
    changed = apply(name, face, STRONG[name])
    np.testing.assert_array_equal(face, before)
    np.testing.assert_array_equal(changed, apply(name, face, STRONG[name]))
    assert changed.dtype == np.float64
    assert np.isfinite(changed).all()
    if changed.shape == face.shape:
        assert np.abs(changed - face).mean() > 1
    if "noise" in name:
        assert (changed != apply(name, face, STRONG[name], seed=1)).any()
        assert changed.min() >= 0
        assert changed.max() <= 255


@pytest.mark.parametrize("name", ["gaussian_noise", "poisson_noise", "speckle_noise"])
def test_grey_noise_is_the_same_in_all_channels(name: str) -> None:
    flat = np.full((40, 40, 3), 128.0)
    noise = apply(name, flat, STRONG[name] | {"grey": True}) - flat
    np.testing.assert_allclose(noise[..., 0], noise[..., 2], atol=1e-9)
    coloured = apply(name, flat, STRONG[name]) - flat
    if name != "poisson_noise":
        assert np.abs(coloured[..., 0] - coloured[..., 2]).mean() > 1


def test_noise_has_the_stated_strength() -> None:
    flat = np.full((200, 200, 3), 100.0)
    assert apply("gaussian_noise", flat, {"sigma": 12.0}).std() == pytest.approx(12.0, rel=0.02)
    assert apply("speckle_noise", flat, {"sigma": 25.5}).std() == pytest.approx(10.0, rel=0.02)
    sensor = apply("sensor_noise", flat, {"shot": 1.0, "read": 5.0})
    assert sensor.std() == pytest.approx(math.sqrt(125.0), rel=0.02)
    levels = np.tile(np.arange(256.0), (256, 1))[..., None].repeat(3, axis=2)
    noise = (apply("poisson_noise", levels, {"scale": 1.0}) - levels)[:, 100]
    assert noise.std() == pytest.approx(255 * math.sqrt(100 / 255 / 256), rel=0.08)


def test_jpeg_truncates_its_quality_and_codes_true_colours(face: Pixels) -> None:
    encoded = cv2.imencode(".jpg", face.astype(np.uint8), [cv2.IMWRITE_JPEG_QUALITY, 41])[1]
    np.testing.assert_array_equal(apply("jpeg", face, {"quality": 41.99}), cv2.imdecode(encoded, 1))


def test_colours(face: Pixels) -> None:
    red = np.zeros((2, 2, 3))
    red[..., 2] = 200.0
    np.testing.assert_allclose(colours.shift_hue(red, 1 / 3), np.roll(red, -1, axis=2), atol=0.01)
    np.testing.assert_allclose(colours.saturate(face, 0.0), colours.grey(face).repeat(3, 2), atol=1e-9)
    assert colours.grey(red)[0, 0, 0] == pytest.approx(0.299 * 200)
    assert colours.change_contrast(face, 0.0).std() == pytest.approx(0, abs=1e-9)
    assert apply("colour_shift", red, {"red": 10.0, "blue": -5.0})[0, 0].tolist() == [0.0, 0.0, 210.0]


def test_a_picture_smaller_than_the_kernel_is_refused(face: Pixels) -> None:
    with pytest.raises(
        InvalidInputError, match=r"20x20 pixels is too small for a kernel 41 wide: it needs 21 pixels a side"
    ):
        apply("blur", face[:20, :20], {"sigma_x": 1.0})


def test_the_mildest_recipe_is_near_the_identity(astronaut: npt.NDArray[np.uint8]) -> None:
    recipe = Recipe("mildest", 1, classical_steps(sigma=(0, 0), by=(1, 1), noise=(0, 0), quality=(100, 100)))
    assert psnr(degrade_image(astronaut, recipe, 0, key="a").pixels, astronaut) > 38


def test_severity_orders_psnr_and_ssim(astronaut: npt.NDArray[np.uint8]) -> None:
    levels = [0.0, 0.2, 0.4, 0.6, 0.8, 1.0]
    hq = np.ascontiguousarray(astronaut[:256, 100:356])
    likeness = []
    for level in levels:
        made = [
            degrade_image(hq, load_recipe(f"severity-{level}"), 0, key=str(key)).pixels for key in range(8)
        ]
        likeness.append((np.mean([psnr(lq, hq) for lq in made]), np.mean([ssim(lq, hq) for lq in made])))
    assert all(np.diff([values[0] for values in likeness]) < 0)
    assert all(np.diff([values[1] for values in likeness]) < 0)


def test_likeness_against_known_values(astronaut: npt.NDArray[np.uint8]) -> None:
    from skimage.metrics import peak_signal_noise_ratio, structural_similarity

    noisy = np.clip(astronaut + np.random.default_rng(0).normal(0, 20, astronaut.shape), 0, 255).astype(
        np.uint8
    )
    grey = [cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY) for picture in (noisy, astronaut)]
    theirs = structural_similarity(*grey, gaussian_weights=True, sigma=1.5, use_sample_covariance=False)
    assert ssim(noisy, astronaut) == pytest.approx(theirs, abs=1e-3)
    assert psnr(noisy, astronaut) == pytest.approx(peak_signal_noise_ratio(astronaut, noisy), abs=1e-6)
    assert math.isinf(psnr(noisy, noisy))
