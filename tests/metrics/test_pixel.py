"""PSNR, SSIM and MS-SSIM: equal to scikit-image and pyiqa, and never fooled by a wrong range or order."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from refbench.errors import RefbenchError
from refbench.metrics import catalogue
from refbench.metrics.protocols import pixel
from refbench.metrics.scoring.meter import measure
from scipy.ndimage import correlate1d
from torch import Tensor

SSIM_IDS = ("ssim/rgb", "ssim/y-full", "ssim/y-limited")
SIZES = [(64, 64), (299, 201), (512, 512)]


def smooth_noise(height: int, width: int, seed: int, count: int = 2) -> Tensor:
    """Photo-like test images: smooth colour with fine detail, 8-bit levels in [0, 1]."""
    generator = torch.Generator().manual_seed(seed)
    coarse = torch.rand(count, 3, 8, 8, generator=generator)
    images = torch.nn.functional.interpolate(coarse, (height, width), mode="bicubic")
    images = images + 0.05 * torch.randn(count, 3, height, width, generator=generator)
    return torch.round(images.clamp(0, 1) * 255) / 255


def pair(height: int, width: int, noise: float = 0.03) -> tuple[Tensor, Tensor]:
    hq = smooth_noise(height, width, 1)
    generator = torch.Generator().manual_seed(2)
    damaged = hq + noise * torch.randn(hq.shape, generator=generator)
    return torch.round(damaged.clamp(0, 1) * 255) / 255, hq


def levels(image: Tensor) -> np.ndarray:
    return (image * 255).round().byte().permute(1, 2, 0).numpy()


@pytest.mark.parametrize(("height", "width"), SIZES)
def test_equal_to_scikit_image(height: int, width: int) -> None:
    from skimage.metrics import peak_signal_noise_ratio, structural_similarity

    restored, hq = pair(height, width)
    psnr, ssim = measure("psnr/rgb", restored, hq), measure("ssim/rgb", restored, hq)
    for row in range(len(hq)):
        a, b = levels(restored[row]), levels(hq[row])
        assert psnr[row].item() == pytest.approx(peak_signal_noise_ratio(b, a), rel=1e-6)
        wanted = structural_similarity(
            b, a, channel_axis=2, gaussian_weights=True, sigma=1.5, use_sample_covariance=False
        )
        assert ssim[row].item() == pytest.approx(wanted, abs=1e-5)


@pytest.mark.parametrize("blurred", [False, True])
def test_opencv_and_torch_blur_give_the_same(blurred: bool) -> None:
    images = smooth_noise(70, 41, 3)
    by_opencv = pixel.blur(images)
    by_torch = pixel.blur(images.clone().requires_grad_())
    assert by_opencv.shape == by_torch.shape == (2, 3, 60, 31)
    assert torch.allclose(by_opencv, by_torch, atol=1e-6)


def exact_maps(a: np.ndarray, b: np.ndarray, nonnegative: bool) -> tuple[np.ndarray, np.ndarray]:
    """Equations 6, 12 and 13 of Wang et al. 2004 in float64; moments are taken about mid grey."""

    def mean(plane: np.ndarray) -> np.ndarray:
        window = np.exp(-(np.arange(-5, 6) ** 2) / (2 * 1.5**2))
        window /= window.sum()
        return correlate1d(correlate1d(plane, window, axis=0), window, axis=1)[5:-5, 5:-5]

    a, b = a - 0.5, b - 0.5
    mean_a, mean_b = mean(a), mean(b)
    variance = mean(a * a) - mean_a**2 + mean(b * b) - mean_b**2
    covariance = mean(a * b) - mean_a * mean_b
    contrast = (2 * covariance + 0.03**2) / (variance + 0.03**2)
    light_a, light_b = mean_a + 0.5, mean_b + 0.5
    luminance = (2 * light_a * light_b + 0.01**2) / (light_a**2 + light_b**2 + 0.01**2)
    return np.maximum(contrast, 0) if nonnegative else contrast, luminance


def exact(protocol: str, restored: Tensor, hq: Tensor) -> float:
    planes = {
        "rgb": lambda x: x,
        "y-full": pixel.luma_rounded,
        "y-limited": pixel.luma_limited,
    }[protocol.partition("/")[2]]
    pairs = [
        (a.double().numpy(), b.double().numpy())
        for a, b in zip(planes(restored)[0], planes(hq)[0], strict=True)
    ]
    if not protocol.startswith("ms-"):
        maps = [exact_maps(a, b, nonnegative=protocol == "ssim/y-full") for a, b in pairs]
        return float(np.mean([contrast * luminance for contrast, luminance in maps]))
    a, b = (torch.from_numpy(plane)[None, None] for plane in pairs[0])
    product = 1.0
    for scale, weight in enumerate(pixel.SCALE_WEIGHTS):
        contrast, luminance = exact_maps(a[0, 0].numpy(), b[0, 0].numpy(), nonnegative=True)
        product *= float((contrast * luminance if scale == 4 else contrast).mean()) ** weight
        padding = (a.shape[2] % 2, a.shape[3] % 2)
        a, b = (torch.nn.functional.avg_pool2d(x, 2, padding=padding) for x in (a, b))
    return product


def bright(height: int, width: int, level: int) -> Tensor:
    """A flat bright image with a few patches of full range."""
    image = torch.full((1, 3, height, width), level / 255)
    generator = torch.Generator().manual_seed(7)
    for top, left in ((2, 3), (height // 2, width // 2)):
        patch = image[..., top : top + height // 5, left : left + width // 5]
        patch.copy_(torch.randint(0, 256, patch.shape, generator=generator) / 255)
    return image


@pytest.mark.parametrize("protocol", [*SSIM_IDS, "ms-ssim/y-full"])
@pytest.mark.parametrize(("height", "width"), [(177, 183), (192, 176), (11, 11), (40, 203)])
def test_ssim_equals_float64_and_is_never_above_one(protocol: str, height: int, width: int) -> None:
    if protocol.startswith("ms-") and min(height, width) < 176:
        return
    noise = 0.02 * torch.randn(1, 3, height, width, generator=torch.Generator().manual_seed(1))
    for level, shift in ((240, 1), (254, 1), (255, -1), (3, 90), (250, -200)):
        hq = bright(height, width, level)
        for restored in (hq + shift / 255, hq + noise, hq, 1 - hq):
            restored = torch.round(restored.clamp(0, 1) * 255) / 255
            found = measure(protocol, restored, hq).item()
            assert found <= 1.0
            assert found == pytest.approx(exact(protocol, restored, hq), abs=1e-6)
            by_torch = catalogue.find(f"{protocol}@2").compare((restored.requires_grad_(),), (hq,)).item()
            assert by_torch == pytest.approx(found, abs=2e-7), "the path with gradients gives the same"


def test_one_level_on_a_flat_bright_image() -> None:
    hq = torch.full((1, 3, 64, 64), 240 / 255)
    restored = torch.full((1, 3, 64, 64), 241 / 255)
    assert measure("ssim/y-full", restored, hq).item() == pytest.approx(0.99999137, abs=1e-7)
    old = catalogue.find("ssim/y-full").compare((restored,), (hq,)).item()
    assert old != pytest.approx(0.99999137, abs=1e-7), "the first version stays what it was"


def test_the_first_versions_are_marked_and_resolve_to_the_second() -> None:
    for name in (*SSIM_IDS, "ms-ssim/y-full", "gain:ssim/y-full", "density/inception-tf-hq"):
        old = catalogue.protocol_of(name)
        assert (old.id, old.superseded_by) == (name, f"{name}@2")
        assert old.title.endswith("old version")
        assert catalogue.select([name])[0].protocol.id == f"{name}@2"
        assert catalogue.select([f"{name}@1"])[0].protocol.id == name
        assert not catalogue.protocol_of(f"{name}@2").superseded_by


def test_limited_range_is_another_number() -> None:
    restored, hq = pair(64, 64)
    full, limited = measure("psnr/y-full", restored, hq), measure("psnr/y-limited", restored, hq)
    gap = 20 * np.log10(255 / 219)
    assert torch.allclose(limited - full, torch.full_like(full, gap), atol=1e-3)


@pytest.mark.parametrize("protocol", ["psnr/rgb", "psnr/y-full", "ssim/rgb", "ssim/y-full", "ms-ssim/y-full"])
def test_swapped_channels_and_swapped_images_change_the_value(protocol: str) -> None:
    restored, hq = pair(192, 176)
    right = measure(protocol, restored, hq)
    assert (measure(protocol, restored.flip(1), hq) < right - 0.01).all(), "BGR for RGB"
    assert (measure(protocol, restored.flip(0), hq) < right - 0.01).all(), "images in another order"


@pytest.mark.parametrize(
    ("spoil", "word"),
    [
        (lambda x: x * 255, "divide by 255"),
        (lambda x: x * 2 - 1, "x / 2"),
        (lambda x: (x * 255).byte(), "uint8"),
        (lambda x: x[0], "batch axis"),
        (lambda x: x.permute(0, 2, 3, 1), "channels second"),
        (lambda x: x / 0 * 0, "NaN"),
        (lambda x: x[..., 1:], "one shape"),
    ],
)
def test_wrong_tensors_are_refused_with_the_reason(spoil, word: str) -> None:
    restored, hq = pair(64, 64)
    with pytest.raises(RefbenchError, match=word):
        measure("psnr/rgb", spoil(restored), hq)


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 1000), height=st.integers(11, 60), width=st.integers(11, 60))
def test_equal_images_are_best_and_noise_is_worse(seed: int, height: int, width: int) -> None:
    hq = smooth_noise(height, width, seed, 1)
    noise = torch.randn(hq.shape, generator=torch.Generator().manual_seed(seed))
    assert pixel.psnr(hq, hq).item() == pytest.approx(80.0)
    assert pixel.ssim(hq, hq).item() == pytest.approx(1.0, abs=1e-6)
    scores = [
        (pixel.psnr(x, hq).item(), pixel.ssim(x, hq).item()) for x in (hq + s * noise for s in (0.02, 0.2))
    ]
    assert scores[0][0] > scores[1][0]
    assert scores[0][1] > scores[1][1]
    assert pixel.ssim(hq + 0.1 * noise, hq).item() == pytest.approx(pixel.ssim(hq, hq + 0.1 * noise).item())


def test_negative_structure_is_clipped_where_the_protocol_says_so() -> None:
    hq = smooth_noise(64, 64, 4)
    assert (measure("ssim/rgb", 1 - hq, hq) < -0.1).all()
    assert (measure("ssim/y-full", 1 - hq, hq) >= 0).all()


@pytest.mark.parametrize(
    ("protocol", "height", "width", "needed"),
    [("ms-ssim/y-full", 175, 300, 176), *((name, 300, 10, 11) for name in SSIM_IDS)],
)
def test_sides_that_are_too_short_are_named(protocol: str, height: int, width: int, needed: int) -> None:
    with pytest.raises(RefbenchError, match=rf"needs sides of {needed} pixels or more; got {width}x{height}"):
        measure(protocol, *pair(height, width))


@pytest.mark.slow
@pytest.mark.parametrize(("height", "width"), [(180, 201), (299, 256)])
def test_equal_to_pyiqa(height: int, width: int) -> None:
    pyiqa = pytest.importorskip("pyiqa")
    restored, hq = pair(height, width)
    for protocol, name in [
        ("psnr/rgb", "psnr"),
        ("psnr/y-full", "psnry"),
        ("ssim/y-full", "ssim"),
        ("ms-ssim/y-full", "ms_ssim"),
    ]:
        theirs = pyiqa.create_metric(name, device="cpu")(restored, hq).double().flatten()
        assert torch.allclose(measure(protocol, restored, hq), theirs, rtol=1e-5, atol=1e-5), protocol
