"""pyiqa by name: its numbers, its files from the weights folder, and never a download."""

from __future__ import annotations

import socket
import threading
import urllib.request
from pathlib import Path

import numpy as np
import pytest
import torch
from refbench.errors import RefbenchError
from refbench.metrics import catalogue
from refbench.metrics.core.offline import no_network
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


CLIP_FILES = {
    "clipiqa": "RN50.pt",
    "clipiqa+": "RN50.pt",
    "clipiqa+_vitL14_512": "ViT-L-14.pt",
    "liqe": "ViT-B-32.pt",
    "qualiclip": "RN50.pt",
    "laion_aes": "ViT-L-14.pt",
    "clipscore": "ViT-B-32.pt",
    "afine_nr": "ViT-B-32.pt",
    "maclip": "RN50.pt",
}


@pytest.mark.parametrize("name", CLIP_FILES)
def test_metrics_on_clip_open_no_socket_and_name_their_file(
    name: str, weights_folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    opened: list[object] = []

    def open_socket(*given: object, **named: object) -> None:
        opened.append(given)
        raise OSError("a socket was opened")

    for owner, attribute in ((socket, "socket"), (socket, "getaddrinfo"), (socket, "create_connection")):
        monkeypatch.setattr(owner, attribute, open_socket)
    monkeypatch.setenv("HOME", str(weights_folder))
    with pytest.raises(RefbenchError) as raised:
        Meter(f"pyiqa/{name}")
    assert not opened
    file = CLIP_FILES[name]
    assert f"{file} is missing, and nothing is downloaded here; put https://" in str(raised.value)
    assert str(raised.value).endswith(f"at {weights_folder / file}")
    assert not capsys.readouterr().out, "it does not say that it downloads"
    assert not list(weights_folder.rglob("*.pt"))


def test_a_clip_file_in_the_weights_folder_is_checked(weights_folder: Path) -> None:
    (weights_folder / "RN50.pt").write_bytes(b"another")
    with pytest.raises(RefbenchError, match=r"RN50\.pt is not the file of https://.*SHA-256"):
        Meter("pyiqa/clipiqa")


def test_a_metric_that_fetches_while_it_scores_is_stopped(weights_folder: Path) -> None:
    meter = Meter("pyiqa/entropy")
    ways = {
        "urllib": lambda: urllib.request.urlopen("http://localhost:9/file.pth"),
        "socket": lambda: socket.create_connection(("127.0.0.1", 9), timeout=1),
    }
    for way in ways.values():
        feature = meter._engine.features[0]
        with pytest.raises(RefbenchError, match="nothing is downloaded here"), no_network(feature.name):
            way()
    with pytest.raises(OSError, match=r"refused|timed out"):
        ways["socket"]()
    with no_network("this thread"):
        found: list[BaseException] = []

        def other() -> None:
            try:
                ways["socket"]()
            except BaseException as error:
                found.append(error)

        thread = threading.Thread(target=other)
        thread.start()
        thread.join()
    assert isinstance(found[0], OSError), "other threads keep their network"


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
