"""PSNR, SSIM and MS-SSIM: equal to scikit-image and pyiqa, and never fooled by a wrong range or order."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from refbench.errors import RefbenchError
from refbench.metrics.protocols import pixel
from refbench.metrics.scoring.meter import measure
from torch import Tensor

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


def test_ms_ssim_needs_five_scales() -> None:
    with pytest.raises(RefbenchError, match="176"):
        pixel.ms_ssim(*pair(175, 300))


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
