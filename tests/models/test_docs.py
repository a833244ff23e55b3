"""The Python examples of the pages on models, training and restorers work as they are printed."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from refbench.images import read_rgb, write_png
from refbench.models import RESTORERS, Job, load_restorer, restore_images
from toys import write_cartoon_set

DOCS = Path(__file__).resolve().parents[2] / "docs"


def examples_of(page: str) -> list[str]:
    return re.findall(r"```python\n(.*?)```", (DOCS / page).read_text("utf-8"), re.DOTALL)


@pytest.fixture(scope="module")
def examples() -> list[str]:
    return examples_of("add_a_restorer.md")


@pytest.fixture
def jobs(tmp_path: Path) -> list[Job]:
    drawn = np.random.default_rng(0)
    paths = [tmp_path / f"{name}.png" for name in ("lq", "a", "b")]
    for path in paths:
        write_png(path, drawn.integers(60, 200, (64, 64, 3), dtype=np.uint8))
    return [Job("with", paths[0], tuple(paths[1:])), Job("without", paths[0])]


def test_python_class(
    examples: list[str], jobs: list[Job], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "my_restorer.py").write_text(examples[0])
    monkeypatch.chdir(tmp_path)
    monkeypatch.delitem(sys.modules, "my_restorer", raising=False)
    report = restore_images(
        jobs, load_restorer("my_restorer:Unsharp", "strong"), tmp_path / "out", batch_size=2
    )
    assert not report.failures
    restored, lq = read_rgb(tmp_path / "out" / "without.png"), read_rgb(jobs[0].lq)
    assert restored.std() > lq.std()
    guided = read_rgb(tmp_path / "out" / "with.png").mean((0, 1))
    assert np.abs(guided - read_rgb(jobs[0].references[0]).mean((0, 1))).max() < 3


def test_command(examples: list[str], jobs: list[Job], tmp_path: Path) -> None:
    (tmp_path / "run.py").write_text(examples[1])
    command = f"{sys.executable} {tmp_path / 'run.py'} {{lq}} {{out}} {{refs}}"
    report = restore_images(jobs, load_restorer(command), tmp_path / "out")
    assert not report.failures
    assert (read_rgb(tmp_path / "out" / "with.png") != read_rgb(jobs[0].lq)).any()


def test_onnx_file(examples: list[str], jobs: list[Job], tmp_path: Path) -> None:
    (tmp_path / "export.py").write_text(examples[2])
    subprocess.run([sys.executable, "export.py"], cwd=tmp_path, check=True, capture_output=True)
    restore_images(jobs[:1], load_restorer(str(tmp_path / "blend.onnx")), tmp_path / "out")
    lq, a, b = (read_rgb(path).astype(float) for path in (jobs[0].lq, *jobs[0].references))
    assert np.abs(read_rgb(tmp_path / "out" / "with.png") - (0.9 * lq + 0.05 * (a + b))).max() < 0.51


def test_restoring_from_python(
    examples: list[str], jobs: list[Job], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "my_restorer.py").write_text(examples[0])
    jobs[0].references[0].rename(tmp_path / "reference.png")
    monkeypatch.chdir(tmp_path)
    monkeypatch.delitem(sys.modules, "my_restorer", raising=False)
    names: dict[str, Any] = {}
    exec(examples[3], names)
    assert names["report"].restored == ("face",)
    assert read_rgb(tmp_path / "restored" / "face.png").shape == (64, 64, 3)


def test_models_page() -> None:
    loading, parts = examples_of("models.md")
    for example in (loading, parts):
        names: dict[str, Any] = {}
        exec(example, names)
        assert names["restored"].shape == (1, 3, 128, 128)
        assert 0 <= float(names["restored"].min()) <= float(names["restored"].max()) <= 1


@pytest.mark.slow
def test_training_page(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, need_weights: Callable[..., None]
) -> None:
    need_weights("lpips-alexnet")
    write_cartoon_set(tmp_path / "set", ["train"] * 3 + ["val"], side=128)
    monkeypatch.chdir(tmp_path)
    (example,) = examples_of("training.md")
    names: dict[str, Any] = {}
    exec(example, names)
    assert names["report"].steps == 2
    assert (tmp_path / "runs" / "ae" / "weights.safetensors").is_file()


def test_every_bundled_name_and_preset_is_described() -> None:
    text = (DOCS / "models.md").read_text("utf-8") + (DOCS / "add_a_restorer.md").read_text("utf-8")
    for declared in RESTORERS.values():
        assert declared.summary
        for preset in declared.presets:
            assert f"`{preset}`" in text
