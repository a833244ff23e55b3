"""Checkpoints in the forms of published trainings, and ONNX files of other precisions."""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from refbench.errors import RefbenchError
from refbench.models.checkpoints.checkpoints import UnusableWeightsError, read_tensors
from refbench.models.restorers.user_restorers import OnnxRestorer
from torch import Tensor

WEIGHTS = {"conv.weight": torch.arange(12.0).reshape(4, 3), "conv.bias": torch.ones(4)}
OTHER = {name: value + 1 for name, value in WEIGHTS.items()}
OLD = {"_use_new_zipfile_serialization": False}


class Runs:
    """Code that would leave a file if it ran."""

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, ("was-run",)


def assert_equal(found: dict[str, Tensor], wanted: dict[str, Tensor]) -> None:
    assert found.keys() == wanted.keys()
    assert all(torch.equal(found[name], wanted[name]) for name in wanted)


@pytest.mark.parametrize("how", [{}, OLD], ids=["zip", "old format"])
@pytest.mark.parametrize(
    ("content", "said"),
    [
        (WEIGHTS, ""),
        ({"params_ema": WEIGHTS, "params": OTHER}, "'params_ema'; there are also params"),
        ({"params": WEIGHTS}, ""),
        ({"model": {"ema": WEIGHTS}, "optimizer": {"state": {0: {"step": torch.ones(1)}}}}, ""),
        ({"generator": WEIGHTS, "epoch": 3}, ""),
        ({"state_dict": WEIGHTS, "best": np.float64(31.2), "iter": np.int64(7), "a": np.zeros(2)}, ""),
        ({"state_dict": WEIGHTS, "args": argparse.Namespace(rate=0.1), "where": Path("runs")}, ""),
        ({f"module.{name}": value for name, value in WEIGHTS.items()}, "prefix 'module.'"),
        ({f"_orig_mod.module.{n}": v for n, v in WEIGHTS.items()}, "prefix '_orig_mod.module.'"),
        ({f"module.{n}": v for n, v in WEIGHTS.items()} | {"n_averaged": torch.ones(())}, "prefix 'module.'"),
    ],
    ids=lambda value: "" if isinstance(value, str) else next(iter(value)),
)
def test_known_forms_are_read_and_a_choice_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], how: dict[str, Any], content: Any, said: str
) -> None:
    torch.save(content, tmp_path / "a.pth", **how)
    assert_equal(read_tensors(tmp_path / "a.pth")[0], WEIGHTS)
    told = capsys.readouterr().err
    assert said in told
    assert bool(told) == bool(said)


def test_a_prefix_that_not_all_names_share_stays(tmp_path: Path) -> None:
    mixed = {"module.a": torch.ones(1), "b": torch.ones(1)}
    torch.save(mixed, tmp_path / "a.pth")
    assert_equal(read_tensors(tmp_path / "a.pth")[0], mixed)


@pytest.mark.parametrize("how", [{}, OLD], ids=["zip", "old format"])
def test_code_is_refused_and_never_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, how: dict[str, Any]
) -> None:
    monkeypatch.chdir(tmp_path)
    torch.save({"state_dict": WEIGHTS, "n": np.float64(1), "hook": Runs()}, tmp_path / "a.pth", **how)
    with pytest.raises(UnusableWeightsError, match=r"refers to code .*mkdir"):
        read_tensors(tmp_path / "a.pth")
    assert not (tmp_path / "was-run").exists()


def identity_onnx(path: Path, kind: int) -> Path:
    import onnx
    from onnx import helper

    shape = ["b", 3, "h", "w"]
    ends = [helper.make_tensor_value_info(name, kind, shape) for name in ("lq", "restored")]
    graph = helper.make_graph([helper.make_node("Identity", ["lq"], ["restored"])], "g", ends[:1], ends[1:])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
    model.ir_version = 8
    onnx.save(model, path)
    return path


@pytest.mark.parametrize(("kind", "bound"), [("FLOAT16", 5e-4), ("FLOAT", 0), ("DOUBLE", 0)])
@pytest.mark.parametrize("preset", ["unit", "symmetric"])
def test_an_onnx_file_is_fed_in_the_type_that_it_declares(
    tmp_path: Path, kind: str, bound: float, preset: str
) -> None:
    pytest.importorskip("onnxruntime")
    from onnx import TensorProto

    restorer = OnnxRestorer(identity_onnx(tmp_path / "a.onnx", getattr(TensorProto, kind)), preset)
    lq = torch.linspace(0, 1, 2 * 3 * 8 * 8).reshape(2, 3, 8, 8)
    restored = restorer.restore(lq, [torch.empty(0, 3, 8, 8)] * 2, [torch.Generator()] * 2)
    assert restored.dtype == torch.float32
    assert float((restored - lq).abs().max()) <= max(bound, 1e-6 if preset == "symmetric" else 0)


def test_an_onnx_file_of_integers_is_refused_before_the_first_image(tmp_path: Path) -> None:
    pytest.importorskip("onnxruntime")
    from onnx import TensorProto

    path = identity_onnx(tmp_path / "a.onnx", TensorProto.UINT8)
    with pytest.raises(RefbenchError, match=r"lq tensor\(uint8\); wanted: float16, float32 or float64"):
        OnnxRestorer(path)
