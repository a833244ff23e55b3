"""Restoring many faces: the same bytes however it is run, and one bad face that spoils nothing else."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest
import torch
from refbench.errors import FaultListError, RefbenchError
from refbench.images import read_rgb, write_png
from refbench.models.checkpoints.registry import RESTORERS, load_restorer
from refbench.models.restorers.baselines import Classical, LqCopy, ReferenceCopy, magnification, noise_level
from refbench.models.restorers.restore import Job, image_seed, restore_images
from refbench.records.card import RestorerCard
from torch import Tensor

SIZE = 32


@pytest.fixture
def jobs(tmp_path: Path) -> list[Job]:
    drawn = np.random.default_rng(0)
    made = []
    for number in range(5):
        paths = [tmp_path / "in" / f"{number}_{part}.png" for part in ("lq", "a", "b")]
        for path in paths:
            write_png(path, drawn.integers(0, 256, (SIZE, SIZE, 3), dtype=np.uint8))
        made.append(Job(f"k{number}", paths[0], tuple(paths[1:])))
    return made


@dataclass
class Noisy:
    """Adds drawn noise; misbehaves where told to."""

    fault: str = ""
    at: int = 2
    card: RestorerCard = field(default=RestorerCard(model="noisy", references_used=2, parameters=0))
    calls: int = 0

    def restore(
        self, lq: Tensor, references: Sequence[Tensor], generators: Sequence[torch.Generator]
    ) -> Tensor:
        self.calls += 1
        noise = torch.stack([torch.randn(lq.shape[1:], generator=generator) for generator in generators])
        restored = (lq + 0.1 * noise).clamp(0, 1)
        marked = [index for index, image in enumerate(lq) if float(image[0, 0].sum()) == self.mark]
        if not marked or not self.fault:
            return restored
        if self.fault == "crash":
            raise ValueError("something broke inside")
        if self.fault == "exit":
            raise SystemExit(7)
        if self.fault == "nan":
            restored[marked[0], 0, 3, 3] = float("nan")
        if self.fault == "range":
            restored[marked[0]] *= 255
        if self.fault == "size":
            return torch.nn.functional.interpolate(restored, scale_factor=2)
        if self.fault == "few":
            return restored[:-1]
        if self.fault == "stop":
            raise KeyboardInterrupt
        return restored

    mark: float = -1.0


def images_in(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


def test_batches_and_order_change_no_byte(jobs: list[Job], tmp_path: Path) -> None:
    restore_images(jobs, Noisy(), tmp_path / "one", seed=3)
    restore_images(jobs[::-1], Noisy(), tmp_path / "many", seed=3, batch_size=4)
    restore_images(jobs, Noisy(), tmp_path / "other", seed=4)
    assert images_in(tmp_path / "one") == images_in(tmp_path / "many")
    assert images_in(tmp_path / "one")["k0.png"] != images_in(tmp_path / "other")["k0.png"]


def test_killed_run_goes_on_and_ends_with_the_same_bytes(jobs: list[Job], tmp_path: Path) -> None:
    restore_images(jobs, Noisy(), tmp_path / "whole")
    stopping = Noisy(fault="stop", mark=mark_of(jobs[3]))
    with pytest.raises(KeyboardInterrupt):
        restore_images(jobs, stopping, tmp_path / "killed")
    assert not (tmp_path / "killed" / "k3.png").exists()
    report = restore_images(jobs, Noisy(), tmp_path / "killed")
    assert report.kept == ("k0", "k1", "k2")
    assert report.restored == ("k3", "k4")
    assert images_in(tmp_path / "killed") == images_in(tmp_path / "whole")


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        ("nan", "NaN"),
        ("crash", "ValueError: something broke inside"),
        ("exit", "SystemExit: 7"),
        ("size", "(1, 3, 64, 64); wanted (1, 3, 32, 32)"),
        ("few", "(0, 3, 32, 32); wanted (1, 3, 32, 32)"),
        ("range", "wanted [0, 1]"),
    ],
)
@pytest.mark.parametrize("batch_size", [1, 3])
def test_one_bad_face_spoils_nothing_else(
    jobs: list[Job], tmp_path: Path, fault: str, reason: str, batch_size: int
) -> None:
    bad = Noisy(fault=fault, mark=mark_of(jobs[1]))
    report = restore_images(jobs, bad, tmp_path / "out", batch_size=batch_size)
    assert set(report.failures) == {"k1"}
    assert reason in report.failures["k1"]
    assert sorted(report.restored) == ["k0", "k2", "k3", "k4"]
    assert json.loads((tmp_path / "out" / "restore.json").read_text())["failures"] == dict(report.failures)
    again = restore_images(jobs, Noisy(), tmp_path / "out")
    assert again.restored == ("k1",)
    restore_images(jobs, Noisy(), tmp_path / "clean")
    assert images_in(tmp_path / "out") == images_in(tmp_path / "clean")


def mark_of(job: Job) -> float:
    return float((torch.tensor(read_rgb(job.lq)[0, :, 0]).to(torch.float32) / 255).sum())


def test_another_run_is_not_mixed_in(jobs: list[Job], tmp_path: Path) -> None:
    restore_images(jobs, Noisy(), tmp_path / "out", seed=1)
    with pytest.raises(RefbenchError, match="another seed"):
        restore_images(jobs, Noisy(), tmp_path / "out", seed=2)
    with pytest.raises(RefbenchError, match="another restorer"):
        restore_images(jobs, LqCopy(), tmp_path / "out", seed=1)
    write_png(jobs[0].lq, np.zeros((SIZE, SIZE, 3), np.uint8))
    with pytest.raises(RefbenchError, match="another inputs"):
        restore_images(jobs, Noisy(), tmp_path / "out", seed=1)
    write_png(tmp_path / "foreign" / "k0.png", np.zeros((SIZE, SIZE, 3), np.uint8))
    with pytest.raises(RefbenchError, match=r"without a restore\.json"):
        restore_images(jobs, Noisy(), tmp_path / "foreign")


def test_a_longer_list_adds_to_a_folder(jobs: list[Job], tmp_path: Path) -> None:
    restore_images(jobs[:2], Noisy(), tmp_path / "out")
    assert restore_images(jobs, Noisy(), tmp_path / "out").restored == ("k2", "k3", "k4")
    restore_images(jobs, Noisy(), tmp_path / "whole")
    assert images_in(tmp_path / "out") == images_in(tmp_path / "whole")


def test_bad_inputs_are_named(jobs: list[Job], tmp_path: Path) -> None:
    lost = [*jobs, Job("k9", tmp_path / "absent.png"), Job("k8", tmp_path / "gone.png")]
    with pytest.raises(FaultListError, match="2 faults"):
        restore_images(lost, LqCopy(), tmp_path / "out")
    with pytest.raises(RefbenchError, match="duplicate: k0"):
        restore_images([jobs[0], jobs[0]], LqCopy(), tmp_path / "out")
    jobs[0].lq.write_bytes(b"not a picture")
    write_png(jobs[1].references[0], np.zeros((8, 8, 3), np.uint8))
    report = restore_images(jobs, Noisy(), tmp_path / "out", batch_size=5)
    assert "not a picture" in report.failures["k0"]
    assert "reference 1_a.png is 8x8, its LQ image 32x32" in report.failures["k1"]
    assert report.restored == ("k2", "k3", "k4")


def test_times_are_recorded_only_when_asked(jobs: list[Job], tmp_path: Path) -> None:
    plain = restore_images(jobs, LqCopy(), tmp_path / "plain")
    timed = restore_images(jobs, LqCopy(), tmp_path / "timed", record_times=True)
    assert plain.seconds_per_image is None
    assert plain.peak_memory_mib is None
    assert timed.seconds_per_image is not None
    assert 0 < timed.seconds_per_image < 1
    assert timed.peak_memory_mib is not None
    assert timed.peak_memory_mib > 50
    assert images_in(tmp_path / "plain") == images_in(tmp_path / "timed")


def test_copies_copy(jobs: list[Job], tmp_path: Path) -> None:
    restore_images(jobs, LqCopy(), tmp_path / "lq")
    bare = Job("k5", jobs[0].lq)
    report = restore_images([*jobs, bare], ReferenceCopy(), tmp_path / "ref", batch_size=3)
    for job in jobs:
        assert (read_rgb(tmp_path / "lq" / f"{job.key}.png") == read_rgb(job.lq)).all()
        assert (read_rgb(tmp_path / "ref" / f"{job.key}.png") == read_rgb(job.references[0])).all()
    assert "no reference" in report.failures["k5"]


def test_classical_cleans_a_noisy_face(astronaut: np.ndarray, tmp_path: Path) -> None:
    import cv2

    drawn = np.random.default_rng(1)
    small = cv2.resize(astronaut, (256, 256), interpolation=cv2.INTER_AREA)
    noisy = np.clip(small + drawn.normal(0, 10, small.shape), 0, 255).astype(np.uint8)
    lq = cv2.resize(noisy, (512, 512), interpolation=cv2.INTER_LINEAR)
    write_png(tmp_path / "lq.png", lq)
    job = Job("face", tmp_path / "lq.png")
    restore_images([job], Classical(), tmp_path / "out")
    restored = read_rgb(tmp_path / "out" / "face.png")

    def error(image: np.ndarray) -> float:
        return float(np.mean((image.astype(float) - astronaut) ** 2))

    assert error(restored) < 0.95 * error(lq)
    assert 1.7 < magnification(lq) < 2.4
    assert abs(noise_level(np.clip(128 + drawn.normal(0, 10, lq.shape), 0, 255).astype(np.uint8)) - 6.5) < 1


def test_seed_of_an_image_depends_on_seed_and_key() -> None:
    assert image_seed(0, "a") == image_seed(0, "a")
    assert len({image_seed(s, k) for s in (0, 1) for k in ("a", "b", "1:a")}) == 6


def test_every_bundled_name_without_weights_loads() -> None:
    for name, declared in RESTORERS.items():
        if not declared.weights:
            assert load_restorer(name).card.model
    with pytest.raises(RefbenchError, match=r"is not a restorer; registered: lq-copy"):
        load_restorer("nosuch")
    with pytest.raises(RefbenchError, match="no preset 'x'"):
        load_restorer("lq-copy", preset="x")


def test_command_restores_from_files(jobs: list[Job], tmp_path: Path) -> None:
    script = tmp_path / "invert.py"
    script.write_text(
        "import sys; from PIL import Image, ImageOps\n"
        "lq, out, *refs = sys.argv[1:]\n"
        "assert len(refs) == 2, refs\n"
        "ImageOps.invert(Image.open(lq)).save(out)\n"
    )
    restorer = load_restorer(f"{sys.executable} {script} {{lq}} {{out}} {{refs}}")
    assert restorer.card.model == "invert"
    report = restore_images([*jobs[:2], Job("k7", jobs[0].lq)], restorer, tmp_path / "out", batch_size=2)
    assert report.restored == ("k0", "k1")
    assert "ended with code 1: AssertionError: []" in report.failures["k7"]
    assert (read_rgb(tmp_path / "out" / "k0.png") == 255 - read_rgb(jobs[0].lq)).all()
    with pytest.raises(RefbenchError, match="cannot be run"):
        restore_images(jobs, load_restorer("no-such-program {lq} {out}"), tmp_path / "none")
    with pytest.raises(RefbenchError, match=r"must hold \{lq\} and \{out\}"):
        load_restorer("program {lq}")
    with pytest.raises(RefbenchError, match="No closing quotation"):
        load_restorer("program {lq} {out} 'open")


def test_folder_of_finished_images(jobs: list[Job], tmp_path: Path) -> None:
    finished = tmp_path / "codeformer"
    for job in jobs[:2]:
        write_png(finished / f"{job.key}.png", 255 - read_rgb(job.lq))
    write_png(finished / "k2.png", np.zeros((8, 8, 3), np.uint8))
    report = restore_images(jobs[:4], load_restorer(str(finished)), tmp_path / "out", record_times=True)
    assert report.restored == ("k0", "k1")
    assert report.seconds_per_image is None
    assert "the result is (8, 8, 3)" in report.failures["k2"]
    assert "should hold one image named k3; it holds none" in report.failures["k3"]


def test_python_class_by_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, jobs: list[Job]) -> None:
    (tmp_path / "my_own_restorer.py").write_text(
        "from refbench.models import RestorerCard\n"
        "class Mirror:\n"
        "    card = RestorerCard(model='mirror', references_used=0, licence='MIT')\n"
        "    def __init__(self, preset='still'): self.preset = preset\n"
        "    def restore(self, lq, references, generators): return lq.flip(-1)\n"
        "class Nothing: pass\n"
    )
    monkeypatch.chdir(tmp_path)
    restore_images(jobs, load_restorer("my_own_restorer:Mirror"), tmp_path / "out")
    assert (read_rgb(tmp_path / "out" / "k0.png") == read_rgb(jobs[0].lq)[:, ::-1]).all()
    with pytest.raises(RefbenchError, match="is not a restorer"):
        load_restorer("my_own_restorer:Nothing")
    with pytest.raises(RefbenchError, match="Absent"):
        load_restorer("my_own_restorer:Absent")
    with pytest.raises(RefbenchError, match="has no presets"):
        load_restorer("my_own_restorer:Nothing", preset="fast")


def test_onnx_file(tmp_path: Path, jobs: list[Job]) -> None:
    import onnx
    from onnx import TensorProto, helper

    def save(name: str, size: int | str) -> Path:
        shape = [1, 3, size, size]
        inputs = [
            helper.make_tensor_value_info("lq", TensorProto.FLOAT, shape),
            helper.make_tensor_value_info("references", TensorProto.FLOAT, [1, "N", 3, size, size]),
        ]
        output = helper.make_tensor_value_info("out", TensorProto.FLOAT, shape)
        nodes = [
            helper.make_node("ReduceMean", ["references"], ["mean"], axes=[1], keepdims=0),
            helper.make_node("Add", ["lq", "mean"], ["sum"]),
            helper.make_node("Constant", [], ["half"], value_float=0.5),
            helper.make_node("Mul", ["sum", "half"], ["out"]),
        ]
        graph = helper.make_graph(nodes, "half", inputs, [output])
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
        onnx.save(model, tmp_path / name)
        return tmp_path / name

    for preset in (None, "symmetric"):
        out = tmp_path / f"out-{preset}"
        report = restore_images(jobs, load_restorer(str(save("mean.onnx", "S")), preset), out, batch_size=2)
        assert not report.failures
        got = read_rgb(out / "k0.png").astype(float)
        references = np.mean([read_rgb(path) for path in jobs[0].references], axis=0)
        assert np.abs(got - (read_rgb(jobs[0].lq) + references) / 2).max() < 0.51
    report = restore_images(jobs, load_restorer(str(save("wrong.onnx", 64))), tmp_path / "wrong")
    assert len(report.failures) == 5
    assert "[1, 3, 64, 64]; got [1, 3, 32, 32]" in report.failures["k0"]
    (tmp_path / "broken.onnx").write_bytes(b"not onnx")
    with pytest.raises(RefbenchError, match="not a usable ONNX file"):
        load_restorer(str(tmp_path / "broken.onnx"))
    with pytest.raises(RefbenchError, match="no such file"):
        load_restorer(str(tmp_path / "absent.onnx"))
