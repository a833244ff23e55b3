"""LPIPS, a perceptual distance between deep features, through the ``lpips`` package and checked weights.

Zhang et al., The Unreasonable Effectiveness of Deep Features as a Perceptual Metric, CVPR 2018, equation 1.
"""

from __future__ import annotations

import math
import warnings
from typing import Any

import torch
from torch import Tensor, nn

from ...errors import RefbenchError
from ...records.protocol import Protocol
from ...weights import weight_files
from ..core.feature import Batch, Extractor, Feature, Tensors
from ..core.metric import ImageMetric
from ..distances.frechet import frechet_metric
from .backbones import read_torchvision, read_trunk

TRUNKS = {"alex": "lpips-alexnet", "vgg": "lpips-vgg16", "squeeze": "lpips-squeezenet"}
SELF_TEST = {"alex": 0.713902, "vgg": 0.799946}
SELF_TEST_TOLERANCE = 1e-4
MIN_SIDES = {"alex": 31, "vgg": 16, "squeeze": 17}
"""Sides in pixels below which a trunk's last layer is empty."""
BLOCK = 1 << 18


class LpipsFeatures(nn.Module):
    """The part of LPIPS that is computed per image: the layers of the trunk, and their channel weights."""

    def __init__(self, net: Any) -> None:
        super().__init__()
        self.scaling = net.scaling_layer
        self.trunk = net.net
        self.heads = nn.ParameterList()
        for head in net.lins:
            learned = head.model[-1].weight.detach().flatten()
            if learned.min() < 0:
                raise RefbenchError("an LPIPS head holds negative weights; it is not one of version 0.1")
            self.heads.append(nn.Parameter(learned, requires_grad=False))

    def forward(self, images: Tensor) -> Tensors:
        """The last layer's mean over pixels (N, C), the L layers, and their weights (N, C_l).

        ``images`` are RGB in [0, 1], (N, 3, H, W).
        """
        layers = self.trunk(self.scaling(2.0 * images - 1.0))
        heads = (head.expand(len(images), -1) for head in self.heads)
        return (layers[-1].float().mean(dim=(2, 3)), *layers, *heads)


def lpips_distance(first: Tensors, second: Tensors) -> Tensor:
    """LPIPS, (N,) float64, from what `LpipsFeatures` gives for two batches."""
    count = len(first) // 2
    parts = zip(first[1 : count + 1], second[1 : count + 1], first[count + 1 :], strict=True)
    return torch.stack([_layer_distance(a, b, weights) for a, b, weights in parts]).sum(dim=0)


def _layer_distance(first: Tensor, second: Tensor, weights: Tensor) -> Tensor:
    """Mean over pixels of the weighted squared distance of unit-length features (N, C, H, W), (N,) float64.

    Pixels are taken in blocks that fit a core's cache: on a CPU that is ten times as fast.
    """
    count, channels = first.shape[:2]
    a, b = (x.permute(0, 2, 3, 1).reshape(count, -1, channels) for x in (first, second))
    step = max(1, BLOCK // channels) if first.device.type == "cpu" else a.shape[1]
    total = torch.zeros(count, dtype=torch.float64, device=first.device)
    for start in range(0, a.shape[1], step):
        block = slice(start, start + step)
        gap = _unit(a[:, block]).sub_(_unit(b[:, block])).square_()
        total += (gap @ weights[:, :, None].float()).sum(dim=(1, 2), dtype=torch.float64)
    return total / a.shape[1]


def _unit(features: Tensor) -> Tensor:
    """The features with unit length, as new float32 tensors."""
    wide = features.float()
    length: Tensor = torch.linalg.vector_norm(wide, dim=-1, keepdim=True)
    return wide / length.add_(1e-10)


def load_lpips(net: str, device: torch.device) -> Any:
    """The ``lpips.LPIPS`` module of version 0.1 with trained trunk and heads, in evaluation mode.

    Raises:
        RefbenchError: the trunk is absent, is another network, or does not give the known self-test value.
    """
    module = build_lpips(net)
    path = weight_files.path(TRUNKS[net])
    flat = read_torchvision(path) if net == "squeeze" else read_trunk(path, net)
    state = module.net.state_dict()
    if len(flat) != len(state):
        raise RefbenchError(f"{path} has {len(flat)} tensors; the {net} trunk of LPIPS wants {len(state)}")
    try:
        module.net.load_state_dict(dict(zip(state, flat, strict=True)), strict=True)
    except RuntimeError as error:
        raise RefbenchError(
            f"{path} is not the {net} trunk of LPIPS: {str(error).splitlines()[-1]}"
        ) from None
    value, known = self_test(module), SELF_TEST.get(net)
    if known is not None and not math.isclose(value, known, abs_tol=SELF_TEST_TOLERANCE):
        raise RefbenchError(f"LPIPS ({net}) gives {value:.6f} on its self-test; wanted {known:.6f}")
    return module.to(device, memory_format=torch.channels_last)


def build_lpips(net: str) -> Any:
    """``lpips.LPIPS`` 0.1 with trained heads and an untrained trunk; prints and downloads nothing."""
    import lpips

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        module = lpips.LPIPS(net=net, version="0.1", pnet_rand=True, verbose=False)
    return module.eval().requires_grad_(False)


def self_test(module: Any) -> float:
    """LPIPS between two fixed 64x64 patterns, to recognise a correctly loaded network."""
    steps = torch.linspace(0.0, 1.0, 64)
    rows, columns = torch.meshgrid(steps, steps, indexing="ij")
    smooth = torch.stack([rows, columns, (rows + columns) / 2])[None]
    waves = (0.5 + 0.5 * torch.sin(40.0 * smooth)).clamp(0.0, 1.0)
    with torch.inference_mode():
        return float(module(smooth, waves, normalize=True))


def lpips_feature(net: str, wide_batch: int) -> Feature:
    """The layers of LPIPS on a trunk, images at their own size."""

    def load(device: torch.device) -> Extractor:
        network = LpipsFeatures(load_lpips(net, device)).to(device)

        def extract(batch: Batch) -> Tensors:
            return network(batch.pixels)  # type: ignore[no-any-return]

        return extract

    return Feature(
        f"lpips-{net}",
        (TRUNKS[net],),
        load,
        wide_batch=wide_batch,
        vector=True,
        bfloat16=True,
        min_side=MIN_SIDES[net],
    )


ALEX = lpips_feature("alex", wide_batch=16)
VGG = lpips_feature("vgg", wide_batch=4)
SQUEEZE = lpips_feature("squeeze", wide_batch=16)
TRUNK_LICENCE = "BSD-3-Clause (torchvision)"


def _lpips(feature: Feature, name: str, trunk: str) -> ImageMetric:
    protocol = Protocol(
        id=f"lpips/{name}-v0.1",
        title=f"LPIPS ({trunk})",
        higher_is_better=False,
        unit="1",
        bounds=(0.0, None),
        compared_with="hq",
        decimals=4,
        weights=feature.weights,
        definition=f"LPIPS 0.1 on {trunk}, images at their own size, [0, 1] brought to [-1, 1] inside.",
        licence=f"BSD-2-Clause (lpips), {TRUNK_LICENCE}",
        citation="Zhang et al.: The Unreasonable Effectiveness of Deep Features, CVPR 2018",
    )
    return ImageMetric(protocol, feature, lpips_distance)


METRICS = (
    _lpips(ALEX, "alex", "AlexNet"),
    _lpips(VGG, "vgg", "VGG16"),
    _lpips(SQUEEZE, "squeeze", "SqueezeNet"),
    frechet_metric(
        "fd/alexnet-relu5-v1",
        "FD (AlexNet)",
        ALEX,
        dimensions=256,
        words="mean relu5 features of AlexNet",
        licence=TRUNK_LICENCE,
    ),
    frechet_metric(
        "fd/vgg16-relu5-v1",
        "FD (VGG16)",
        VGG,
        dimensions=512,
        words="mean relu5_3 features of VGG16",
        licence=TRUNK_LICENCE,
    ),
)
