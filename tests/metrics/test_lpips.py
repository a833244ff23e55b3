"""LPIPS: equal to the lpips package on the same weights, loaded strictly, and never from a hostile file."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pytest
import torch
from refbench.errors import RefbenchError
from refbench.metrics.protocols import backbones as trunks
from refbench.metrics.protocols import lpips
from refbench.metrics.scoring.meter import Meter, measure


def images(height: int, width: int, seed: int, count: int = 1) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    coarse = torch.rand(count, 3, 9, 9, generator=generator)
    return torch.nn.functional.interpolate(coarse, (height, width), mode="bilinear").clamp(0, 1)


@pytest.mark.parametrize("net", ["alex", "vgg", "squeeze"])
@pytest.mark.parametrize(("height", "width"), [(64, 64), (131, 90)])
def test_equal_to_the_package_on_random_weights(net: str, height: int, width: int) -> None:
    torch.manual_seed(7)
    package = lpips.build_lpips(net)
    ours = lpips.LpipsFeatures(package)
    first, second = images(height, width, 1, 2), images(height, width, 2, 2)
    with torch.inference_mode():
        wanted = package(first, second, normalize=True).flatten().double()
        found = lpips.lpips_distance(ours(first), ours(second))
    assert wanted.min() > 1e-3
    assert torch.allclose(found, wanted, rtol=1e-5)


@pytest.mark.parametrize(("net", "protocol"), [("alex", "lpips/alex-v0.1"), ("vgg", "lpips/vgg-v0.1")])
def test_equal_to_the_package_on_trained_weights(net: str, protocol: str, need_weights, astronaut) -> None:
    need_weights(lpips.TRUNKS[net])
    package = lpips.load_lpips(net, torch.device("cpu"))
    hq = torch.from_numpy(astronaut[40:200, 140:300].copy()).permute(2, 0, 1)[None] / 255.0
    restored = torch.nn.functional.avg_pool2d(hq, 3, 1, 1)
    with torch.inference_mode():
        wanted = package(restored, hq, normalize=True).item()
        unscaled = package(restored, hq).item()
    found = measure(protocol, restored, hq).item()
    assert found == pytest.approx(wanted, rel=1e-5)
    assert abs(unscaled - wanted) > 0.01, "[0, 1] taken for [-1, 1] must show"
    assert measure(protocol, restored.flip(1), hq).item() > found + 0.01, "BGR for RGB must show"
    assert measure(protocol, hq, hq).item() == 0.0


def test_a_meter_gives_the_mean_and_can_be_reset(need_weights) -> None:
    need_weights("lpips-alexnet")
    meter = Meter("lpips/alex-v0.1")
    first, second = images(64, 64, 3, 3), images(64, 64, 4, 3)
    values = [meter.update(first[:1], second[:1]), meter.update(first[1:], second[1:])]
    assert meter.images == 3
    assert meter.compute() == pytest.approx(torch.cat(values).mean().item(), rel=1e-12)
    meter.reset()
    with pytest.raises(RefbenchError, match="no images yet"):
        meter.compute()


class Hostile:
    """Unpickling this would run a command."""

    def __reduce__(self):
        return (eval, ("1/0",))


def test_a_pickle_that_would_run_code_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "alexnet.ckpt"
    path.write_bytes(pickle.dumps({"AlexNet_0": Hostile()}))
    with pytest.raises(RefbenchError, match="refused"):
        trunks.read_trunk(path, "alex")


@pytest.mark.parametrize(
    "content", [b"", b"not a pickle", pickle.dumps({"VGG16_0": {}}), pickle.dumps([1, 2])]
)
def test_a_file_of_another_network_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "alexnet.ckpt"
    path.write_bytes(content)
    with pytest.raises(RefbenchError, match="alex trunk"):
        trunks.read_trunk(path, "alex")


def test_a_trunk_that_fails_the_self_test_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    torch.manual_seed(0)
    layers = {}
    shapes = [(11, 3, 64), (5, 64, 192), (3, 192, 384), (3, 384, 256), (3, 256, 256)]
    for index, (side, inputs, outputs) in enumerate(shapes):
        kernel = np.random.default_rng(index).normal(size=(side, side, inputs, outputs)).astype(np.float32)
        layers[f"Conv_{index}"] = {"kernel": kernel, "bias": np.zeros(outputs, np.float32)}
    path = tmp_path / "alexnet.ckpt"
    dumped = pickle.dumps({"AlexNet_0": layers}).replace(b"numpy._core.", b"numpy.core.")
    path.write_bytes(dumped.replace(b"\x8c\x16numpy.core.multiarray", b"\x8c\x15numpy.core.multiarray"))
    monkeypatch.setattr(lpips.weight_files, "path", lambda name: path)
    with pytest.raises(RefbenchError, match="self-test"):
        lpips.load_lpips("alex", torch.device("cpu"))
