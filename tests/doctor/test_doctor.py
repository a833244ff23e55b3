"""`refbench doctor`: what it finds, what it tells to do, and that it never crashes."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from refbench.doctor import checks
from refbench.doctor import diagnosis as doctor
from refbench.doctor.diagnosis import Finding, diagnose, render
from refbench.extras import EXTRAS
from refbench.weights import weight_files
from refbench.weights.sources import Url
from refbench.weights.table import Weight

CPU: dict[str, Any] = {
    "cuda": [],
    "built_for_cuda": None,
    "mps": False,
    "threads": 2,
    "avx512_bf16": False,
    "amx_bf16": False,
}
GPU: dict[str, Any] = {
    **CPU,
    "cuda": [{"name": "A100", "bytes": 40e9, "bf16": True}],
    "built_for_cuda": "13.0",
}
ORT = {"providers": ["CPUExecutionProvider"], "used": "CPUExecutionProvider"}
ORT_GPU = {"providers": ["CUDAExecutionProvider"], "used": "CUDAExecutionProvider"}


def only(findings: Any) -> Finding:
    (finding,) = findings
    assert isinstance(finding, Finding)
    return finding


def test_diagnose_covers_every_topic(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("REFBENCH_WEIGHTS", str(tmp_path / "new" / "folder"))
    monkeypatch.setattr(
        doctor, "look", lambda: {"torch": CPU, "onnxruntime": ORT, "opencv": {"version": "5"}}
    )
    found = {finding.topic: finding for finding in diagnose()}
    topics = {
        "python",
        "torch",
        "pyiqa",
        "torch-fidelity",
        "device",
        "opencv",
        "onnxruntime",
        "weights folder",
    }
    assert topics | {f"weights {group}" for group in weight_files.GROUPS} <= set(found)
    assert found["weights demo"].state == "missing"
    assert found["weights demo"].fix == "refbench weights fetch demo"
    assert not (tmp_path / "new").exists()
    text = render(list(found.values()))
    assert "fix: refbench weights fetch demo" in text


def test_a_check_that_breaks_is_a_finding(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> Any:
        raise ValueError("odd")
        yield

    monkeypatch.setattr(doctor, "look", dict)
    for name in (
        "python",
        "packages",
        "extras",
        "device",
        "opencv",
        "pkg_resources",
        "onnxruntime",
        "weight_groups",
    ):
        monkeypatch.setattr(checks, name, broken)
    monkeypatch.setattr(checks, "weights_folder", broken)
    found = diagnose()
    assert len(found) == 9
    assert all(finding.state == "warning" and "ValueError: odd" in finding.detail for finding in found)


@pytest.mark.slow
def test_a_real_look_sees_the_packages() -> None:
    seen = doctor.look()
    assert "error" not in seen["torch"]
    assert seen["torch"]["threads"] >= 1
    assert seen["onnxruntime"]["used"].endswith("ExecutionProvider")
    assert all("error" not in seen[name] for name in ("pandas", "lpips", "opencv"))


def test_a_package_that_ends_the_interpreter_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    told = b'{"begin": "torch"}\n{"end": "torch", "mps": true}\nnoise\n{"begin": "insightface"}\n'
    done = subprocess.CompletedProcess([], -11, told, b"")
    monkeypatch.setattr(subprocess, "run", lambda *a, **k: done)
    seen = doctor.look()
    assert seen["torch"]["mps"] is True
    assert seen["insightface"]["error"] == "importing it ends the process with code -11"


def test_a_package_that_hangs_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def hang(*_: object, **__: object) -> None:
        raise subprocess.TimeoutExpired([], 180, output=b'{"begin": "datasets"}\n')

    monkeypatch.setattr(subprocess, "run", hang)
    assert "more than 180 s" in doctor.look()["datasets"]["error"]


def test_the_probe_goes_on_after_a_package_that_does_not_import() -> None:
    code = (
        "from refbench.doctor import probe as p\n"
        "p.MODULES = {'lost': 'no_such_module', 'torch-fidelity': 'json'}\n"
        "p.LOOKS = {}\n"
        "p.main()"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    lines = done.stdout.splitlines()
    assert len(lines) == 4
    assert "ModuleNotFoundError" in lines[1]
    assert lines[3] == '{"end": "torch-fidelity"}'


def test_packages_absent_old_and_broken() -> None:
    have = {"torch": "2.3.1", "lpips": "0.1.4", "pandas": "3.0"}
    wanted = {"torch": ">=2.4", "lpips": ">=0.1.4", "pandas": ">=2", "jinja2": ">=3"}
    found = {f.topic: f for f in checks.packages(have, wanted, {"lpips": {"error": "ImportError: no"}})}
    assert found["pandas"] == Finding("pandas", "ok", "3.0")
    assert (found["torch"].state, found["torch"].fix) == ("warning", "pip install 'torch>=2.4'")
    assert (found["jinja2"].state, found["jinja2"].fix) == ("missing", "pip install 'jinja2>=3'")
    assert "cannot be imported: ImportError: no" in found["lpips"].detail


def test_any_opencv_will_do() -> None:
    wanted = {"opencv-python-headless": ">=4"}
    found = list(checks.packages({"opencv-python": "5.0"}, wanted, {}))
    assert {finding.state for finding in found} == {"ok"}
    assert "missing" in {finding.state for finding in checks.packages({}, wanted, {})}


def test_the_agpl_twin_of_albumentations_is_told() -> None:
    found = {finding.topic: finding for finding in checks.packages({"albumentationsx": "2"}, {}, {})}
    assert "AGPL" in found["albumentationsx"].detail


@pytest.mark.parametrize(
    ("have", "seen", "state", "word"),
    [
        (
            {"opencv-python": "5.0", "opencv-python-headless": "5.0"},
            {"version": "5.0"},
            "ok",
            "all of them or none",
        ),
        (
            {"opencv-python": "4.9", "opencv-python-headless": "5.0"},
            {"version": "5.0"},
            "warning",
            "different versions",
        ),
        ({"opencv-python": "5.0"}, {"error": "ImportError: libGL.so.1: cannot open"}, "warning", "libGL"),
        ({"opencv-python-headless": "5.0"}, {"error": "No module named 'cv2'"}, "warning", "cv2"),
        ({"opencv-python-headless": "5.0"}, {"version": "5.0"}, "ok", "5.0"),
        ({}, {"version": "5.0"}, "ok", "cv2 5.0"),
    ],
)
def test_opencv_conflicts(have: dict[str, str], seen: dict[str, str], state: str, word: str) -> None:
    finding = only(checks.opencv(have, seen))
    assert finding.state == state
    assert word in finding.detail
    assert bool(finding.fix) == (state == "warning")
    assert ("apt-get" in finding.fix) == (word == "libGL")


def test_pkg_resources(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checks.importlib.util, "find_spec", lambda _: None)
    finding = only(checks.pkg_resources({"openai-clip": "1.0.1", "setuptools": "84.0"}))
    assert finding.fix == "pip install 'setuptools<82'"
    assert "setuptools 84.0" in finding.detail
    assert not list(checks.pkg_resources({"setuptools": "84.0"}))
    monkeypatch.setattr(checks.importlib.util, "find_spec", lambda _: object())
    assert not list(checks.pkg_resources({"openai-clip": "1.0.1"}))


def test_onnxruntime_that_is_silently_on_the_processor() -> None:
    have = {"onnxruntime": "1"}
    finding = only(checks.onnxruntime(have, {"torch": GPU, "onnxruntime": ORT}))
    assert finding.state == "warning"
    assert "it was built without CUDA" in finding.detail
    broken = {**ORT_GPU, "used": "CPUExecutionProvider"}
    finding = only(checks.onnxruntime(have, {"torch": GPU, "onnxruntime": broken}))
    assert "cannot be loaded" in finding.detail
    assert only(checks.onnxruntime(have, {"torch": GPU, "onnxruntime": ORT_GPU})).detail == "runs on CUDA"
    assert only(checks.onnxruntime(have, {"torch": CPU, "onnxruntime": ORT})).state == "ok"
    both = {"onnxruntime": "1", "onnxruntime-gpu": "1"}
    assert only(checks.onnxruntime(both, {"torch": GPU, "onnxruntime": ORT_GPU})).state == "warning"
    assert only(checks.onnxruntime(have, {})).state == "warning"
    assert not list(checks.onnxruntime({}, {}))


def test_extras_are_listed_with_the_command_that_brings_them() -> None:
    wanted = {"pyiqa": (">=0.1.16", "iqa"), "accelerate": (">=1", "train"), "datasets": (">=5", "hub")}
    probe = {"datasets": {"error": "ImportError: no"}}
    have = {"accelerate": "1.2", "datasets": "5.2"}
    found = {finding.topic: finding for finding in checks.extras(have, wanted, probe)}
    assert found["accelerate"] == Finding("accelerate", "ok", "1.2")
    assert found["pyiqa"].fix == "pip install 'refbench[iqa]'"
    assert "'iqa'" in found["pyiqa"].detail
    assert (found["datasets"].state, "cannot be imported" in found["datasets"].detail) == ("warning", True)


def test_every_optional_package_is_brought_by_its_extra() -> None:
    wanted = doctor.optional()
    assert {extra for _, extra in wanted.values()} == set(EXTRAS.values())
    assert wanted["pyiqa"][1] == "iqa"
    assert not set(wanted) & set(doctor.required())


def test_devices() -> None:
    assert "CPU: 2 threads" in only(checks.device(CPU, driver=False)).detail
    unused, processor = checks.device(CPU, driver=True)
    assert unused.state == "warning"
    assert "without CUDA" in unused.detail
    assert processor.state == "ok"
    card, _ = checks.device({**GPU, "amx_bf16": True}, driver=True)
    assert card.detail == "CUDA: A100, 40 GB, bfloat16"
    assert only(checks.device({"error": "x"}, driver=False)).state == "missing"
    assert "AMX" in list(checks.device({**CPU, "amx_bf16": True}, driver=False))[-1].detail


def test_weights_by_group(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("REFBENCH_WEIGHTS", str(tmp_path))
    table = {name: Weight(name, f"net {name}", name, 1, None, "", (Url("http://x"),)) for name in "ab"}
    monkeypatch.setattr(weight_files, "TABLE", table)
    monkeypatch.setattr(weight_files, "GROUPS", {"demo": ("a", "b")})
    monkeypatch.setenv("PATH", "")
    first, npm = checks.weight_groups()
    assert (first.state, first.fix) == ("missing", "refbench weights fetch demo")
    assert npm.topic == "npm"
    (tmp_path / "a").touch()
    second, _ = checks.weight_groups()
    assert (second.detail, second.fix) == ("1 of 2 present; absent: net b", "refbench weights fetch b")
    (tmp_path / "b").touch()
    assert only(checks.weight_groups()).state == "ok"
    monkeypatch.setattr(
        weight_files, "TABLE", {"c": Weight("c", "net c", "c", 1, None, "", (Url("http://x"),))}
    )
    monkeypatch.setattr(weight_files, "GROUPS", {"paper": ("c",)})
    assert only(checks.weight_groups()).state == "warning"
    monkeypatch.setattr(weight_files, "GROUPS", {"samples": ("c",)})
    assert only(checks.weight_groups()) == Finding("weights samples", "ok", "0 of 1 present, not needed")


def test_the_weights_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert only(checks.weights_folder(tmp_path / "a" / "b")).state == "ok"
    monkeypatch.setattr(checks, "LITTLE_SPACE", 1 << 60)
    assert "may be too little" in only(checks.weights_folder(tmp_path)).detail
    monkeypatch.setattr(checks.os, "access", lambda *_: False)
    assert "cannot be written" in only(checks.weights_folder(tmp_path)).detail
    (tmp_path / "file").touch()
    assert "cannot be written" in only(checks.weights_folder(tmp_path / "file" / "below")).detail
