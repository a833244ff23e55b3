"""Training runs: models learn eight images; a resumed run equals an uninterrupted one."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml
from refbench.errors import FaultListError
from refbench.interruption import Interruptions
from refbench.models.checkpoints.checkpoints import load_autoencoder, load_refldm, read_tensors
from refbench.models.checkpoints.trained import load_trained
from refbench.models.training.data import Batches
from refbench.models.training.settings import make_config
from refbench.models.training.tasks import diffusion
from refbench.models.training.train import TrainingState, train
from torch import Tensor
from toy_training import SIZE, read_log, settings


def test_autoencoder_learns_eight_images(autoencoder: Path, people: Path) -> None:
    losses = read_log(autoencoder.parent, "loss")
    assert losses[-1] < 0.4 * losses[0]
    model = load_autoencoder(autoencoder)
    batch = Batches(make_config(settings(people, "autoencoder", steps=1)).data, 8, SIZE, seed=0).first(8)
    with torch.inference_mode():
        restored = (model.decode(model.encode(batch.hq * 2 - 1)) + 1) / 2
    assert float((restored - batch.hq).abs().mean()) < 0.08
    assert (autoencoder.parent / "sheets" / "0000060.png").exists()


@pytest.mark.parametrize("kind", ["ldm", "refldm", "composite-context"])
def test_diffusion_learns_eight_images(
    kind: str, people: Path, autoencoder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(diffusion, "SHEET_STEPS", 2)
    given = settings(people, kind, steps=30, autoencoder=str(autoencoder), sheet_every=30)
    report = train(make_config(given), tmp_path)
    losses = read_log(tmp_path, "loss")
    assert report.losses["loss"] == losses[-1]
    assert np.mean(losses[-5:]) < 0.7 * np.mean(losses[:3])
    assert load_trained(report.weights).card.training_data.startswith("cartoons")
    assert (tmp_path / "sheets" / "0000030.png").exists()


def test_stopped_run_ends_like_a_whole_one(people: Path, autoencoder: Path, tmp_path: Path) -> None:
    given = settings(
        people, "refldm", steps=7, autoencoder=str(autoencoder), batch=2, save_every=3, log_every=2
    )
    run = make_config(given)
    train(run, tmp_path / "whole")
    train(run, tmp_path / "stopped", stop_at=3)
    (tmp_path / "stopped" / "log.csv").write_text(
        (tmp_path / "stopped" / "log.csv").read_text() + "4,1.0,2.0\n"
    )
    train(run, tmp_path / "stopped")
    for name in ("log.csv", "weights.safetensors", "last.pt"):
        assert (tmp_path / "stopped" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes(), name


def test_a_terminated_run_saves_after_its_step_and_ends_like_a_whole_one(
    people: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    run = make_config(settings(people, "autoencoder", steps=4, batch=2, save_every=4))
    train(run, tmp_path / "whole")
    real = TrainingState.advance

    def terminated(self: TrainingState, *given: Any) -> None:
        if self.step == 1:
            os.kill(os.getpid(), signal.SIGTERM)
        real(self, *given)

    monkeypatch.setattr(TrainingState, "advance", terminated)
    with Interruptions() as interruptions, pytest.raises(KeyboardInterrupt):
        train(run, tmp_path / "cut")
    assert interruptions.code == 143
    assert "stopped after step 2, which is saved in" in capsys.readouterr().err
    monkeypatch.undo()
    assert torch.load(tmp_path / "cut" / "last.pt", weights_only=True)["step"] == 2
    train(run, tmp_path / "cut")
    for name in ("log.csv", "weights.safetensors", "last.pt"):
        assert (tmp_path / "cut" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes(), name


def test_adversary_is_trained_and_taken_up(people: Path, tmp_path: Path) -> None:
    given = settings(people, "autoencoder", steps=4, batch=2, adversarial_from=2, save_every=2)
    run = make_config(given)
    train(run, tmp_path / "whole")
    train(run, tmp_path / "stopped", stop_at=2)
    train(run, tmp_path / "stopped")
    assert (tmp_path / "stopped" / "log.csv").read_bytes() == (tmp_path / "whole" / "log.csv").read_bytes()
    header = (tmp_path / "whole" / "log.csv").read_text().splitlines()[0]
    assert header == "step,rate,loss,pixels,perceptual,codebook,adversarial,adversary"
    assert (tmp_path / "stopped" / "last.pt").read_bytes() == (tmp_path / "whole" / "last.pt").read_bytes()


def test_accumulation_and_mixed_precision_give_nearly_the_same(
    people: Path, autoencoder: Path, tmp_path: Path
) -> None:
    given = settings(people, "refldm", steps=3, autoencoder=str(autoencoder), batch=4)
    train(make_config(given), tmp_path / "whole")
    train(make_config(given, {"accumulate": 2}), tmp_path / "parts")
    train(make_config(given, {"precision": "mixed"}), tmp_path / "lower")
    whole = read_log(tmp_path / "whole", "loss")
    assert read_log(tmp_path / "parts", "loss") == pytest.approx(whole, rel=1e-3)
    assert read_log(tmp_path / "lower", "loss") == pytest.approx(whole, rel=0.05)
    assert read_log(tmp_path / "lower", "loss") != whole


@pytest.mark.slow
def test_two_processes_equal_one_with_a_batch_twice_as_large(
    people: Path, autoencoder: Path, tmp_path: Path
) -> None:
    given = settings(people, "refldm", steps=4, autoencoder=str(autoencoder), batch=4)
    train(make_config(given), tmp_path / "one")
    (tmp_path / "run.yaml").write_text(yaml.safe_dump(given | {"batch": 2}))
    (tmp_path / "go.py").write_text(
        "import sys; from pathlib import Path\n"
        "from refbench.models import train\n"
        "from refbench.models import make_config, read_settings\n"
        "train(make_config(read_settings(Path(sys.argv[1]))), Path(sys.argv[2]))\n"
    )
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"]
    words = [*command, "go.py", "run.yaml", "two"]
    subprocess.run(words, cwd=tmp_path, check=True, capture_output=True, timeout=300)
    assert read_log(tmp_path / "two", "loss") == pytest.approx(read_log(tmp_path / "one", "loss"), rel=1e-3)


def test_start_from_other_weights(people: Path, autoencoder: Path, tmp_path: Path) -> None:
    ldm = train(make_config(settings(people, "ldm", steps=2, autoencoder=str(autoencoder))), tmp_path / "ldm")
    assert load_refldm(ldm.weights).config.reference_mechanism == "none"
    started: dict[str, Tensor] = {}
    for kind in ("refldm", "composite-context"):
        given = settings(people, kind, steps=1, autoencoder=str(autoencoder), start=str(ldm.weights))
        given |= {"optimiser": {"rate": 1e-9, "weight_decay": 0.0}}
        report = train(make_config(given), tmp_path / kind)
        started = read_tensors(report.weights)[0]
        wanted = read_tensors(ldm.weights)[0]["unet.input_blocks.0.0.weight"]
        assert torch.allclose(started["unet.input_blocks.0.0.weight"], wanted, atol=1e-5)
    given = settings(people, "ldm", steps=1, autoencoder=str(autoencoder), start=str(autoencoder))
    with pytest.raises(FaultListError, match="shares no weight"):
        train(make_config(given), tmp_path / "wrong")


@pytest.mark.parametrize("kind", ["refldm", "composite-context"])
def test_gradient_checkpointing_changes_nothing(
    kind: str, people: Path, tmp_path: Path, autoencoder: Path
) -> None:
    given = settings(people, kind, steps=2, autoencoder=str(autoencoder), batch=2)
    for name, recompute in (("plain", False), ("recomputed", True)):
        train(make_config(given, {"gradient_checkpointing": recompute}), tmp_path / name)
    plain, recomputed = (
        read_tensors(tmp_path / name / "weights.safetensors")[0] for name in ("plain", "recomputed")
    )
    assert all(torch.equal(plain[name], recomputed[name]) for name in plain)
