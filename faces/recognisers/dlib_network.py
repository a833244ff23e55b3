"""dlib's face recognition network (ResNet with 29 convolutions, 128-dimensional embeddings) in torch.

The weights are those of face-api, in which most tensors are quantised to uint8 with a scale and a minimum.
Sources: He et al., "Deep Residual Learning for Image Recognition", 2016; King, "Dlib-ml", 2009.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ...errors import RefbenchError

STAGES = {
    "conv32": ("1", "2", "3"),
    "conv64": ("down", "1", "2", "3"),
    "conv128": ("down", "1", "2"),
    "conv256": ("down", "1", "2", "down_out"),
}


class ScaledConv(nn.Module):
    """A convolution followed by a scale and a shift per channel, folded into one convolution."""

    def __init__(
        self, in_channels: int, out_channels: int, kernel: int, *, stride: int, padding: int
    ) -> None:
        super().__init__()
        self.conv = nn.Conv2d(in_channels, out_channels, kernel, stride, padding)

    def forward(self, x: Tensor) -> Tensor:
        """(B, in_channels, H, W) → (B, out_channels, h, w)."""
        return self.conv(x)  # type: ignore[no-any-return]


class Block(nn.Module):
    """Residual block of two convolutions; ``down`` halves the size and zero-pads added channels."""

    def __init__(self, in_channels: int, out_channels: int, down: bool) -> None:
        super().__init__()
        self.down = down
        self.conv1 = ScaledConv(
            in_channels, out_channels, 3, stride=2 if down else 1, padding=0 if down else 1
        )
        self.conv2 = ScaledConv(out_channels, out_channels, 3, stride=1, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        """(B, in_channels, H, W) → (B, out_channels, h, w); the smaller of both paths is zero-padded."""
        out = self.conv2(F.relu(self.conv1(x)))
        shortcut = F.avg_pool2d(x, 2, 2) if self.down else x
        channels, height, width = (max(out.shape[i], shortcut.shape[i]) for i in (1, 2, 3))
        return F.relu(
            _zero_padded(out, channels=channels, height=height, width=width)
            + _zero_padded(shortcut, channels=channels, height=height, width=width)
        )


def _zero_padded(x: Tensor, *, channels: int, height: int, width: int) -> Tensor:
    return F.pad(x, [0, width - x.shape[3], 0, height - x.shape[2], 0, channels - x.shape[1]])


class DlibNetwork(nn.Module):
    """(B, 3, 150, 150), normalised RGB → (B, 128), not of unit length."""

    def __init__(self) -> None:
        super().__init__()
        self.start = ScaledConv(3, 32, 7, stride=2, padding=0)
        blocks, in_channels = {}, 32
        for stage, names in STAGES.items():
            for name in names:
                out_channels = int(stage.removeprefix("conv"))
                blocks[f"{stage}_{name}"] = Block(in_channels, out_channels, "down" in name)
                in_channels = out_channels
        self.blocks = nn.ModuleDict(blocks)
        self.end = nn.Linear(256, 128, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """One embedding per face."""
        x = F.max_pool2d(F.relu(self.start(x)), 3, 2)
        for block in self.blocks.values():
            x = block(x)
        return self.end(x.mean((2, 3)))  # type: ignore[no-any-return]


def load_dlib_network(weights: Path, manifest: Path) -> DlibNetwork:
    """Load face-api's quantised weights strictly: every tensor is used, none is missing.

    Raises:
        RefbenchError: the two files do not match, or are damaged.
    """
    tensors = read_quantised(weights, manifest)
    network = DlibNetwork()
    names = {"conv32_down": network.start}
    for name, block in network.blocks.items():
        assert isinstance(block, Block)
        names |= {f"{name}/conv1": block.conv1, f"{name}/conv2": block.conv2}
    try:
        for name, part in names.items():
            scale, bias = tensors.pop(f"{name}/scale/weights"), tensors.pop(f"{name}/scale/biases")
            filters = tensors.pop(f"{name}/conv/filters").transpose(3, 2, 0, 1)
            shift = tensors.pop(f"{name}/conv/bias")
            _assign(part.conv.weight, filters * scale[:, None, None, None])
            assert part.conv.bias is not None
            _assign(part.conv.bias, shift * scale + bias)
        _assign(network.end.weight, tensors.pop("fc").T)
    except (KeyError, ValueError) as error:
        raise RefbenchError(f"{manifest} does not describe dlib's network: {error}") from None
    if tensors:
        raise RefbenchError(
            f"{manifest} names tensors that dlib's network does not have: {', '.join(tensors)}"
        )
    return network.eval().requires_grad_(False)


def _assign(parameter: Tensor, values: npt.NDArray[np.float64]) -> None:
    if tuple(parameter.shape) != values.shape:
        raise ValueError(f"a tensor has the shape {values.shape}; wanted {tuple(parameter.shape)}")
    with torch.no_grad():
        parameter.copy_(torch.from_numpy(np.ascontiguousarray(values)))


def read_quantised(weights: Path, manifest: Path) -> dict[str, npt.NDArray[np.float64]]:
    """Tensors of a TensorFlow.js weights file by name, as float64.

    Raises:
        RefbenchError: the two files do not match, or are damaged.
    """
    try:
        entries = json.loads(manifest.read_text("utf-8"))[0]["weights"]
        data, place, tensors = weights.read_bytes(), 0, {}
        for entry in entries:
            packing = entry.get("quantization")
            kind = np.dtype(np.uint8 if packing else np.float32)
            count = int(np.prod(entry["shape"]))
            flat = np.frombuffer(data, kind, count, place).astype(np.float64)
            place += count * kind.itemsize
            if packing:
                flat = flat * packing["scale"] + packing["min"]
            tensors[entry["name"]] = flat.reshape(entry["shape"])
    except (OSError, ValueError, KeyError, IndexError, TypeError) as error:
        raise RefbenchError(f"{weights} cannot be read by {manifest.name}: {error}") from None
    if place != len(data):
        raise RefbenchError(f"{weights} has {len(data)} bytes; {manifest.name} describes {place}")
    return tensors
