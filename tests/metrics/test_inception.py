"""FID from images to number: equal to torch-fidelity end to end, on a network of random weights."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from refbench.errors import RefbenchError
from refbench.images import write_png
from refbench.metrics import catalogue
from refbench.metrics.core.feature import Batch
from refbench.metrics.distances import statistics_file
from refbench.metrics.distances.frechet import frechet_distance
from refbench.metrics.distances.statistics_file import Statistics
from refbench.metrics.protocols import inception
from refbench.metrics.scoring import set_statistics
from refbench.metrics.scoring.meter import Meter


@pytest.fixture(scope="module")
def random_inception(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Inception-v3 with random weights that keep signals alive (torch's own initial ones let them die)."""
    from torch_fidelity import feature_extractor_inceptionv3 as module

    torch.manual_seed(11)
    shell = module.FeatureExtractorInceptionV3.__new__(module.FeatureExtractorInceptionV3)
    saved: dict[str, torch.Tensor] = {}

    class CapturedError(Exception):
        pass

    original = module.FeatureExtractorInceptionV3.load_state_dict

    def capture(self, *_args, **_kwargs):
        for layer in self.modules():
            if isinstance(layer, torch.nn.Conv2d):
                layer.weight.data.mul_(6**0.5)
        saved.update(self.state_dict())
        raise CapturedError

    module.FeatureExtractorInceptionV3.load_state_dict = capture
    path = tmp_path_factory.mktemp("weights") / "pt_inception-2015-12-05-6726825d.pth"
    torch.save({}, path)
    try:
        with pytest.raises(CapturedError):
            shell.__init__("inception", ["2048"], feature_extractor_weights_path=str(path))
    finally:
        module.FeatureExtractorInceptionV3.load_state_dict = original
    torch.save(saved, path)
    return path


@pytest.fixture
def fid_weights(random_inception: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(inception.weight_files, "path", lambda name: random_inception)
    return random_inception


def folder(path: Path, count: int, seed: int, side: int = 128) -> torch.Tensor:
    generator = np.random.default_rng(seed)
    levels = []
    for index in range(count):
        coarse = generator.integers(0, 256, (8, 8, 3)).repeat(side // 8, 0).repeat(side // 8, 1)
        levels.append(
            np.clip(coarse + generator.normal(0, 5 + 10 * seed, coarse.shape), 0, 255).astype(np.uint8)
        )
        write_png(path / f"{index:03d}.png", levels[-1])
    return torch.from_numpy(np.stack(levels)).permute(0, 3, 1, 2)


def test_features_equal_torch_fidelity(fid_weights: Path) -> None:
    from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3

    theirs = FeatureExtractorInceptionV3("x", ["2048"], feature_extractor_weights_path=str(fid_weights))
    levels = torch.randint(0, 256, (2, 3, 140, 90), generator=torch.Generator().manual_seed(0)).byte()
    with torch.inference_mode():
        wanted = theirs(levels)[0]
        batch = Batch.of(levels / 255.0)
        found = inception.TENSORFLOW.load(torch.device("cpu"))(batch)[0]
    assert wanted.std() > 1e-3
    assert torch.allclose(found, wanted, rtol=1e-4, atol=1e-5 * float(wanted.abs().max()))


@pytest.mark.slow
def test_fid_and_kid_equal_torch_fidelity_from_the_files_on(fid_weights: Path, tmp_path: Path) -> None:
    from torch_fidelity import calculate_metrics

    restored, hq = folder(tmp_path / "a", 8, 1), folder(tmp_path / "b", 8, 2)
    theirs = calculate_metrics(
        input1=str(tmp_path / "a"),
        input2=str(tmp_path / "b"),
        cuda=False,
        fid=True,
        kid=True,
        kid_subsets=1,
        kid_subset_size=8,
        batch_size=4,
        save_cpu_ram=True,
        verbose=False,
        cache=False,
        feature_extractor_weights_path=str(fid_weights),
    )
    for protocol, name in [
        ("fid/inception-tf-hq", "frechet_inception_distance"),
        ("kid/inception-tf-hq", "kernel_inception_distance_mean"),
    ]:
        meter = Meter(protocol)
        for start in range(0, 8, 3):
            meter.update(restored[start : start + 3] / 255.0, hq[start : start + 3] / 255.0)
        assert abs(theirs[name]) > 1e-6
        assert meter.compute() == pytest.approx(theirs[name], rel=1e-3)


def test_the_resize_decides_the_number(fid_weights: Path, tmp_path: Path) -> None:
    restored, hq = folder(tmp_path / "a", 4, 1), folder(tmp_path / "b", 4, 2)
    numbers = []
    for name in ("clean", "tf", "antialias"):
        meter = Meter(f"fid/inception-{name}-hq")
        meter.update(restored / 255.0, hq / 255.0)
        numbers.append(meter.compute())
    assert len({round(number, 6) for number in numbers}) == 3


def test_statistics_stand_for_the_images(
    fid_weights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REFBENCH_WEIGHTS", str(tmp_path / "weights"))
    monkeypatch.setattr(set_statistics, "digests_of", lambda metrics: {"inception-fid": "00"})
    hq = folder(tmp_path / "b", 4, 2)
    restored = folder(tmp_path / "a", 4, 1)
    measured = set_statistics.measure_statistics("fid/inception-clean-hq", tmp_path / "b")
    assert measured.moments.count == 4
    measured.write(statistics_file.folder() / "mine.npz")
    metric = catalogue.find("fid/inception-clean-hq@mine")
    assert catalogue.find(metric.protocol.id).protocol == metric.protocol
    with pytest.raises(RefbenchError, match="have the hash"):
        catalogue.find("fid/inception-clean-hq@mine-00000000")
    with pytest.raises(RefbenchError, match="is computed from inception-tf"):
        catalogue.find("fid/inception-tf-hq@mine")
    with pytest.raises(RefbenchError, match="metrics stats"):
        catalogue.find("fid/inception-clean-hq@other")
    against = Meter("fid/inception-clean-hq")
    against.update(restored / 255.0, hq / 255.0)
    to_file = metric.compare(against._restored, [])
    assert to_file == pytest.approx(against.compute(), rel=1e-6)


def test_a_file_of_another_network_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "inception.pth"
    torch.save({"fc.weight": torch.zeros(3)}, path)
    with pytest.raises(RefbenchError, match="not the Inception-v3"):
        inception.load_inception(path, torch.device("cpu"))
    path.write_bytes(b"nothing")
    with pytest.raises(RefbenchError, match="not the Inception-v3"):
        inception.load_inception(path, torch.device("cpu"))


def test_published_statistics_are_read_as_their_publisher_wrote_them(tmp_path: Path, monkeypatch) -> None:
    generator = np.random.default_rng(0)
    rows = generator.normal(size=(30, 6))
    np.savez(tmp_path / "ffhq_clean_trainval70k_512.npz", mu=rows.mean(0), sigma=np.cov(rows, rowvar=False))
    monkeypatch.setenv("REFBENCH_WEIGHTS", str(tmp_path))
    found = statistics_file.load_named(statistics_file.FFHQ)
    assert isinstance(found, Statistics)
    compare = statistics_file.frechet_to_statistics(statistics_file.FFHQ, 6)
    assert compare([rows], []) == pytest.approx(0.0, abs=1e-9)
    assert frechet_distance(found.moments, found.moments) == pytest.approx(0.0, abs=1e-9)
