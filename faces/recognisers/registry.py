"""Registry of face recognisers as declared objects: weights, crop protocol and measured thresholds."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import nn

from ...deprecated import renamed
from ...errors import RefbenchError
from ...files import StrPath, sha256_file
from ...weights import weight_files
from ..crops import ARCFACE_BGR, ARCFACE_RGB, CROPS, DLIB_CHIP, FFHQ_CENTRE, Crop
from .dlib_network import load_dlib_network
from .onnx_network import OnnxNetwork


@dataclass(frozen=True, slots=True)
class RecogniserKind:
    """A declared recogniser.

    Attributes:
        name: name in options and on the command line.
        weights: names in the weights table, in the order of the files that ``make`` takes.
        crop: crop protocol of the network's input.
        dimensions: length of an embedding; 0 where the file alone determines it.
        threshold: cosine distance below which two photos count as the same person; NaN if not measured.
        clustering_threshold: the same for clustering by connected components, where one wrong pair merges
            two people, so it is much stricter.
        average_linkage_threshold: the same for average linkage, where a group stays joined only if the mean
            distance between its parts is below it.
        make: files of the weights → network from a normalised crop to an embedding of any length.
        batch: fixed batch size of the network; short batches are padded, so that an embedding never depends
            on the other images of its batch.
        licence, citation: of the weights.
        path: the user's file, instead of ``weights``.
    """

    name: str
    weights: tuple[str, ...]
    crop: Crop
    dimensions: int
    threshold: float
    clustering_threshold: float
    average_linkage_threshold: float
    make: Callable[[tuple[Path, ...]], nn.Module]
    batch: int
    licence: str
    citation: str
    path: Path | None = None

    def files(self) -> tuple[Path, ...]:
        """The files that ``make`` takes; raises `RefbenchError` where weights are absent."""
        return (self.path,) if self.path else tuple(weight_files.path(name) for name in self.weights)

    def digests(self) -> dict[str, str]:
        """SHA-256 of each file, by its name in the weights table or its file name."""
        if self.path:
            return {self.path.name: sha256_file(self.path)}
        return {name: weight_files.digest(name) for name in self.weights}


def _onnx(files: tuple[Path, ...]) -> nn.Module:
    return OnnxNetwork(files[0])


def _dlib(files: tuple[Path, ...]) -> nn.Module:
    return load_dlib_network(*files)


def _torchscript(files: tuple[Path, ...]) -> nn.Module:
    try:
        return torch.jit.load(str(files[0]), map_location="cpu").eval()  # type: ignore[no-untyped-call,no-any-return]
    except (RuntimeError, ValueError) as error:
        raise RefbenchError(f"{files[0]} is not a TorchScript file: {str(error).splitlines()[0]}") from None


MOBILEFACENET = RecogniserKind(
    name="mobilefacenet",
    weights=("mobilefacenet",),
    crop=ARCFACE_BGR,
    dimensions=512,
    threshold=0.71,
    clustering_threshold=0.38,
    average_linkage_threshold=0.47,
    make=_onnx,
    batch=1,
    licence="MIT (package; training data not stated)",
    citation="Chen et al., MobileFaceNets, 2018; weights of faceplugin-face-recognition-js",
)
"""LFW, ten folds: 99.45 +- 0.13 %. All photos of LFW clustered by connected components: pairwise precision
0.9995, recall 0.9857; by average linkage: 0.9995 and 0.9748. See docs/faces.md for the thresholds."""

DLIB_RESNET = RecogniserKind(
    name="dlib-resnet",
    weights=("dlib-resnet", "dlib-resnet-manifest"),
    crop=DLIB_CHIP,
    dimensions=128,
    threshold=0.09,
    clustering_threshold=0.03,
    average_linkage_threshold=0.05,
    make=_dlib,
    batch=4,
    licence="CC0 (dlib's model), MIT (quantised file of @vladmandic/face-api)",
    citation="King, High Quality Face Recognition with Deep Metric Learning, 2017",
)
"""LFW, ten folds: 98.60 +- 0.10 %. For verification of pairs rather than clustering: connected components at
``clustering_threshold`` have a pairwise precision of 0.9990 and a recall of 0.6319."""

WEBFACE_R50 = RecogniserKind(
    name="webface-r50",
    weights=("webface-r50",),
    crop=FFHQ_CENTRE,
    dimensions=512,
    threshold=0.4,
    clustering_threshold=0.4,
    average_linkage_threshold=0.4,
    make=_onnx,
    batch=1,
    licence="non-commercial research (InsightFace)",
    citation="Deng et al., ArcFace, 2019; ResNet-50 trained on WebFace12M (InsightFace)",
)
"""The recogniser of ReF-LDM, with its crop and threshold."""

WEBFACE_R50_FIVE_POINT = RecogniserKind(
    name="webface-r50-five-point",
    weights=("webface-r50",),
    crop=ARCFACE_RGB,
    dimensions=512,
    threshold=0.4,
    clustering_threshold=0.4,
    average_linkage_threshold=0.4,
    make=_onnx,
    batch=1,
    licence=WEBFACE_R50.licence,
    citation=WEBFACE_R50.citation,
)

RECOGNISERS: dict[str, RecogniserKind] = {
    kind.name: kind for kind in (MOBILEFACENET, DLIB_RESNET, WEBFACE_R50, WEBFACE_R50_FIVE_POINT)
}
DEFAULT_RECOGNISER = MOBILEFACENET.name


def custom_recogniser(
    path: StrPath, crop: str = ARCFACE_RGB.name, threshold: float = math.nan
) -> RecogniserKind:
    """Declare a custom recogniser: an ONNX file, or a TorchScript file under any other suffix.

    Args:
        path: the file; a network from a normalised crop (B, 3, size, size) to (B, D).
        crop: name in `crops.CROPS`.
        threshold: cosine distance below which two photos count as the same person; NaN if not measured.

    Raises:
        RefbenchError: no such file or crop.
    """
    path = Path(path)
    if crop not in CROPS:
        raise RefbenchError(f"no crop is called {crop!r}; there are: {', '.join(CROPS)}")
    if not path.is_file():
        raise RefbenchError(
            f"{path}: no such file, and no recogniser of that name; known: {', '.join(RECOGNISERS)}"
        )
    return RecogniserKind(
        name=f"{path.stem}-{sha256_file(path)[:8]}",
        weights=(),
        crop=CROPS[crop],
        dimensions=0,
        threshold=threshold,
        clustering_threshold=threshold,
        average_linkage_threshold=threshold,
        make=_onnx if path.suffix.lower() == ".onnx" else _torchscript,
        batch=1,
        licence="unknown",
        citation="",
        path=path,
    )


__getattr__ = renamed(__name__, {"own_recogniser": "custom_recogniser"})
