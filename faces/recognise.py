"""Recognisers: one declared object each; photo and landmarks → a unit vector that tells people apart."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .. import weights
from ..errors import RefbenchError
from ..files import sha256_file, sha256_json
from ..images import RGB
from .crops import ARCFACE_BGR, ARCFACE_RGB, CROPS, DLIB_CHIP, FFHQ_CENTRE, Crop, stack
from .dlib_network import load_dlib_network
from .face import check_landmarks
from .onnx_network import OnnxNetwork

Embeddings = npt.NDArray[np.float32]


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
        return (self.path,) if self.path else tuple(weights.path(name) for name in self.weights)

    def digests(self) -> dict[str, str]:
        """SHA-256 of each file, by its name in the weights table or its own."""
        if self.path:
            return {self.path.name: sha256_file(self.path)}
        return {name: weights.digest(name) for name in self.weights}


class FaceNetwork(nn.Module):
    """RGB crops in [0, 1] (B, 3, size, size) → unit vectors (B, D): the network with its own normalisation.

    Gradients reach the crops; parameters are frozen.
    """

    def __init__(self, crop: Crop, backbone: nn.Module) -> None:
        super().__init__()
        self.crop, self.backbone = crop, backbone

    def forward(self, faces: Tensor) -> Tensor:
        """Embed a batch of crops."""
        return F.normalize(self.backbone(self.crop.normalise(faces)).flatten(1), dim=1)


class Recogniser:
    """A loaded recogniser.

    Args:
        kind: what it is.
        module: the network, from RGB crops in [0, 1] to unit vectors.
        device: where the network runs.
        flip: average the embeddings of a crop and its mirror image.
    """

    def __init__(
        self, kind: RecogniserKind, module: nn.Module, device: str = "cpu", flip: bool = False
    ) -> None:
        self.kind, self.flip = kind, flip
        self.device = torch.device(device)
        self.module = module.to(self.device).eval()

    @property
    def id(self) -> str:
        """Name and crop protocol, for instance ``mobilefacenet/five-point-112-bgr``."""
        return f"{self.kind.name}/{self.kind.crop.name}{'+flip' if self.flip else ''}"

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 of the id and of the files: equal fingerprints give equal embeddings."""
        return sha256_json([self.id, self.kind.digests()])

    @property
    def threshold(self) -> float:
        """Cosine distance under which two photos are taken for the same person.

        Raises:
            RefbenchError: nobody has measured it for this network.
        """
        if math.isnan(self.kind.threshold):
            raise RefbenchError(
                f"{self.kind.name} has no measured threshold; give one (cosine distance, 0 to 2)"
            )
        return self.kind.threshold

    def crop(self, images: Sequence[RGB], landmarks: npt.ArrayLike) -> list[RGB]:
        """The crops that the network is fed, RGB uint8; ``landmarks`` as for `embed`."""
        points = check_landmarks(landmarks, len(images))
        return [self.kind.crop.cut(image, five) for image, five in zip(images, points, strict=True)]

    def embed(self, images: Sequence[RGB], landmarks: npt.ArrayLike) -> Embeddings:
        """Embed one face of each picture.

        Args:
            images: N pictures, RGB uint8 HWC, of any sizes.
            landmarks: (N, 5, 2), where the five points of each face lie in its picture.

        Returns:
            (N, D) float32 unit vectors. Each depends on its own picture only, to the last bit.

        Raises:
            RefbenchError: pictures or landmarks of the wrong kind, or a network that gives NaN.
        """
        return self.embed_crops(self.crop(images, landmarks))

    def embed_tensor(self, images: Tensor, landmarks: npt.ArrayLike) -> Tensor:
        """Embed one face of each picture of a batch, with gradients to the pictures.

        Agrees with `embed` but for the interpolation of the crop (cosine 0.999 and more).

        Args:
            images: (B, 3, H, W), RGB in [0, 1], on this recogniser's device.
            landmarks: (B, 5, 2).

        Returns:
            (B, D) unit vectors.
        """
        faces = self.kind.crop.cut_tensor(images, landmarks)
        vectors: Tensor = self.module(faces)
        return F.normalize(vectors + self.module(faces.flip(3)), dim=1) if self.flip else vectors

    @torch.inference_mode()
    def embed_crops(self, crops: Sequence[RGB]) -> Embeddings:
        """Embed crops that `crop` gave: (N, D) float32 unit vectors."""
        size = self.kind.crop.size
        for crop in crops:
            if crop.shape != (size, size, 3) or crop.dtype != np.uint8:
                raise RefbenchError(f"a crop is RGB uint8 ({size}, {size}, 3); got {crop.dtype} {crop.shape}")
        parts = []
        for start in range(0, len(crops), self.kind.batch):
            part = list(crops[start : start + self.kind.batch])
            filled = part + [np.zeros_like(part[0])] * (self.kind.batch - len(part))
            faces = torch.from_numpy(stack(filled)).to(self.device, memory_format=torch.channels_last)
            vectors = self.module(faces)
            if self.flip:
                vectors = F.normalize(vectors + self.module(faces.flip(3)), dim=1)
            parts.append(vectors[: len(part)].cpu().numpy().astype(np.float32))
        if not parts:
            return np.zeros((0, self.kind.dimensions), np.float32)
        joined: Embeddings = np.concatenate(parts)
        if not np.isfinite(joined).all():
            raise RefbenchError(f"{self.id} gave NaN or infinity; its file may be damaged")
        return joined


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


def load_recogniser(
    which: str | RecogniserKind = DEFAULT_RECOGNISER, device: str = "cpu", flip: bool = False
) -> Recogniser:
    """Load a recogniser by name, by the path of one's own network, or as declared by `own_recogniser`.

    Raises:
        RefbenchError: no such recogniser, its weights are not there, or its file cannot be used.
    """
    kind = which if isinstance(which, RecogniserKind) else RECOGNISERS.get(which)
    if kind is None:
        kind = own_recogniser(Path(str(which)))
    return Recogniser(kind, FaceNetwork(kind.crop, kind.make(kind.files())), device, flip)
