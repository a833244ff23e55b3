"""ONNX import: an ONNX graph as a torch module, differentiable, for any batch size and device.

The operators of `onnx_operators` are supported; any others are listed in one error.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from ...errors import RefbenchError
from .onnx_operators import OPERATIONS, Attributes, Operation

OLDEST_OPSET = 7


@dataclass(frozen=True, slots=True)
class Step:
    """One node of the graph: an operation on named values with one output."""

    name: str
    operation: Operation
    inputs: tuple[str, ...]
    output: str
    attributes: Attributes
    last_used: tuple[str, ...]


@contextmanager
def _deferred_interrupts() -> Iterator[None]:
    """Defer SIGINT while onnx loads its extension module, which would crash the interpreter."""
    former = signal.getsignal(signal.SIGINT)
    if former is None or threading.current_thread() is not threading.main_thread():
        yield
        return
    received: list[int] = []
    signal.signal(signal.SIGINT, lambda number, _: received.append(number))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, former)
    if received:
        signal.raise_signal(signal.SIGINT)


class OnnxNetwork(nn.Module):
    """A torch module of an ONNX graph with one input and one output, (B, C, H, W) → (B, ...).

    Its constants are buffers (``.to`` moves and casts them), without gradients; gradients reach the input. A
    batch size fixed in the graph is made variable.

    Raises:
        RefbenchError: not an ONNX file, more than one input or output, or unsupported operators.
    """

    def __init__(self, path: Path) -> None:
        super().__init__()
        with _deferred_interrupts():
            import onnx
            from onnx import numpy_helper

        try:
            model = onnx.load(str(path))
        except Exception as error:
            reason = str(error).strip().partition("\n")[0]
            raise RefbenchError(f"{path} is not a readable ONNX file: {reason}") from None
        graph = model.graph
        constants = {item.name: numpy_helper.to_array(item) for item in graph.initializer}
        inputs = [item for item in graph.input if item.name not in constants]
        if len(inputs) != 1 or len(graph.output) != 1:
            found = f"{len(inputs)} inputs and {len(graph.output)} outputs"
            raise RefbenchError(f"{path} has {found}; a recogniser has one of each")
        nodes = []
        for node in graph.node:
            attributes = {item.name: onnx.helper.get_attribute_value(item) for item in node.attribute}
            if node.op_type == "Constant":
                constants[node.output[0]] = _constant(path, attributes, numpy_helper)
            else:
                nodes.append((node, attributes))
        unknown = sorted({node.op_type for node, _ in nodes} - OPERATIONS.keys())
        if unknown:
            known = ", ".join(sorted(OPERATIONS))
            raise RefbenchError(
                f"{path} uses operators that are not known: {', '.join(unknown)}; known: {known}"
            )
        dimensions = inputs[0].type.tensor_type.shape.dim
        self.input_shape = tuple(item.dim_value or None for item in dimensions)
        opset = max(
            (item.version for item in model.opset_import if item.domain in ("", "ai.onnx")), default=0
        )
        if opset < OLDEST_OPSET:
            raise RefbenchError(
                f"{path} uses opset {opset}; {OLDEST_OPSET} or newer is wanted; export it again"
            )
        self._input, self._output = inputs[0].name, graph.output[0].name
        self._constants = {name: f"constant_{number}" for number, name in enumerate(constants)}
        for name, value in constants.items():
            self.register_buffer(self._constants[name], torch.from_numpy(np.array(value)))
        self._steps = _steps(path, nodes, self._output, constants=constants)

    def forward(self, x: Tensor) -> Tensor:
        """Run the graph on a batch."""
        if x.ndim != len(self.input_shape) or any(
            want is not None and want != got
            for want, got in zip(self.input_shape[1:], x.shape[1:], strict=True)
        ):
            wanted = ", ".join("any" if n is None else str(n) for n in self.input_shape[1:])
            raise RefbenchError(f"the network takes batches of ({wanted}); got {tuple(x.shape)}")
        values: dict[str, Tensor | None] = {
            name: getattr(self, held) for name, held in self._constants.items()
        }
        values[""] = None
        values[self._input] = x
        for step in self._steps:
            given = [values[name] for name in step.inputs]
            values[step.output] = step.operation(step.attributes, *given)
            for name in step.last_used:
                del values[name]
        result = values[self._output]
        assert result is not None
        return result


def _constant(path: Path, attributes: Attributes, numpy_helper: Any) -> Any:
    match attributes:
        case {"value": value}:
            return numpy_helper.to_array(value)
        case {"value_float": number}:
            return np.array(number, np.float32)
        case {"value_int": number}:
            return np.array(number, np.int64)
        case {"value_floats": numbers}:
            return np.array(numbers, np.float32)
        case {"value_ints": numbers}:
            return np.array(numbers, np.int64)
    raise RefbenchError(
        f"{path}: a constant is given as {', '.join(attributes) or 'nothing'}, which is not known"
    )


def _steps(
    path: Path, nodes: list[tuple[Any, Attributes]], output: str, *, constants: dict[str, Any]
) -> list[Step]:
    last_use = {name: number for number, (node, _) in enumerate(nodes) for name in node.input}
    steps = []
    for number, (node, attributes) in enumerate(nodes):
        wanted = [name for name in node.output if name]
        if len(wanted) > 1 and node.op_type != "Dropout":
            raise RefbenchError(
                f"{path}: {node.op_type} {node.name!r} has {len(wanted)} outputs; one is wanted"
            )
        if node.op_type == "Reshape" and node.input[1] in constants:
            attributes = attributes | {"fixed": [int(n) for n in constants[node.input[1]]]}
        last_used = {
            n for n in node.input if n and last_use[n] == number and n not in constants and n != output
        }
        steps.append(
            Step(
                name=node.name or f"{node.op_type}_{number}",
                operation=OPERATIONS[node.op_type],
                inputs=tuple(node.input),
                output=node.output[0],
                attributes=attributes,
                last_used=tuple(sorted(last_used)),
            )
        )
    return steps
