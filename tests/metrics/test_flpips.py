"""fLPIPS: only pixels of the face count, by the mask of the HQ image."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from refbench.errors import RefbenchError
from refbench.images import write_png
from refbench.metrics.core.feature import Batch
from refbench.metrics.protocols import flpips, lpips

CPU = torch.device("cpu")


@pytest.fixture(autouse=True)
def random_trunk(monkeypatch: pytest.MonkeyPatch) -> None:
    def load(net, device):
        torch.manual_seed(1)
        return lpips.build_lpips("alex")

    monkeypatch.setattr(flpips, "load_lpips", load)


def batches(tmp_path: Path) -> tuple[Batch, Batch, Batch]:
    generator = np.random.default_rng(0)
    photo = generator.integers(0, 256, (64, 64, 3), dtype=np.uint8)
    face, background = photo.copy(), photo.copy()
    face[20:40, 20:40] //= 2
    background[:10] //= 2
    mask = np.zeros((64, 64, 3), np.uint8)
    mask[16:48, 16:48] = 255
    write_png(tmp_path / "mask.png", mask)
    points = np.full((1, 5, 2), np.nan)
    hq = Batch([photo], points, CPU, masks=[tmp_path / "mask.png"])
    return hq, Batch([face], points, CPU, hq=hq), Batch([background], points, CPU, hq=hq)


def test_only_the_face_counts(tmp_path: Path) -> None:
    hq, face, background = batches(tmp_path)
    extract = flpips.GIVEN.load(CPU)
    with torch.inference_mode():
        features = [extract(batch) for batch in (hq, face, background)]
        distances = [lpips.lpips_distance(one, features[0]).item() for one in features]
    assert distances[0] == distances[2] == 0.0
    assert distances[1] > 1e-4


def test_a_set_without_masks_or_with_other_sizes_is_refused(tmp_path: Path) -> None:
    hq, _, _ = batches(tmp_path)
    bare = Batch(hq.photos, hq.landmarks, CPU)
    with pytest.raises(RefbenchError, match=r"SET/masks/KEY\.png"):
        flpips.read_masks(bare)
    write_png(tmp_path / "small.png", np.zeros((8, 8, 3), np.uint8))
    with pytest.raises(RefbenchError, match="8x8; wanted 64x64"):
        flpips.read_masks(Batch(hq.photos, hq.landmarks, CPU, masks=[tmp_path / "small.png"]))


def test_a_parser_chooses_the_face_classes() -> None:
    class Parser:
        """Class 1 (skin) on the left, 13 (hair) on the right."""

        def __call__(self, images: torch.Tensor) -> tuple[torch.Tensor]:
            assert images.min() < -0.5, "ParseNet wants [-1, 1]"
            scores = torch.zeros(len(images), 19, 512, 512)
            scores[:, 1, :, :256] = 1
            scores[:, 13, :, 256:] = 1
            return (scores,)

    found = flpips.parse_face(Parser(), torch.rand(2, 3, 100, 80) * 0.1)
    assert found.shape == (2, 1, 100, 80)
    assert (found[..., :39] == 1).all()
    assert (found[..., 41:] == 0).all()


def test_parsenet_is_loaded_strictly(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("facexlib")
    torch.save({"encoder.0.weight": torch.zeros(1)}, tmp_path / "parsing_parsenet.pth")
    monkeypatch.setattr(flpips.weight_files, "path", lambda name: tmp_path / "parsing_parsenet.pth")
    with pytest.raises(RefbenchError, match="not facexlib's ParseNet"):
        flpips.load_parser(CPU)
