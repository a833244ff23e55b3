"""LPIPS: a distance between deep features, through the ``lpips`` package with hash-checked trunks.

Zhang et al., The Unreasonable Effectiveness of Deep Features as a Perceptual Metric, CVPR 2018, equation 1.
"""

from __future__ import annotations

import math
import warnings
from typing import Any

import torch
from torch import Tensor, nn

from .. import weights
from ..errors import RefbenchError
from .trunks import read_trunk

TRUNKS = {"alex": "lpips-alexnet", "vgg": "lpips-vgg16"}
SELF_TEST = {"alex": 0.713902, "vgg": 0.799946}
SELF_TEST_TOLERANCE = 1e-4
Layers = tuple[Tensor, ...]


class LpipsFeatures(nn.Module):
    """Layers of one image such that LPIPS is the mean squared distance of two images' layers.

    The features of each layer are scaled to unit length over channels and multiplied by the square roots
    of the learned weights; channels of weight zero are left out. So one image's layers serve every pair
    that it is in.
    """

    def __init__(self, net: Any) -> None:
        super().__init__()
        self.scaling = net.scaling_layer
        self.trunk = net.net
        self.scales = nn.ParameterList()
        self.kept: list[Tensor] = []
        for head in net.lins:
            learned = head.model[-1].weight.detach().flatten()
            if learned.min() < 0:
                raise RefbenchError("an LPIPS head holds negative weights; it is not one of version 0.1")
            kept = learned.nonzero().flatten()
            self.kept.append(kept)
            self.scales.append(nn.Parameter(learned[kept].sqrt().view(1, -1, 1, 1), requires_grad=False))

    def forward(self, images: Tensor) -> Layers:
        """The last layer's mean over pixels (N, C), then the layers, of (N, 3, H, W) RGB images in [0, 1]."""
        outputs = self.trunk(self.scaling(2.0 * images - 1.0))
        layers = (
            _unit(output)[:, kept.to(output.device)] * scale
            for output, kept, scale in zip(outputs, self.kept, self.scales, strict=True)
        )
        return (outputs[-1].mean(dim=(2, 3)), *layers)


def _unit(features: Tensor) -> Tensor:
    return features / (features.square().sum(dim=1, keepdim=True).sqrt() + 1e-10)


def lpips_distance(first: Layers, second: Layers) -> Tensor:
    """LPIPS, (N,) float64, from what `LpipsFeatures` gives for two batches."""
    return torch.stack(
        [
            (a - b).square().sum(dim=(1, 2, 3), dtype=torch.float64) / (a.shape[2] * a.shape[3])
            for a, b in zip(first[1:], second[1:], strict=True)
        ]
    ).sum(dim=0)


def load_lpips(net: str, device: torch.device) -> Any:
    """The ``lpips.LPIPS`` module of version 0.1 with trained trunk and heads, in evaluation mode.

    Raises:
        RefbenchError: the trunk is absent or does not give the known self-test value.
    """
    module = build_lpips(net)
    trunk = read_trunk(weights.path(TRUNKS[net]), net)
    flat = [tensor for pair in trunk for tensor in pair]
    state = module.net.state_dict()
    if len(flat) != len(state):
        raise RefbenchError(f"the {net} trunk has {len(flat)} tensors; LPIPS wants {len(state)}")
    module.net.load_state_dict(dict(zip(state, flat, strict=True)), strict=True)
    value = self_test(module)
    if not math.isclose(value, SELF_TEST[net], abs_tol=SELF_TEST_TOLERANCE):
        wanted = f"{SELF_TEST[net]:.6f}"
        raise RefbenchError(f"LPIPS ({net}) gives {value:.6f} on its self-test; wanted {wanted}")
    return module.to(device, memory_format=torch.channels_last)


def build_lpips(net: str) -> Any:
    """``lpips.LPIPS`` 0.1 with trained heads and an untrained trunk; prints and downloads nothing."""
    import lpips

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        module = lpips.LPIPS(net=net, version="0.1", pnet_rand=True, verbose=False)
    return module.eval().requires_grad_(False)


def self_test(module: Any) -> float:
    """LPIPS between two fixed 64x64 patterns, the value by which a loaded network is known."""
    steps = torch.linspace(0.0, 1.0, 64)
    rows, columns = torch.meshgrid(steps, steps, indexing="ij")
    smooth = torch.stack([rows, columns, (rows + columns) / 2])[None]
    waves = (0.5 + 0.5 * torch.sin(40.0 * smooth)).clamp(0.0, 1.0)
    with torch.inference_mode():
        return float(module(smooth, waves, normalize=True))
