"""FID, KID, precision, recall, density, coverage: distances between image sets on Inception-v3 features.

Three ways of resizing to 299 pixels share the name FID, so each is a protocol of its own. The network is
torch-fidelity's Inception-v3 of the original FID; its weights are read as tensors only, and no code in the
file is run.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from ...errors import RefbenchError
from ...extras import optional
from ...records.protocol import Protocol
from ...weights import weight_files
from ..core.feature import Batch, Extractor, Feature, Tensors
from ..core.metric import Metric, SetMetric, Vectors
from ..distances.frechet import frechet_between
from ..distances.kid import kernel_distance
from ..distances.precision_recall import coverage, density, precision, recall
from ..distances.statistics_file import FFHQ, frechet_to_statistics

SIDE = 299
DIMENSIONS = 2048
Resize = Callable[[Tensor], Tensor]


def resize_clean(levels: Tensor) -> Tensor:
    """Bicubic with antialiasing as Pillow does it on float channels, clipped (clean-fid's "clean" mode)."""
    size = (SIDE, SIDE)
    return F.interpolate(levels, size, mode="bicubic", antialias=True, align_corners=False).clamp(0.0, 255.0)


def resize_tensorflow(levels: Tensor) -> Tensor:
    """Bilinear without antialiasing and without half-pixel offsets, as TensorFlow 1 did (torch-fidelity)."""
    for axis in (3, 2):
        places = torch.arange(SIDE, dtype=torch.float32, device=levels.device) * (levels.shape[axis] / SIDE)
        low = places.long()
        high = (low + 1).clamp_max(levels.shape[axis] - 1)
        share = (places - low).view([-1 if side == axis else 1 for side in range(4)])
        first, second = (levels.index_select(axis, index) for index in (low, high))
        levels = first + (second - first) * share
    return levels


def resize_antialiased(levels: Tensor) -> Tensor:
    """Bilinear with antialiasing (torchmetrics since 1.8)."""
    return F.interpolate(levels, (SIDE, SIDE), mode="bilinear", antialias=True, align_corners=False)


def inception_features(network: Any, levels: Tensor) -> Tensor:
    """The 2048 features of images (N, 3, 299, 299) with values 0 to 255, (N, 2048)."""
    images = (levels - 128.0) / 128.0
    for name in LAYERS:
        images = getattr(network, name)(images)
    return images.flatten(1)


LAYERS = (
    *("Conv2d_1a_3x3", "Conv2d_2a_3x3", "Conv2d_2b_3x3", "MaxPool_1"),
    *("Conv2d_3b_1x1", "Conv2d_4a_3x3", "MaxPool_2"),
    *("Mixed_5b", "Mixed_5c", "Mixed_5d", "Mixed_6a", "Mixed_6b", "Mixed_6c", "Mixed_6d", "Mixed_6e"),
    *("Mixed_7a", "Mixed_7b", "Mixed_7c", "AvgPool"),
)


@lru_cache(maxsize=1)
def load_inception(path: Path, device: torch.device) -> Any:
    """torch-fidelity's Inception-v3 with the parameters of a file, in evaluation mode; the last one is kept.

    Raises:
        RefbenchError: the file is not that network's.
    """
    with optional("torch_fidelity", "FID, KID and precision"):
        from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3

    safe = io.BytesIO()
    try:
        torch.save(torch.load(path, map_location="cpu", weights_only=True), safe)
        safe.seek(0)
        network = FeatureExtractorInceptionV3(
            "inception", [str(DIMENSIONS)], feature_extractor_weights_path=safe
        )
    except Exception as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise RefbenchError(f"{path} is not the Inception-v3 of FID: {reason}") from None
    return fold_norms(network.to(memory_format=torch.channels_last)).to(device)


def fold_norms(network: nn.Module) -> nn.Module:
    """Every batch norm folded into the convolution before it, in float64: the same function, faster."""
    for layer in list(network.modules()):
        norm, convolution = (getattr(layer, name, None) for name in ("bn", "conv"))
        if isinstance(norm, nn.BatchNorm2d) and isinstance(convolution, nn.Conv2d):
            folded = fuse_conv_bn_eval(convolution.double(), norm.double()).float()
            layer.conv, layer.bn = folded, nn.Identity()
    return network


def inception_feature(name: str, resize: Resize) -> Feature:
    """Inception features of 8-bit images after a resize."""

    def load(device: torch.device) -> Extractor:
        network = load_inception(weight_files.path("inception-fid"), device)

        def extract(batch: Batch) -> Tensors:
            levels = resize(torch.round(batch.pixels * 255.0))
            return (inception_features(network, levels.contiguous(memory_format=torch.channels_last)),)

        return extract

    return Feature(
        f"inception-{name}",
        ("inception-fid",),
        load,
        wide_batch=32,
        vector=True,
        compact=True,
        bfloat16=True,
        packages=("torch_fidelity",),
    )


CLEAN = inception_feature("clean", resize_clean)
TENSORFLOW = inception_feature("tf", resize_tensorflow)
ANTIALIASED = inception_feature("antialias", resize_antialiased)
HEUSEL = "Heusel et al., NeurIPS 2017"
PARMAR = f"{HEUSEL}; Parmar, Zhang, Zhu: On Aliased Resizing, CVPR 2022"
KYNKAANNIEMI = "Kynkäänniemi et al., NeurIPS 2019"
NAEEM = "Naeem et al., ICML 2020"
CLEAN_RESIZE = "resize to 299 as clean-fid (bicubic, antialiased, float, clipped)"
_protocol = partial(Protocol, unit="1", compared_with="set", weights=CLEAN.weights, licence="Apache-2.0")


def _fid(how: str, feature: Feature, title: str, *, resize: str) -> SetMetric:
    protocol = _protocol(
        id=f"fid/inception-{how}-hq",
        title=f"FID ({title})",
        higher_is_better=False,
        bounds=(0.0, None),
        decimals=2,
        definition=f"FID to all HQ images of the split; {resize}; symmetric eigenvalue route in float64.",
        citation=HEUSEL,
    )
    compare = frechet_between(DIMENSIONS)
    return SetMetric(protocol, feature, compare, DIMENSIONS + 1, is_frechet=True, dimensions=DIMENSIONS)


FID_FFHQ = SetMetric(
    _protocol(
        id="fid/inception-clean-ffhq70k-512",
        title="FID (clean, FFHQ)",
        higher_is_better=False,
        bounds=(0.0, None),
        decimals=2,
        definition=f"FID to the statistics of FFHQ (trainval70k at 512 pixels); {CLEAN_RESIZE}.",
        citation=PARMAR,
    ),
    CLEAN,
    frechet_to_statistics(FFHQ, DIMENSIONS),
    DIMENSIONS + 1,
    statistics=FFHQ,
    is_frechet=True,
    dimensions=DIMENSIONS,
)

KID = SetMetric(
    _protocol(
        id="kid/inception-tf-hq",
        title="KID",
        higher_is_better=False,
        bounds=(None, None),
        decimals=5,
        definition="Unbiased MMD with the kernel (x y / 2048 + 1)^3; mean over 100 seeded subsets of 1000 "
        "images, or all images at once where there are fewer; resize to 299 as torch-fidelity.",
        citation="Bińkowski et al.: Demystifying MMD GANs, ICLR 2018",
    ),
    TENSORFLOW,
    kernel_distance,
    min_images=100,
)


def _overlap(
    compare: Callable[[Vectors, Vectors], float],
    *,
    words: str,
    citation: str,
    bounds: tuple[float | None, float | None] = (0.0, 1.0),
    version: str = "",
) -> SetMetric:
    """Precision, recall, density or coverage; named after the function that computes it."""
    name = compare.__name__
    protocol = _protocol(
        id=f"{name}/inception-tf-hq{version}",
        title=name.capitalize(),
        higher_is_better=True,
        bounds=bounds,
        decimals=4,
        definition=f"{words} Inception features, Euclidean distance, resize to 299 as torch-fidelity.",
        citation=citation,
    )
    return SetMetric(protocol, TENSORFLOW, compare, min_images=1000)


METRICS: tuple[Metric, ...] = (
    _fid("clean", CLEAN, "clean, HQ", resize=CLEAN_RESIZE),
    _fid(
        "tf",
        TENSORFLOW,
        "torch-fidelity, HQ",
        resize="resize to 299 as torch-fidelity (TensorFlow 1 bilinear)",
    ),
    _fid(
        "antialias",
        ANTIALIASED,
        "torchmetrics, HQ",
        resize="resize to 299 as torchmetrics (bilinear, antialiased)",
    ),
    FID_FFHQ,
    KID,
    _overlap(
        precision,
        words="Share of restored images within the third-neighbour ball of a HQ image.",
        citation=KYNKAANNIEMI,
    ),
    _overlap(
        recall,
        words="Share of HQ images within the third-neighbour ball of a restored image.",
        citation=KYNKAANNIEMI,
    ),
    _overlap(
        density,
        words="Mean number of open fifth-neighbour balls of HQ images around a restored image, over 5.",
        citation=NAEEM,
        bounds=(None, None),
        version="@2",
    ),
    _overlap(
        coverage,
        words="Share of HQ images whose open fifth-neighbour ball holds a restored image.",
        citation=NAEEM,
        version="@2",
    ),
)
