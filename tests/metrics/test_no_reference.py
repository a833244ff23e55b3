"""pyiqa by name: its numbers, its files from the weights folder, and never a download."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from refbench.errors import RefbenchError
from refbench.metrics import catalogue
from refbench.metrics.scoring.meter import Meter
from refbench.metrics.scoring.provenance import digests_of_files

pytestmark = pytest.mark.slow
pytest.importorskip("pyiqa")


@pytest.fixture
def weights_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("REFBENCH_WEIGHTS", str(tmp_path))
    return tmp_path


def test_a_missing_file_is_named_and_not_downloaded(weights_folder: Path) -> None:
    with pytest.raises(RefbenchError, match=r"refbench weights fetch pyiqa-niqe"):
        Meter("pyiqa/niqe")
    with pytest.raises(
        RefbenchError,
        match=r"brisque_svm_weights\.pth is missing, and nothing is downloaded here; put https://",
    ):
        Meter("pyiqa/brisque")
    assert not [*weights_folder.glob("*.mat"), *weights_folder.glob("*.pth")]


def test_niqe_with_a_file_equals_pyiqa(weights_folder: Path) -> None:
    import pyiqa
    from scipy.io import savemat

    path = weights_folder / "niqe_modelparameters.mat"
    savemat(path, {"mu_prisparam": np.ones((1, 36)), "cov_prisparam": np.eye(36)})
    images = torch.rand(1, 3, 192, 192, generator=torch.Generator().manual_seed(0))
    meter = Meter("pyiqa/niqe")
    found = meter.update(images)
    wanted = pyiqa.create_metric("niqe", device="cpu", pretrained_model_path=str(path))(images)
    assert found.item() == pytest.approx(wanted.item(), rel=1e-9)
    assert not meter.metric.protocol.higher_is_better
    assert meter.metric.protocol.weights == ("pyiqa-niqe",)
    assert list(digests_of_files([meter.metric.feature])) == ["niqe_modelparameters.mat"]


def test_ids_name_the_version(weights_folder: Path) -> None:
    name = catalogue.find("pyiqa/musiq").protocol.id
    assert name.startswith("pyiqa/musiq@0.")
    assert catalogue.find(name).protocol.id == name
    with pytest.raises(RefbenchError, match="another version"):
        catalogue.find("pyiqa/musiq@0.0.1")
    with pytest.raises(RefbenchError, match="no-reference metric 'lpips'"):
        catalogue.find("pyiqa/lpips")


def test_a_metric_that_needs_nothing_runs(weights_folder: Path) -> None:
    meter = Meter("pyiqa/entropy")
    flat, rich = torch.full((1, 3, 64, 64), 0.5), torch.rand(1, 3, 64, 64)
    assert meter.update(flat).item() < meter.update(rich).item()
