"""The recognisers, one declared object each: weights, crop and measured distances."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import nn

from ...errors import RefbenchError
from ...files import sha256_file
from ...weights import weight_files
from ..crops import ARCFACE_BGR, ARCFACE_RGB, CROPS, DLIB_CHIP, FFHQ_CENTRE, Crop
from .dlib_network import load_dlib_network
from .onnx_network import OnnxNetwork


@dataclass(frozen=True, slots=True)
class RecogniserKind:
    """A recogniser as declared.

    Attributes:
        name: as users type it.
        weights: names in the weights table, in the order that ``make`` takes their files.
        crop: what the network is fed.
        dimensions: length of an embedding; 0 where only the file knows.
        threshold: cosine distance under which two photos are taken for the same person; NaN where nobody
            has measured it.
        clustering_threshold: the same for joining photos into identities by connected components, where one
            wrong pair merges two people: far stricter.
        guarded_threshold: the same where a group stays joined only if its parts are on average as near.
        make: files of the weights → network from a normalised crop to an embedding of any length.
        batch: crops that go through the network at once on a processor; short batches are filled up, so
            that an embedding never depends on its neighbours.
        licence, citation: of the weights.
        path: a file of one's own, instead of ``weights``.
    """

    name: str
    weights: tuple[str, ...]
    crop: Crop
    dimensions: int
    threshold: float
    clustering_threshold: float
    guarded_threshold: float
    make: Callable[[tuple[Path, ...]], nn.Module]
    batch: int
    licence: str
    citation: str
    path: Path | None = None

    def files(self) -> tuple[Path, ...]:
        """The files that ``make`` takes; `RefbenchError` where weights are not there."""
        return (self.path,) if self.path else tuple(weight_files.path(name) for name in self.weights)

    def digests(self) -> dict[str, str]:
        """SHA-256 of each file, by its name in the weights table or its own."""
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
    guarded_threshold=0.5,
    make=_onnx,
    batch=1,
    licence="MIT (package; training data not stated)",
    citation="Chen et al., MobileFaceNets, 2018; weights of faceplugin-face-recognition-js",
)
"""LFW, ten folds: 99.45 +- 0.13 %. All its photos joined at ``clustering_threshold``: pairwise precision
0.9995, recall 0.9857; guarded: 0.9993 and 0.9875. See docs/faces.md for how the distances were chosen."""

DLIB_RESNET = RecogniserKind(
    name="dlib-resnet",
    weights=("dlib-resnet", "dlib-resnet-manifest"),
    crop=DLIB_CHIP,
    dimensions=128,
    threshold=0.09,
    clustering_threshold=0.03,
    guarded_threshold=0.05,
    make=_dlib,
    batch=4,
    licence="CC0 (dlib's model), MIT (quantised file of @vladmandic/face-api)",
    citation="King, High Quality Face Recognition with Deep Metric Learning, 2017",
)
"""LFW, ten folds: 98.60 +- 0.10 %. A second opinion on pairs: joined at ``clustering_threshold``, they have a
precision of 0.9990 and a recall of 0.6319 only."""

WEBFACE_R50 = RecogniserKind(
    name="webface-r50",
    weights=("webface-r50",),
    crop=FFHQ_CENTRE,
    dimensions=512,
    threshold=0.4,
    clustering_threshold=0.4,
    guarded_threshold=0.4,
    make=_onnx,
    batch=1,
    licence="non-commercial research (InsightFace)",
    citation="Deng et al., ArcFace, 2019; ResNet-50 trained on WebFace12M (InsightFace)",
)
"""The papers' recogniser with the papers' crop and their distance for the same person."""

WEBFACE_R50_FIVE_POINT = RecogniserKind(
    name="webface-r50-five-point",
    weights=("webface-r50",),
    crop=ARCFACE_RGB,
    dimensions=512,
    threshold=0.4,
    clustering_threshold=0.4,
    guarded_threshold=0.4,
    make=_onnx,
    batch=1,
    licence=WEBFACE_R50.licence,
    citation=WEBFACE_R50.citation,
)

RECOGNISERS: dict[str, RecogniserKind] = {
    kind.name: kind for kind in (MOBILEFACENET, DLIB_RESNET, WEBFACE_R50, WEBFACE_R50_FIVE_POINT)
}
DEFAULT_RECOGNISER = MOBILEFACENET.name


def own_recogniser(path: Path, crop: str = ARCFACE_RGB.name, threshold: float = math.nan) -> RecogniserKind:
    """Declare a recogniser of one's own: an ONNX file, or a TorchScript file under any other suffix.

    Args:
        path: the file; a network from a normalised crop (B, 3, size, size) to (B, D).
        crop: name in `crops.CROPS`.
        threshold: cosine distance under which two photos are the same person; NaN if not measured.

    Raises:
        RefbenchError: no such file or crop.
    """
    if crop not in CROPS:
        raise RefbenchError(f"no crop is called {crop!r}; there are: {', '.join(CROPS)}")
    if not path.is_file():
        raise RefbenchError(f"{path}: no such file, and no recogniser is called so: {', '.join(RECOGNISERS)}")
    return RecogniserKind(
        name=f"{path.stem}-{sha256_file(path)[:8]}",
        weights=(),
        crop=CROPS[crop],
        dimensions=0,
        threshold=threshold,
        clustering_threshold=threshold,
        guarded_threshold=threshold,
        make=_onnx if path.suffix.lower() == ".onnx" else _torchscript,
        batch=1,
        licence="unknown",
        citation="",
        path=path,
    )
