"""Fréchet distance, KID, precision and recall: equal to torch-fidelity, also where matrices are singular."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from refbench.errors import RefbenchError
from refbench.metrics.distances import kid as kernel_module
from refbench.metrics.distances.frechet import Moments, MomentStream, frechet_between, frechet_distance
from refbench.metrics.distances.kid import kernel_distance
from refbench.metrics.distances.precision_recall import coverage, density, precision, recall
from refbench.metrics.distances.statistics_file import Statistics, import_clean_fid
from refbench.metrics.protocols.inception import resize_antialiased, resize_clean, resize_tensorflow


def features(count: int, width: int, seed: int, shift: float = 0.0) -> np.ndarray:
    generator = np.random.default_rng(seed)
    mixing = np.random.default_rng(99).normal(size=(width, width)) / np.sqrt(width)
    return (generator.normal(size=(count, width)) @ mixing + shift + 3.0).astype(np.float32)


@pytest.mark.parametrize(("count", "width"), [(400, 16), (40, 64)], ids=["full rank", "rank-deficient"])
def test_fid_equal_to_torch_fidelity(count: int, width: int) -> None:
    from torch_fidelity.metric_fid import fid_features_to_statistics, fid_statistics_to_metric

    first, second = features(count, width, 1), features(count, width, 2, 0.1)
    theirs = fid_statistics_to_metric(
        *(fid_features_to_statistics(torch.from_numpy(x).double()) for x in (first, second)), verbose=False
    )["frechet_inception_distance"]
    ours = frechet_distance(Moments.of(first), Moments.of(second))
    assert ours > 0.1
    assert ours == pytest.approx(theirs, rel=1e-6)


def test_fid_against_the_definition() -> None:
    from scipy.linalg import sqrtm

    a, b = (Moments.of(features(300, 12, seed, 0.05 * seed)) for seed in (1, 2))
    root = sqrtm(a.covariance @ b.covariance).real
    wanted = np.square(a.mean - b.mean).sum() + np.trace(a.covariance + b.covariance - 2 * root)
    assert frechet_distance(a, b) == pytest.approx(wanted, rel=1e-9)
    assert frechet_distance(a, b) == pytest.approx(frechet_distance(b, a), rel=1e-9)


@pytest.mark.parametrize(("few", "many"), [(20, 30), (20, 200), (150, 200)])
def test_the_low_rank_route_gives_the_same_number(few: int, many: int) -> None:
    first, second = features(few, 64, 1), features(many, 64, 2, 0.2)
    wanted = frechet_distance(Moments.of(first), Moments.of(second))
    found = frechet_between(64)([first[:7], first[7:]], [second[:100], second[100:]])
    assert found == pytest.approx(wanted, rel=1e-6)
    assert frechet_between(64)([first], [first[:3], first[3:]]) == pytest.approx(0.0, abs=1e-9)


@pytest.mark.parametrize("count", [300, 7])
def test_identical_sets_have_distance_zero(count: int) -> None:
    moments = Moments.of(features(count, 24, 3))
    assert frechet_distance(moments, moments) < 1e-9 * np.trace(moments.covariance) * 1e3


def test_streams_equal_numpy_whatever_the_batches() -> None:
    rows = features(101, 9, 4) + 1000.0
    wanted = np.cov(rows.astype(np.float64), rowvar=False)
    for size in (1, 7, 101):
        stream = MomentStream(9)
        for start in range(0, len(rows), size):
            stream.add(rows[start : start + size])
        found = stream.moments()
        assert found.count == 101
        np.testing.assert_allclose(found.mean, rows.astype(np.float64).mean(axis=0), rtol=1e-12)
        np.testing.assert_allclose(found.covariance, wanted, rtol=1e-7, atol=1e-9)


def test_streams_refuse_arrays_that_are_no_features() -> None:
    stream = MomentStream(3)
    with pytest.raises(RefbenchError, match="NaN"):
        stream.add(np.array([[1.0, np.nan, 2.0]]))
    with pytest.raises(RefbenchError, match="wanted"):
        stream.add(np.zeros((2, 4)))
    stream.add(np.zeros((1, 3)))
    with pytest.raises(RefbenchError, match="two images"):
        stream.moments()


@pytest.mark.parametrize("count", [60, 1100])
def test_kid_equal_to_torch_fidelity(count: int, monkeypatch: pytest.MonkeyPatch) -> None:
    from torch_fidelity.metric_kid import KEY_METRIC_KID_MEAN, kid_features_to_metric

    monkeypatch.setattr(kernel_module, "SUBSETS", 4)
    width = 8
    first, second = (features(count, width, s, 0.1 * s).astype(np.float64) for s in (1, 2))
    size = min(count, 1000)
    theirs = kid_features_to_metric(
        torch.from_numpy(first),
        torch.from_numpy(second),
        kid_subsets=4 if count > 1000 else 1,
        kid_subset_size=size,
        rng_seed=2020,
        verbose=False,
    )[KEY_METRIC_KID_MEAN]
    assert kernel_distance([first[:50], first[50:]], [second]) == pytest.approx(theirs, rel=1e-6)


def test_precision_and_recall_equal_to_torch_fidelity() -> None:
    from torch_fidelity.metric_prc import calculate_precision_recall_full

    fake, real = features(150, 6, 1, 0.4), features(130, 6, 2)
    theirs = calculate_precision_recall_full(torch.from_numpy(fake), torch.from_numpy(real), 3)
    ours = precision([fake[:70], fake[70:]], [real]), recall([fake], [real])
    assert ours == pytest.approx(theirs, abs=1e-7)
    assert 0 < ours[0] < 1


def test_density_and_coverage_by_hand() -> None:
    real = np.arange(10, dtype=np.float32)[:, None] * 10
    inside = np.array([[0.0], [1.0], [2.0]], np.float32)
    assert density([inside], [real]) == pytest.approx(11 / 15), "28 from 30 is within its ball, 30 is not"
    assert coverage([inside], [real]) == pytest.approx(0.4)
    far = inside + 1e4
    assert (density([far], [real]), coverage([far], [real])) == (0.0, 0.0)
    assert coverage([real], [real]) == 1.0


@pytest.mark.parametrize("shift", [0.0, 1e3])
def test_a_set_has_density_and_coverage_one_with_itself(shift: float) -> None:
    real = features(1200, 16, 3) + np.float32(shift)
    assert density([real[:1100], real[1100:]], [real]) == 1.0
    assert coverage([real], [real]) == 1.0
    fake = features(300, 16, 4, 0.4) + np.float32(shift)
    gaps = np.square(fake[:, None].astype(float) - real[None]).sum(2)
    between = np.square(real[:, None].astype(float) - real[None]).sum(2)
    inside = gaps < np.sort(between, axis=1)[:, 5]
    assert density([fake], [real]) == pytest.approx(inside.sum() / (5 * len(fake)))
    assert coverage([fake], [real]) == pytest.approx(inside.any(axis=0).mean())


@pytest.mark.parametrize("distance", [precision, recall, density, coverage])
def test_no_images_give_no_number_and_no_raw_error(distance) -> None:
    real, none = features(20, 4, 1), np.zeros((0, 4), np.float32)
    for pair in (([], [real]), ([none], [real]), ([real], []), ([real], [none])):
        with pytest.raises(RefbenchError, match=r"no image to compare|0 images have no"):
            distance(*pair)


def test_clean_resize_equals_pillow_to_a_hundredth_of_a_level() -> None:
    from PIL import Image

    levels = torch.randint(0, 256, (1, 3, 401, 512), generator=torch.Generator().manual_seed(0)).float()
    found = resize_clean(levels)[0]
    for channel, plane in zip(found, levels[0], strict=True):
        image = Image.fromarray(plane.numpy(), mode="F").resize((299, 299), Image.Resampling.BICUBIC)
        assert np.abs(channel.numpy() - np.asarray(image).clip(0, 255)).max() < 0.01


def test_the_three_resizes_differ_and_agree_at_299() -> None:
    levels = torch.randint(0, 256, (1, 3, 512, 512), generator=torch.Generator().manual_seed(1)).float()
    resized = [resize(levels) for resize in (resize_clean, resize_tensorflow, resize_antialiased)]
    assert min((a - b).abs().max() for a in resized for b in resized if a is not b) > 5
    small = levels[..., :299, :299]
    for resize in (resize_clean, resize_tensorflow, resize_antialiased):
        assert torch.allclose(resize(small), small, atol=1e-3)


def test_statistics_survive_their_file_and_name_their_content(tmp_path: Path) -> None:
    kept = Statistics("inception-clean", {"inception-fid": "ab"}, "a folder", Moments.of(features(50, 5, 1)))
    kept.write(tmp_path / "a.npz")
    kept.write(tmp_path / "b.npz")
    assert (tmp_path / "a.npz").read_bytes() == (tmp_path / "b.npz").read_bytes()
    again = Statistics.read(tmp_path / "a.npz")
    assert (again.feature, again.source, again.moments.count) == ("inception-clean", "a folder", 50)
    np.testing.assert_array_equal(again.moments.covariance, kept.moments.covariance)
    (tmp_path / "c.npz").write_bytes(b"something else")
    with pytest.raises(RefbenchError, match="not a statistics file"):
        Statistics.read(tmp_path / "c.npz")


def test_clean_fid_files_are_imported_and_checked(tmp_path: Path) -> None:
    moments = Moments.of(features(50, 5, 1))
    np.savez(tmp_path / "ffhq.npz", mu=moments.mean, sigma=moments.covariance)
    found = import_clean_fid(tmp_path / "ffhq.npz", "inception-clean", "FFHQ")
    assert frechet_distance(found.moments, moments) == pytest.approx(0.0, abs=1e-9)
    np.savez(tmp_path / "skew.npz", mu=moments.mean, sigma=np.triu(moments.covariance))
    with pytest.raises(RefbenchError, match="symmetric"):
        import_clean_fid(tmp_path / "skew.npz", "inception-clean", "")
    np.savez(tmp_path / "short.npz", mu=moments.mean[:3], sigma=moments.covariance)
    with pytest.raises(RefbenchError, match="do not fit"):
        import_clean_fid(tmp_path / "short.npz", "inception-clean", "")
    np.savez(tmp_path / "minus.npz", mu=moments.mean, sigma=-moments.covariance)
    with pytest.raises(RefbenchError, match="no covariance; its least variance"):
        import_clean_fid(tmp_path / "minus.npz", "inception-clean", "")
    mixed = moments.covariance - 0.5 * np.eye(5) * np.linalg.eigvalsh(moments.covariance)[-1]
    np.savez(tmp_path / "mixed.npz", mu=moments.mean, sigma=mixed)
    with pytest.raises(RefbenchError, match="no covariance"):
        import_clean_fid(tmp_path / "mixed.npz", "inception-clean", "")
    few = Moments.of(features(4, 5, 1))
    np.savez(tmp_path / "few.npz", mu=few.mean, sigma=few.covariance)
    assert import_clean_fid(tmp_path / "few.npz", "inception-clean", "").moments.mean.shape == (5,)
    with pytest.raises(RefbenchError, match="of 5 dimensions; the feature inception-clean has 2048"):
        import_clean_fid(tmp_path / "ffhq.npz", "inception-clean", "", dimensions=2048)
