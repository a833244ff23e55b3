"""Training of a face recogniser with the ArcFace loss."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from refbench.faces.align import ARCFACE_112
from refbench.faces.recognisers.recognise import load_recogniser
from refbench.models.checkpoints.checkpoints import read_tensors
from refbench.models.networks.identity_network import angular_margin_logits
from refbench.models.training.settings import make_config
from refbench.models.training.train import train
from toy_training import rows, settings


def test_recogniser_learns_and_serves_by_its_file(people: Path, tmp_path: Path) -> None:
    given = settings(people, "identity", steps=40, lq_share=0.0)
    train(make_config(given), tmp_path)
    log = rows(tmp_path / "log.csv")
    assert float(log[-1]["loss"]) < 0.3 * float(log[0]["loss"])
    assert np.mean([float(row["right"]) for row in log[-5:]]) > 0.9
    recogniser = load_recogniser(str(tmp_path / "recogniser.pt"))
    crops = np.random.default_rng(0).integers(0, 256, (3, 112, 112, 3), np.uint8)
    vectors = recogniser.embed(list(crops), np.repeat(ARCFACE_112[None], 3, 0))
    assert vectors.shape == (3, 16)
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)
    tensors, description = read_tensors(tmp_path / "weights.safetensors")
    assert description["model"] == "IdentityNetwork"
    assert not any("centres" in name for name in tensors)


def test_margin_makes_the_right_angle_wider() -> None:
    vectors = torch.nn.functional.normalize(torch.randn(5, 8, dtype=torch.float64), dim=1)
    centres, who = torch.randn(3, 8, dtype=torch.float64), torch.tensor([0, 1, 2, 0, 1])
    plain = angular_margin_logits(vectors, centres, who, margin=0.0, scale=1.0)
    wide = angular_margin_logits(vectors, centres, who, margin=0.3, scale=2.0) / 2
    right = torch.nn.functional.one_hot(who, 3).bool()
    assert torch.allclose(wide[~right], plain[~right])
    assert torch.allclose(wide[right].acos(), (plain[right].acos() + 0.3).clamp(max=torch.pi))
