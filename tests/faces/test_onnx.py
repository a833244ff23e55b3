"""The ONNX importer against ONNX Runtime and torch, operator by operator."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
import onnxruntime
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper
from refbench.errors import RefbenchError
from refbench.faces.recognisers.onnx_network import OnnxNetwork
from torch import nn

Array = npt.NDArray[Any]
RNG = np.random.default_rng(7)


def numbers(*shape: int, least: float = -1.0, most: float = 1.0) -> Array:
    return RNG.uniform(least, most, shape).astype(np.float32)


def write(
    path: Path,
    nodes: Sequence[onnx.NodeProto],
    constants: dict[str, Array],
    shape: Sequence[int | str] = (1, 4, 9, 10),
    opset: int = 13,
) -> Path:
    graph = helper.make_graph(
        list(nodes),
        "graph",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, list(shape))],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)
    onnx.save(model, str(path))
    return path


def peer(path: Path, x: Array) -> Array:
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    return np.asarray(session.run(None, {"x": x})[0])


def node(kind: str, *inputs: str, out: str = "y", **attributes: Any) -> onnx.NodeProto:
    return helper.make_node(kind, list(inputs), [out], **attributes)


Case = tuple[list[onnx.NodeProto], dict[str, Array]]
CASES: dict[str, Case] = {
    "conv": ([node("Conv", "x", "w", "b", pads=[1, 1, 1, 1])], {"w": numbers(6, 4, 3, 3), "b": numbers(6)}),
    "conv strided, grouped, dilated": (
        [node("Conv", "x", "w", strides=[2, 1], group=2, dilations=[1, 2])],
        {"w": numbers(6, 2, 3, 3)},
    ),
    "conv with uneven padding": ([node("Conv", "x", "w", pads=[0, 1, 2, 3])], {"w": numbers(5, 4, 3, 2)}),
    "conv same upper": (
        [node("Conv", "x", "w", auto_pad="SAME_UPPER", strides=[2, 2])],
        {"w": numbers(5, 4, 3, 3)},
    ),
    "conv same lower": (
        [node("Conv", "x", "w", auto_pad="SAME_LOWER", strides=[2, 2])],
        {"w": numbers(5, 4, 2, 4)},
    ),
    "conv valid": ([node("Conv", "x", "w", auto_pad="VALID")], {"w": numbers(5, 4, 3, 3)}),
    "depthwise": ([node("Conv", "x", "w", group=4)], {"w": numbers(4, 1, 9, 10)}),
    "max pool": ([node("MaxPool", "x", kernel_shape=[3, 3], strides=[2, 2], pads=[1, 1, 1, 1])], {}),
    "max pool ceil": ([node("MaxPool", "x", kernel_shape=[2, 2], strides=[2, 2], ceil_mode=1)], {}),
    "average pool": ([node("AveragePool", "x", kernel_shape=[3, 2], strides=[2, 2], pads=[1, 0, 1, 0])], {}),
    "average pool uneven": ([node("AveragePool", "x", kernel_shape=[3, 3], pads=[0, 0, 1, 2])], {}),
    "average pool counted": (
        [node("AveragePool", "x", kernel_shape=[3, 3], pads=[1, 1, 1, 1], count_include_pad=1)],
        {},
    ),
    "global average pool": ([node("GlobalAveragePool", "x")], {}),
    "batch norm": (
        [node("BatchNormalization", "x", "s", "b", "m", "v", epsilon=2e-5)],
        {"s": numbers(4), "b": numbers(4), "m": numbers(4), "v": numbers(4, least=0.5, most=2.0)},
    ),
    "prelu per channel": ([node("PRelu", "x", "a")], {"a": numbers(4, 1, 1)}),
    "prelu shared": ([node("PRelu", "x", "a")], {"a": numbers(1)}),
    "prelu per place": ([node("PRelu", "x", "a")], {"a": numbers(4, 9, 10)}),
    "prelu along the last axis": ([node("PRelu", "x", "a")], {"a": numbers(10)}),
    "sub and mul": (
        [node("Sub", "x", "m", out="c"), node("Mul", "c", "s")],
        {"m": np.float32(0.3).reshape(()), "s": numbers(1, 4, 1, 1)},
    ),
    "add and div": (
        [node("Add", "x", "x", out="c"), node("Div", "c", "s")],
        {"s": numbers(1, least=1, most=2)},
    ),
    "relu, sigmoid, tanh": (
        [node("Relu", "x", out="a"), node("Sigmoid", "a", out="b"), node("Tanh", "b")],
        {},
    ),
    "leaky relu and elu": ([node("LeakyRelu", "x", alpha=0.2, out="a"), node("Elu", "a", alpha=0.7)], {}),
    "hard sigmoid": ([node("HardSigmoid", "x", alpha=0.3, beta=0.4)], {}),
    "clip": ([node("Clip", "x", "low", "high")], {"low": np.float32(-0.2), "high": np.float32(0.4)}),
    "clip one side": ([node("Clip", "x", "", "high")], {"high": np.float32(0.4)}),
    "flatten and gemm": (
        [node("Flatten", "x", out="f"), node("Gemm", "f", "w", "b", transB=1, alpha=0.5, beta=2.0)],
        {"w": numbers(7, 360), "b": numbers(7)},
    ),
    "reshape with the batch fixed": (
        [node("Reshape", "x", "shape", out="f"), node("MatMul", "f", "w")],
        {"shape": np.array([1, 360]), "w": numbers(360, 3)},
    ),
    "reshape with the rest open": ([node("Reshape", "x", "shape")], {"shape": np.array([1, -1])}),
    "reshape that copies sizes": ([node("Reshape", "x", "shape")], {"shape": np.array([0, 0, 90])}),
    "reshape with the batch open": ([node("Reshape", "x", "shape")], {"shape": np.array([-1, 36, 10])}),
    "reshape by a computed shape": (
        [
            node("Shape", "x", out="s"),
            node("Gather", "s", "zero", out="n", axis=0),
            node("Unsqueeze", "n", "axes", out="n1"),
            node("Concat", "n1", "rest", out="to", axis=0),
            node("Reshape", "x", "to"),
        ],
        {"zero": np.array(0), "axes": np.array([0]), "rest": np.array([-1])},
    ),
    "transpose": ([node("Transpose", "x", perm=[0, 2, 3, 1])], {}),
    "concat": ([node("Concat", "x", "x", axis=1)], {}),
    "squeeze": (
        [node("GlobalAveragePool", "x", out="p"), node("Squeeze", "p", "axes")],
        {"axes": np.array([2, 3])},
    ),
    "mean and length": (
        [
            node("ReduceMean", "x", axes=[2, 3], keepdims=0, out="m"),
            node("ReduceL2", "m", axes=[1], keepdims=1, out="n"),
            node("Div", "m", "n"),
        ],
        {},
    ),
    "identity, dropout, power, root": (
        [
            node("Identity", "x", out="i"),
            node("Dropout", "i", out="d"),
            node("Pow", "d", "two", out="p"),
            node("Sqrt", "p"),
        ],
        {"two": np.float32(2)},
    ),
    "constant node": (
        [
            helper.make_node("Constant", [], ["c"], value=numpy_helper.from_array(numbers(4, 1, 1))),
            node("Mul", "x", "c"),
        ],
        {},
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_every_operator_agrees_with_onnxruntime(name: str, tmp_path: Path) -> None:
    nodes, constants = CASES[name]
    path = write(tmp_path / "net.onnx", nodes, constants)
    x = numbers(3, 4, 9, 10, least=-2.0, most=2.0)
    network = OnnxNetwork(path)
    wanted = np.concatenate([peer(path, one[None]) for one in x])
    with torch.no_grad():
        got = network(torch.from_numpy(x)).numpy()
        flipped = network(torch.from_numpy(x).to(memory_format=torch.channels_last)).numpy()
    assert got.shape == wanted.shape
    assert np.abs(got - wanted).max() < 1e-5
    assert np.abs(flipped - wanted).max() < 1e-5


class Small(nn.Module):
    """A recogniser in little, with the parts that real ones have."""

    def __init__(self) -> None:
        super().__init__()
        self.start = nn.Sequential(nn.Conv2d(3, 8, 3, 2, 1, bias=False), nn.BatchNorm2d(8), nn.PReLU(8))
        self.deep = nn.Sequential(nn.Conv2d(8, 8, 3, padding=1, groups=8), nn.BatchNorm2d(8), nn.PReLU(8))
        self.end = nn.Sequential(
            nn.Dropout(0.4), nn.Flatten(), nn.Linear(8 * 28 * 28, 16), nn.BatchNorm1d(16)
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.start(x)
        x = nn.functional.max_pool2d(x + self.deep(x), 2)
        return self.end(x)  # type: ignore[no-any-return]


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> tuple[Small, Path]:
    torch.manual_seed(3)
    model = Small()
    model(torch.randn(16, 3, 112, 112))
    model.eval()
    path = tmp_path_factory.mktemp("onnx") / "small.onnx"
    torch.onnx.export(model, (torch.randn(1, 3, 112, 112),), str(path), input_names=["x"], dynamo=False)
    return model, path


def test_an_exported_network_agrees_for_any_batch_and_has_the_same_gradients(
    exported: tuple[Small, Path],
) -> None:
    model, path = exported
    network = OnnxNetwork(path)
    x = torch.randn(5, 3, 112, 112, requires_grad=True)
    y = network(x)
    assert torch.allclose(y, model(x), atol=1e-5)
    assert np.abs(y.detach()[:1].numpy() - peer(path, x.detach()[:1].numpy())).max() < 1e-5
    (mine,) = torch.autograd.grad(y.square().sum(), x)
    (wanted,) = torch.autograd.grad(model(x).square().sum(), x)
    assert torch.allclose(mine, wanted, atol=1e-4)
    assert float(mine.abs().max()) > 0
    assert not any(parameter.requires_grad for parameter in network.parameters())


def test_it_casts_and_copies_like_any_module(exported: tuple[Small, Path]) -> None:
    _, path = exported
    x = torch.randn(2, 3, 112, 112)
    network = OnnxNetwork(path)
    wanted = network(x)
    again = OnnxNetwork(path)
    for buffer in again.buffers():
        if buffer.is_floating_point():
            buffer.zero_()
    again.load_state_dict(network.state_dict())
    assert torch.equal(again(x), wanted)
    assert torch.allclose(network.double()(x.double()).float(), wanted, atol=1e-4)


def test_unknown_operators_are_named(tmp_path: Path) -> None:
    path = write(tmp_path / "odd.onnx", [node("Erf", "x", out="e"), node("Mish", "e")], {}, opset=18)
    with pytest.raises(RefbenchError, match="Erf, Mish"):
        OnnxNetwork(path)


def test_other_faults_are_reported(tmp_path: Path) -> None:
    broken = tmp_path / "broken.onnx"
    broken.write_bytes(b"not a network")
    with pytest.raises(RefbenchError, match="not a readable ONNX file"):
        OnnxNetwork(broken)
    with pytest.raises(RefbenchError, match="not a readable ONNX file"):
        OnnxNetwork(tmp_path / "absent.onnx")
    old = write(tmp_path / "old.onnx", [node("Relu", "x")], {}, opset=6)
    with pytest.raises(RefbenchError, match="opset 6"):
        OnnxNetwork(old)
    mixing = write(tmp_path / "mix.onnx", [node("Reshape", "x", "s")], {"s": np.array([4, 90])})
    with pytest.raises(RefbenchError, match="mixes the images"):
        OnnxNetwork(mixing)(torch.zeros(1, 4, 9, 10))
    network = OnnxNetwork(write(tmp_path / "relu.onnx", [node("Relu", "x")], {}))
    with pytest.raises(RefbenchError, match="batches of"):
        network(torch.zeros(1, 3, 9, 10))


@pytest.mark.parametrize("shape", [(1, 512), (-1, 512)])
def test_images_of_a_batch_stay_separate(shape: tuple[int, int], tmp_path: Path) -> None:
    path = write(tmp_path / "net.onnx", [node("Reshape", "x", "s")], {"s": np.array(shape)}, (1, 512, 1, 1))
    assert OnnxNetwork(path)(torch.zeros(6, 512, 1, 1)).shape == (6, 512)
    wrong = write(
        tmp_path / "wrong.onnx", [node("Reshape", "x", "s")], {"s": np.array([-1, 1024])}, ("n", 512, 1, 1)
    )
    with pytest.raises(RuntimeError):
        OnnxNetwork(wrong)(torch.zeros(6, 512, 1, 1))


def test_the_embedded_recogniser_agrees_with_onnxruntime(need_weights: Any) -> None:
    need_weights("mobilefacenet")
    from refbench.weights import weight_files

    path = weight_files.path("mobilefacenet")
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    x = RNG.uniform(-1, 1, (3, 3, 112, 112)).astype(np.float32)
    wanted = np.concatenate([session.run(None, {"input": one[None]})[0] for one in x])
    with torch.no_grad():
        got = OnnxNetwork(path)(torch.from_numpy(x)).numpy()
    assert np.abs(got - wanted).max() < 1e-5
