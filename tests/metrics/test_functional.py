"""Metrics as functions give what `measure` and `Meter` give, and the facade hands them out."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import refbench as rb
import torch
from refbench.errors import RefbenchError
from refbench.faces.align import FFHQ_512, template_at
from refbench.metrics import functional
from refbench.metrics.core.feature import Batch, Extractor, Feature
from refbench.metrics.core.metric import SetMetric
from refbench.records.protocol import Protocol
from torch import Tensor

ROOM = Path(functional.__file__).parent


def pair(side: int = 64) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(0)
    hq = torch.nn.functional.interpolate(torch.rand(2, 3, 16, 16, generator=generator), side, mode="bilinear")
    noise = torch.randn(hq.shape, generator=generator)
    return (hq + 0.1 * noise).clamp(0, 1), hq


@pytest.mark.parametrize(
    ("function", "protocol"),
    [
        (rb.metrics.psnr, "psnr/rgb"),
        (lambda a, b: rb.metrics.psnr(a, b, colour="y-limited"), "psnr/y-limited"),
        (rb.metrics.ssim, "ssim/y-full"),
        (lambda a, b: rb.metrics.ssim(a, b, colour="rgb"), "ssim/rgb"),
        (rb.metrics.ms_ssim, "ms-ssim/y-full"),
        (rb.metrics.lpips, "lpips/alex-v0.1"),
        (lambda a, b: rb.metrics.lpips(a, b, net="vgg"), "lpips/vgg-v0.1"),
        (rb.metrics.landmark_distance, "landmarks/mtcnn-v1"),
    ],
)
def test_a_function_is_its_protocol(function: Callable[[Tensor, Tensor], Tensor], protocol: str) -> None:
    restored, hq = pair(192 if protocol.startswith("ms-ssim") else 64)
    values = function(restored, hq)
    assert values.shape == (2,)
    assert values.dtype == torch.float64
    torch.testing.assert_close(values, rb.metrics.measure(protocol, restored, hq), equal_nan=True)
    if protocol != "landmarks/mtcnn-v1":
        assert not torch.equal(values, function(hq, hq))


def test_identity_similarity_takes_aligned_faces_or_landmarks() -> None:
    restored, hq = pair()
    points = np.repeat(template_at(FFHQ_512, 64, 512)[None], 2, axis=0)
    wanted = rb.metrics.measure("ids/dlib-resnet-5pt-v1", restored, hq, landmarks=points)
    found = rb.metrics.identity_similarity(restored, hq, recogniser="dlib-resnet-5pt")
    torch.testing.assert_close(found, wanted)
    moved = rb.metrics.identity_similarity(restored, hq, landmarks=points + 5, recogniser="dlib-resnet-5pt")
    assert not torch.equal(moved, found)
    with pytest.raises(RefbenchError, match="not square"):
        rb.metrics.identity_similarity(restored[..., :60], hq[..., :60])


def test_sets_may_differ_in_size_and_come_in_batches() -> None:
    restored, hq = pair()
    meter = rb.metrics.Meter("fd/alexnet-relu5-v1")
    meter.update(restored, hq)
    assert rb.metrics.measure_sets("fd/alexnet-relu5-v1", restored, hq) == pytest.approx(meter.compute())
    more = rb.metrics.measure_sets("fd/alexnet-relu5-v1", restored, [hq, hq[:1, :, :48]])
    assert more > 0
    assert more != pytest.approx(meter.compute())
    with pytest.raises(RefbenchError, match="use measure"):
        rb.metrics.measure_sets("psnr/rgb", restored, hq)
    with pytest.raises(RefbenchError, match="give hq"):
        rb.metrics.measure_sets("fd/alexnet-relu5-v1", restored)
    with pytest.raises(RefbenchError, match="crops the face"):
        rb.metrics.measure_sets("fd/mobilefacenet-5pt-v1", restored[..., :60], hq[..., :60])


@pytest.mark.parametrize(
    ("function", "protocol"),
    [
        (rb.metrics.fid, "fid/inception-clean-hq"),
        (lambda a, b: rb.metrics.fid(a, b, resize="tf"), "fid/inception-tf-hq"),
        (rb.metrics.kid, "kid/inception-tf-hq"),
    ],
)
def test_fid_and_kid_are_their_protocols(
    function: Callable[[Tensor, Tensor], float], protocol: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def load(device: torch.device) -> Extractor:
        def extract(batch: Batch) -> tuple[Tensor]:
            return (batch.pixels.mean(dim=(2, 3)),)

        return extract

    declared = rb.metrics.find(protocol)
    assert isinstance(declared, SetMetric)
    feature = Feature(f"mean colour for {protocol}", (), load, vector=True)
    sums = SetMetric(
        declared.protocol,
        feature,
        lambda a, b: float(sum(x.sum() for x in a) - 2 * sum(x.sum() for x in b)),
        min_images=2,
    )
    monkeypatch.setitem(rb.metrics.METRICS, protocol, sums)
    restored, hq = pair()
    means = [images.mean(dim=(2, 3)).sum().item() for images in (restored, hq)]
    assert function(restored, hq) == pytest.approx(means[0] - 2 * means[1], rel=1e-5)


def test_wrong_images_are_refused() -> None:
    restored, hq = pair()
    with pytest.raises(RefbenchError, match="divide by 255"):
        rb.metrics.psnr(restored * 255, hq)
    with pytest.raises(RefbenchError, match="a pair needs one shape"):
        rb.metrics.lpips(restored[..., :60], hq)
    with pytest.raises(RefbenchError, match="a set of images; use measure_sets"):
        rb.metrics.measure("fd/alexnet-relu5-v1", restored, hq)
    with pytest.raises(RefbenchError, match="float32 or bfloat16; got 'mixed'"):
        rb.metrics.Meter("psnr/rgb", precision="mixed")


def test_public_names_are_documented_and_equal_no_module_of_the_room() -> None:
    inside = {path.stem for path in ROOM.iterdir() if path.stem != "__init__"}
    assert inside.isdisjoint(rb.metrics.__all__)
    assert "Protocol" in rb.metrics.__all__
    assert rb.metrics.Protocol is Protocol
    for name in rb.metrics.__all__:
        found = getattr(rb.metrics, name)
        assert not callable(found) or found.__doc__, name
