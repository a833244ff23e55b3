"""Safe loading of AlexNet, VGG16 and SqueezeNet weights for LPIPS: arrays and tensors only, no code."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from ...errors import RefbenchError

ALLOWED = {
    ("numpy.core.multiarray", "_reconstruct"): np._core.multiarray._reconstruct,  # type: ignore[attr-defined]
    ("numpy", "ndarray"): np.ndarray,
    ("numpy", "dtype"): np.dtype,
}
SCOPES = {"alex": "AlexNet_0", "vgg": "VGG16_0"}


class _ArraysOnly(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        try:
            return ALLOWED[module, name]
        except KeyError:
            raise RefbenchError(
                f"a weights file of arrays refers to {module}.{name}; it is refused"
            ) from None


def read_trunk(path: Path, net: str) -> list[Tensor]:
    """Kernel (O, I, H, W) and bias (O,), float32, of each of a trunk's convolutions in order.

    ``path`` is a pickle of nested dictionaries of numpy arrays with kernels (H, W, I, O); ``net`` is
    ``alex`` or ``vgg``. Only array constructors are allowed while it is read.

    Raises:
        RefbenchError: something other than arrays is in the file, or another network.
    """
    try:
        with path.open("rb") as stream:
            tree = _ArraysOnly(stream, encoding="latin1").load()
        layers = tree[SCOPES[net]]
        return [tensor for index in range(len(layers)) for tensor in _convolution(layers[f"Conv_{index}"])]
    except (pickle.UnpicklingError, EOFError, KeyError, TypeError, AttributeError) as error:
        raise RefbenchError(f"{path} does not hold the {net} trunk of LPIPS: {error}") from None


def read_torchvision(path: Path) -> list[Tensor]:
    """Weights and biases of the convolutions of a torchvision classifier (its ``features``), in order.

    Raises:
        RefbenchError: the file holds anything but tensors by name.
    """
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
        return [tensor for name, tensor in state.items() if name.startswith("features.")]
    except (pickle.UnpicklingError, RuntimeError, AttributeError, EOFError) as error:
        raise RefbenchError(f"{path} is not a file of tensors: {str(error).splitlines()[0]}") from None


def _convolution(layer: dict[str, npt.NDArray[np.float32]]) -> tuple[Tensor, Tensor]:
    kernel = np.ascontiguousarray(layer["kernel"].transpose(3, 2, 0, 1))
    return torch.from_numpy(kernel), torch.from_numpy(np.array(layer["bias"]))
