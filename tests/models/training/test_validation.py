"""Validation during training, and the log for TensorBoard."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from refbench.errors import RefbenchError
from refbench.models.training import log as train_log
from refbench.models.training.settings import make_config
from refbench.models.training.train import train
from refbench.models.training.validation import Validation
from toy_training import SIZE, STILL, light, rows, settings
from toys import write_cartoon_set


def test_validation_is_logged_and_taken_up(tmp_path: Path, need_weights: Callable[..., None]) -> None:
    need_weights("lpips-alexnet", "dlib-resnet", "dlib-resnet-manifest")
    people = write_cartoon_set(tmp_path / "set", ["train", "test"], side=64).root
    given = light(people, steps=4, batch=2, validation={"every": 2, "images": 2, "split": "test"})
    given["image_size"] = 64
    train(make_config(given), tmp_path / "whole")
    train(make_config(given), tmp_path / "stopped", stop_at=3)
    train(make_config(given), tmp_path / "stopped")
    found = rows(tmp_path / "whole" / "validation.csv")
    assert [row["step"] for row in found] == ["2", "4"]
    assert found == rows(tmp_path / "stopped" / "validation.csv")
    assert 0 < float(found[1]["psnr"]) < 60
    assert -1 <= float(found[1]["ids"]) <= 1
    assert float(found[0]["lpips"]) > 0
    loss = settings(people, "refldm", steps=1, autoencoder="a", validation={"every": 1})
    loss["identity"] = {"weight": 0.1, "recogniser": "dlib-resnet"}
    with pytest.raises(RefbenchError, match="is the one in the loss"):
        Validation(make_config(loss), image_size=24, needs_references=True, device="cpu")  # type: ignore[arg-type]


def test_validation_never_gives_the_target_as_its_reference(
    people: Path, need_weights: Callable[..., None]
) -> None:
    need_weights("lpips-alexnet", "dlib-resnet", "dlib-resnet-manifest")
    given = settings(people, "refldm", steps=1, autoencoder="a", validation={"every": 1, "split": "test"})
    given["data"] |= {"target_as_reference": 1.0, "augmentation": STILL.model_dump()}
    run = make_config(given)
    assert run.kind == "refldm"
    batch = Validation(run, image_size=SIZE, needs_references=True, device="cpu").batch
    assert not any(torch.equal(own[0], hq) for own, hq in zip(batch.references, batch.hq, strict=True))


def test_tensorboard_beside_csv_or_a_word(
    people: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    given = light(people, steps=2, batch=2) | {"tensorboard": True}
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)
    train(make_config(given), tmp_path / "without")
    assert f"it is not installed ({train_log.INSTALL_TENSORBOARD})" in capsys.readouterr().err
    monkeypatch.undo()
    pytest.importorskip("tensorboard")
    train(make_config(given), tmp_path / "with")
    assert list((tmp_path / "with" / "tensorboard").glob("events*"))
    said = capsys.readouterr().err
    assert "autoencoder step 2 of 2: loss" in said
    assert "0:00 h left" in said
