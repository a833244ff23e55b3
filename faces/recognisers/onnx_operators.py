"""ONNX operators of face recognition networks in torch, as the ONNX operator reference defines them.

Every operation takes the node's attributes and then its inputs in order; an absent optional input is None.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from ...errors import RefbenchError

Attributes = dict[str, Any]
Operation = Callable[..., Tensor]


def _text(attributes: Attributes, name: str, default: str) -> str:
    value = attributes.get(name, default)
    return value.decode() if isinstance(value, bytes) else str(value)


def _padding(
    attributes: Attributes,
    x: Tensor,
    kernel: Sequence[int],
    *,
    strides: Sequence[int],
    dilations: Sequence[int],
) -> list[int]:
    """Padding left, right, top and bottom in pixels, in the order of ``F.pad``."""
    mode = _text(attributes, "auto_pad", "NOTSET")
    if mode == "NOTSET":
        top, left, bottom, right = attributes.get("pads", [0, 0, 0, 0])
        return [left, right, top, bottom]
    if mode == "VALID":
        return [0, 0, 0, 0]
    added = []
    for axis in (1, 0):
        length, step = x.shape[2 + axis], strides[axis]
        reach = (kernel[axis] - 1) * dilations[axis] + 1
        total = max(0, (-(-length // step) - 1) * step + reach - length)
        before = total // 2 if mode == "SAME_UPPER" else total - total // 2
        added += [before, total - before]
    return added


def _filled(given: Sequence[Tensor | None], count: int) -> list[Any]:
    """``count`` inputs, None in place of those at the end that a node leaves out."""
    return [*given, *[None] * (count - len(given))]


def _conv(attributes: Attributes, x: Tensor, *parameters: Tensor | None) -> Tensor:
    weight, bias = _filled(parameters, 2)
    strides = attributes.get("strides", [1, 1])
    dilations = attributes.get("dilations", [1, 1])
    left, right, top, bottom = _padding(attributes, x, weight.shape[2:], strides=strides, dilations=dilations)
    if left != right or top != bottom:
        x, left, top = F.pad(x, [left, right, top, bottom]), 0, 0
    return F.conv2d(x, weight, bias, strides, (top, left), dilations, attributes.get("group", 1))


def _max_pool(attributes: Attributes, x: Tensor) -> Tensor:
    kernel = attributes["kernel_shape"]
    strides = attributes.get("strides", [1, 1])
    dilations = attributes.get("dilations", [1, 1])
    padding = _padding(attributes, x, kernel, strides=strides, dilations=dilations)
    if any(padding):
        x = F.pad(x, padding, value=-torch.inf)
    return F.max_pool2d(x, kernel, strides, 0, dilations, ceil_mode=bool(attributes.get("ceil_mode", 0)))


def _average_pool(attributes: Attributes, x: Tensor) -> Tensor:
    kernel, strides = attributes["kernel_shape"], attributes.get("strides", [1, 1])
    left, right, top, bottom = _padding(attributes, x, kernel, strides=strides, dilations=[1, 1])
    counted = bool(attributes.get("count_include_pad", 0))
    ceil = bool(attributes.get("ceil_mode", 0))
    if left == right and top == bottom:
        return F.avg_pool2d(x, kernel, strides, (top, left), ceil, counted)
    if counted or ceil:
        raise RefbenchError("AveragePool with uneven padding and ceil_mode or count_include_pad is not known")
    edges = [left, right, top, bottom]
    sums = F.avg_pool2d(F.pad(x, edges), kernel, strides)
    shares = F.avg_pool2d(F.pad(torch.ones_like(x[:1, :1]), edges), kernel, strides)
    return sums / shares


def _prelu(attributes: Attributes, x: Tensor, slope: Tensor) -> Tensor:
    if slope.numel() == x.shape[1] and slope.numel() == slope.shape[0 if x.ndim == 2 else -x.ndim + 1]:
        return F.prelu(x, slope.reshape(-1))
    return torch.where(x >= 0, x, x * slope)


def _batch_norm(attributes: Attributes, x: Tensor, *parameters: Tensor) -> Tensor:
    scale, bias, mean, variance = parameters
    if attributes.get("training_mode", 0):
        raise RefbenchError("BatchNormalization in training mode; export the network in evaluation mode")
    return F.batch_norm(x, mean, variance, scale, bias, False, 0.0, attributes.get("epsilon", 1e-5))


def _gemm(attributes: Attributes, *inputs: Tensor | None) -> Tensor:
    a, b, c = _filled(inputs, 3)
    a = a.t() if attributes.get("transA", 0) else a
    b = b.t() if attributes.get("transB", 0) else b
    product: Tensor = attributes.get("alpha", 1.0) * (a @ b)
    return product if c is None else product + attributes.get("beta", 1.0) * c


def _reshape(attributes: Attributes, x: Tensor, shape: Tensor) -> Tensor:
    """Reshape; a shape that is constant in the file keeps the batch dimension of the input."""
    if "fixed" not in attributes:
        sizes = [int(n) for n in shape.tolist()]
        return x.reshape([x.shape[i] if n == 0 else n for i, n in enumerate(sizes)])
    first, *rest = attributes["fixed"]
    sizes = [x.shape[i + 1] if n == 0 else n for i, n in enumerate(rest)]
    if first not in (-1, 0, 1):
        raise RefbenchError(f"Reshape to {attributes['fixed']} mixes the images of a batch; it is not known")
    return x.reshape([x.shape[0], *sizes])


def _flatten(attributes: Attributes, x: Tensor) -> Tensor:
    axis = attributes.get("axis", 1)
    if axis % x.ndim != 1:
        raise RefbenchError(f"Flatten along axis {axis} mixes the images of a batch; it is not known")
    return x.flatten(1)


def _axes(attributes: Attributes, given: Tensor | None) -> list[int] | None:
    return [int(n) for n in given.tolist()] if given is not None else attributes.get("axes")


def _squeeze(attributes: Attributes, x: Tensor, axes: Tensor | None = None) -> Tensor:
    places = _axes(attributes, axes)
    if places is None:
        places = [i for i in range(1, x.ndim) if x.shape[i] == 1]
    return x.squeeze(tuple(places))


def _unsqueeze(attributes: Attributes, x: Tensor, axes: Tensor | None = None) -> Tensor:
    places = _axes(attributes, axes) or []
    rank = x.ndim + len(places)
    for place in sorted(place % rank for place in places):
        x = x.unsqueeze(place)
    return x


def _reduce_mean(attributes: Attributes, x: Tensor, axes: Tensor | None = None) -> Tensor:
    places = _axes(attributes, axes)
    if places is None or 0 in [place % x.ndim for place in places]:
        raise RefbenchError("ReduceMean over the images of a batch is not known")
    mean: Tensor = x.mean(places, keepdim=bool(attributes.get("keepdims", 1)))
    return mean


def _reduce_l2(attributes: Attributes, x: Tensor, axes: Tensor | None = None) -> Tensor:
    places = _axes(attributes, axes)
    if places is None or 0 in [place % x.ndim for place in places]:
        raise RefbenchError("ReduceL2 over the images of a batch is not known")
    norm: Tensor = x.square().sum(places, keepdim=bool(attributes.get("keepdims", 1))).sqrt()
    return norm


def _clip(attributes: Attributes, x: Tensor, *limits: Tensor | None) -> Tensor:
    low, high = _filled(limits, 2)
    least = attributes.get("min") if low is None else float(low)
    most = attributes.get("max") if high is None else float(high)
    return x.clamp(least, most)


def _cast(attributes: Attributes, x: Tensor) -> Tensor:
    kinds = {1: torch.float32, 6: torch.int32, 7: torch.int64, 10: torch.float16, 11: torch.float64}
    if attributes["to"] not in kinds:
        raise RefbenchError(f"Cast to the ONNX type {attributes['to']} is not known")
    return x.to(kinds[attributes["to"]])


def _gather(attributes: Attributes, x: Tensor, index: Tensor) -> Tensor:
    axis = attributes.get("axis", 0)
    flat = x.index_select(axis, index.reshape(-1).to(x.device) % x.shape[axis])
    return flat.reshape([*x.shape[:axis], *index.shape, *x.shape[axis + 1 :]])


def _divide(attributes: Attributes, a: Tensor, b: Tensor) -> Tensor:
    if a.is_floating_point():
        return a / b
    return torch.div(a, b, rounding_mode="trunc")


OPERATIONS: dict[str, Operation] = {
    "Add": lambda _, a, b: a + b,
    "AveragePool": _average_pool,
    "BatchNormalization": _batch_norm,
    "Cast": _cast,
    "Clip": _clip,
    "Concat": lambda attributes, *parts: torch.cat(parts, attributes["axis"]),
    "Conv": _conv,
    "Div": _divide,
    "Dropout": lambda _, x, *rest: x,
    "Elu": lambda attributes, x: F.elu(x, attributes.get("alpha", 1.0)),
    "Flatten": _flatten,
    "Gather": _gather,
    "Gemm": _gemm,
    "GlobalAveragePool": lambda _, x: x.mean((2, 3), keepdim=True),
    "HardSigmoid": lambda a, x: (x * a.get("alpha", 0.2) + a.get("beta", 0.5)).clamp(0, 1),
    "HardSwish": lambda _, x: F.hardswish(x),
    "Identity": lambda _, x: x,
    "LeakyRelu": lambda attributes, x: F.leaky_relu(x, attributes.get("alpha", 0.01)),
    "MatMul": lambda _, a, b: a @ b,
    "MaxPool": _max_pool,
    "Mul": lambda _, a, b: a * b,
    "PRelu": _prelu,
    "Pow": lambda _, a, b: a**b,
    "ReduceL2": _reduce_l2,
    "ReduceMean": _reduce_mean,
    "Relu": lambda _, x: F.relu(x),
    "Reshape": _reshape,
    "Shape": lambda _, x: torch.tensor(x.shape, dtype=torch.int64, device=x.device),
    "Sigmoid": lambda _, x: torch.sigmoid(x),
    "Sqrt": lambda _, x: x.sqrt(),
    "Squeeze": _squeeze,
    "Sub": lambda _, a, b: a - b,
    "Tanh": lambda _, x: torch.tanh(x),
    "Transpose": lambda attributes, x: x.permute(attributes.get("perm", list(range(x.ndim))[::-1])),
    "Unsqueeze": _unsqueeze,
}
