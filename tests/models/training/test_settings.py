"""Training settings: layers, presets, faults, learning rate schedule, names of version 0.1."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import pytest
import yaml
from refbench.errors import FaultListError, RefbenchError
from refbench.models.training.config import OptimiserSettings
from refbench.models.training.presets import TRAINING_PRESETS, training_preset
from refbench.models.training.settings import make_config, parse_assignments, read_settings
from refbench.models.training.train import rate_at, train
from toy_training import settings


def test_layers_of_settings(tmp_path: Path) -> None:
    (tmp_path / "run.yaml").write_text("batch: 16\noptimiser: {warmup: 7}\n")
    words = ["optimiser.rate=1e-3", "data.reference_set=here", "autoencoder=a.safetensors", "steps=9"]
    words += ["data.augmentation.mirror_probability=0"]
    run = make_config(
        training_preset("refldm-paper"), read_settings(tmp_path / "run.yaml"), parse_assignments(words)
    )
    assert run.kind == "refldm"
    assert (run.batch, run.steps) == (16, 9)
    assert (run.optimiser.rate, run.optimiser.warmup) == (1e-3, 7)
    assert (run.data.augmentation.mirror_probability, run.data.augmentation.colour) == (0, 0.2)
    assert make_config(yaml.safe_load(yaml.safe_dump(run.model_dump(mode="json")))) == run


def test_faults_are_all_listed() -> None:
    with pytest.raises(FaultListError) as raised:
        make_config({"kind": "ldm", "steps": 0, "typo": 1, "optimiser": {"rate": -1}})
    text = str(raised.value)
    assert all(name in text for name in ("steps", "typo", "optimiser.rate", "autoencoder", "data"))
    with pytest.raises(FaultListError, match=r"data\.augmentation\.mirror: "):
        make_config({"kind": "ldm", "data": {"augmentation": {"mirror": 0}}})
    with pytest.raises(FaultListError, match=r"rte: no such setting; did you mean 'optimiser.rate'"):
        make_config({"kind": "identity", "optimiser": {"rte": 1}})
    with pytest.raises(RefbenchError, match="name=value"):
        parse_assignments(["steps"])
    with pytest.raises(RefbenchError, match="known: autoencoder-paper"):
        training_preset("nosuch")


def test_presets_are_whole() -> None:
    for name, given in TRAINING_PRESETS.items():
        rest = {"data": {"reference_set": "set"}}
        run = make_config(
            given, rest, {} if name.startswith(("auto", "identity")) else {"autoencoder": "a.safetensors"}
        )
        assert run.steps >= (150_000 if "paper" in name else 20_000)


def test_rate_warms_up_and_falls() -> None:
    chosen = OptimiserSettings(rate=1.0, warmup=10, schedule="cosine", final_share=0.01)
    rates = [rate_at(chosen, step, 110) for step in range(1, 111)]
    assert rates[4] == 0.5
    assert max(rates) == rates[9] == 1.0
    assert rates[-1] == pytest.approx(0.01)
    assert all(before > after for before, after in pairwise(rates[10:]))


def test_names_and_precisions_of_0_1_are_read() -> None:
    given = {"kind": "ldm", "autoencoder": "a", "steps": 1, "checkpointing": True, "precision": "bfloat16"}
    run = make_config(given, {"data": {"reference_set": "set", "own_share": 0.5}})
    assert (run.gradient_checkpointing, run.precision, run.data.target_as_reference) == (True, "mixed", 0.5)
    with pytest.raises(FaultListError, match="own_share"):
        make_config(given, {"data": {"reference_set": "set", "own_share": 0.5, "target_as_reference": 0.5}})


def test_no_sample_sheets_are_written_where_none_are_wanted(people: Path, tmp_path: Path) -> None:
    train(make_config(settings(people, "autoencoder", steps=1, sheet_every=0)), tmp_path / "none")
    train(make_config(settings(people, "autoencoder", steps=1, sheet_every=5)), tmp_path / "last")
    assert not (tmp_path / "none" / "sheets").exists()
    assert (tmp_path / "last" / "sheets" / "0000001.png").exists()
