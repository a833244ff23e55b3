"""Face recognition: photo and landmarks → a unit embedding vector; see `registry` for the recognisers."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ...deprecated import renamed
from ...errors import RefbenchError
from ...files import sha256_json
from ...images import RGB
from ..crops import Crop, stack
from ..embeddings import Embeddings
from ..face import check_landmarks
from .registry import DEFAULT_RECOGNISER as DEFAULT_RECOGNISER
from .registry import RECOGNISERS as RECOGNISERS
from .registry import RecogniserKind as RecogniserKind
from .registry import custom_recogniser as custom_recogniser


class FaceNetwork(nn.Module):
    """Embedding network with its normalisation: RGB crops in [0, 1] (B, 3, size, size) → unit vectors (B, D).

    Gradients reach the crops; parameters are frozen.
    """

    def __init__(self, crop: Crop, backbone: nn.Module) -> None:
        super().__init__()
        self.crop, self.backbone = crop, backbone

    def forward(self, faces: Tensor) -> Tensor:
        """Embed a batch of crops, see the class."""
        return F.normalize(self.backbone(self.crop.normalise(faces)).flatten(1), dim=1)


class Recogniser:
    """A loaded recogniser.

    Args:
        kind: its declaration.
        module: the network, from RGB crops in [0, 1] to unit vectors.
        device: device of the network.
        flip: average the embeddings of a crop and its mirror image.
    """

    def __init__(
        self, kind: RecogniserKind, module: nn.Module, device: str = "cpu", *, flip: bool = False
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
        """Cosine distance below which two photos count as the same person.

        Raises:
            RefbenchError: it has not been measured for this network.
        """
        if math.isnan(self.kind.threshold):
            raise RefbenchError(
                f"{self.kind.name} has no measured threshold; give one (cosine distance, 0 to 2)"
            )
        return self.kind.threshold

    def crop(self, images: Sequence[RGB], landmarks: npt.ArrayLike) -> list[RGB]:
        """The crops that the network takes, RGB uint8 (size, size, 3); arguments as for `embed`."""
        points = check_landmarks(landmarks, len(images))
        return [self.kind.crop.cut(image, five) for image, five in zip(images, points, strict=True)]

    def embed(self, images: Sequence[RGB], landmarks: npt.ArrayLike) -> Embeddings:
        """Embed one face of each image.

        Args:
            images: N images, RGB uint8 (H, W, 3), of any sizes.
            landmarks: (N, 5, 2), the five landmarks of each face in pixels of its image.

        Returns:
            (N, D) float32 unit vectors. Each depends on its own image alone, to the bit.

        Raises:
            RefbenchError: images or landmarks of the wrong shape or dtype, or a network that yields NaN.
        """
        return self.embed_crops(self.crop(images, landmarks))

    def embed_tensor(self, images: Tensor, landmarks: npt.ArrayLike) -> Tensor:
        """Embed one face of each image of a batch, with gradients to the images.

        Equals `embed` up to the interpolation of the crop (cosine similarity of at least 0.999).

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
        """Embed crops from `crop`: (N, D) float32 unit vectors."""
        size = self.kind.crop.size
        for crop in crops:
            if crop.shape != (size, size, 3) or crop.dtype != np.uint8:
                raise RefbenchError(f"a crop is RGB uint8 ({size}, {size}, 3); got {crop.dtype} {crop.shape}")
        return self._embed_faces(torch.from_numpy(stack(list(crops))) if crops else None)

    @torch.inference_mode()
    def embed_unrounded(self, images: Sequence[RGB], landmarks: npt.ArrayLike) -> Embeddings:
        """As `embed`, with crops in float by `Crop.cut_tensor`, as ReF-LDM's evaluation has them.

        `embed` rounds each crop to 8 bits. Arguments, result and errors as for `embed`.
        """
        points = check_landmarks(landmarks, len(images))
        cut = self.kind.crop.cut_tensor
        crops = [
            cut(torch.from_numpy(stack([image])), five[None])
            for image, five in zip(images, points, strict=True)
        ]
        return self._embed_faces(torch.cat(crops) if crops else None)

    def _embed_faces(self, crops: Tensor | None) -> Embeddings:
        """Embed crops, RGB in [0, 1] (N, 3, size, size), in full batches."""
        parts = []
        for part in torch.split(crops, self.kind.batch) if crops is not None else ():
            filled = torch.zeros(self.kind.batch, *part.shape[1:])
            filled[: len(part)] = part
            faces = filled.to(self.device, memory_format=torch.channels_last)
            vectors = self.module(faces)
            if self.flip:
                vectors = F.normalize(vectors + self.module(faces.flip(3)), dim=1)
            parts.append(vectors[: len(part)].cpu().numpy().astype(np.float32))
        if not parts:
            return np.zeros((0, self.kind.dimensions), np.float32)
        joined: Embeddings = np.concatenate(parts)
        if not np.isfinite(joined).all():
            raise RefbenchError(f"{self.id} yielded NaN or infinity; its file may be damaged")
        return joined


def load_recogniser(
    which: str | RecogniserKind = DEFAULT_RECOGNISER, device: str = "cpu", flip: bool = False
) -> Recogniser:
    """Load a recogniser by name, by the path of a custom network, or from its declaration.

    Args:
        which: name, path of an ONNX or TorchScript file, or declaration.
        device: device of the network.
        flip: average the embeddings of a crop and its mirror image.

    Raises:
        RefbenchError: no such recogniser, absent weights, or an unusable file.
    """
    kind = which if isinstance(which, RecogniserKind) else RECOGNISERS.get(which)
    if kind is None:
        kind = custom_recogniser(Path(str(which)))
    return Recogniser(kind, FaceNetwork(kind.crop, kind.make(kind.files())), device, flip=flip)


__getattr__ = renamed(__name__, {"own_recogniser": "custom_recogniser"})
