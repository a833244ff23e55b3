"""Faults of training runs: other settings, divergence, a full disk, sets that do not fit."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from refbench.errors import FaultListError, InvalidInputError, RefbenchError
from refbench.models.training.settings import make_config
from refbench.models.training.train import train
from refbench.records.reference_set import ReferenceSet
from toy_training import settings
from toys import write_cartoon_set


def test_other_settings_are_listed(people: Path, tmp_path: Path) -> None:
    given = settings(people, "autoencoder", steps=2, batch=2)
    train(make_config(given), tmp_path, stop_at=1)
    with pytest.raises(FaultListError, match=r"batch: 2, 4(.|\n)*model.channels: 32, 64"):
        train(make_config(given, {"batch": 4, "model": {"channels": 64}}), tmp_path)


def test_loss_that_is_not_finite_keeps_the_last_checkpoint(people: Path, tmp_path: Path) -> None:
    given = settings(people, "autoencoder", steps=50, batch=2, save_every=1)
    given["optimiser"] = {"rate": 1e12}
    with pytest.raises(InvalidInputError, match=r"the loss is not finite .* on p\d_\d"):
        train(make_config(given), tmp_path)
    assert torch.load(tmp_path / "last.pt", weights_only=True)["step"] >= 1


def test_full_disk_keeps_the_last_checkpoint(
    people: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = make_config(settings(people, "autoencoder", steps=4, batch=2, save_every=2))
    train(run, tmp_path, stop_at=2)
    before = (tmp_path / "last.pt").read_bytes()

    def full(*given: object, **named: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(torch, "save", full)
        with pytest.raises(RefbenchError, match=r"step 4 .*No space.*is kept"):
            train(run, tmp_path)
    assert (tmp_path / "last.pt").read_bytes() == before
    assert train(run, tmp_path).steps == 4


def test_sets_that_do_not_fit(people: Path, autoencoder: Path, tmp_path: Path) -> None:
    other_size = write_cartoon_set(tmp_path / "large", ["train", "test"], side=64).root
    with pytest.raises(InvalidInputError, match="images are 64x64, the model takes 24x24"):
        train(make_config(settings(other_size, "autoencoder", steps=1)), tmp_path / "a")
    mixed = write_cartoon_set(tmp_path / "mixed", ["train", "train"]).root
    chosen = ReferenceSet.read(mixed)
    moved = (replace(chosen.targets[0], split="test"), *chosen.targets[1:])
    ReferenceSet(chosen.root, chosen.info, moved).write()
    with pytest.raises(RefbenchError, match="1 people are in 'train' and in another split"):
        train(make_config(settings(mixed, "autoencoder", steps=1)), tmp_path / "b")
    bare = tuple(replace(t, references=(), reference_distances=()) for t in chosen.targets)
    ReferenceSet(chosen.root, chosen.info, bare).write()
    with pytest.raises(InvalidInputError, match="no image with references"):
        train(make_config(settings(mixed, "refldm", steps=1, autoencoder=str(autoencoder))), tmp_path / "c")
