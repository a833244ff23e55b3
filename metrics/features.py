"""What is computed once per image and shared by every metric that looks at it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from ..images import RGB
from .perceptual import LpipsFeatures, load_lpips

Bundle = tuple[Tensor, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Batch:
    """Decoded images of one size, and where the faces in their HQ images are.

    Attributes:
        photos: RGB uint8 HWC.
        pixels: the same as RGB float32 in [0, 1], (N, 3, H, W), on the device.
        landmarks: (N, 5, 2) in pixels; NaN where the reference set knows none.
    """

    photos: Sequence[RGB]
    pixels: Tensor
    landmarks: npt.NDArray[np.float64]


Extractor = Callable[[Batch], Bundle]


@dataclass(frozen=True, slots=True)
class Feature:
    """A network or transform, declared.

    Attributes:
        name: unique.
        weights: names in the weights table.
        load: makes the extractor on a device; raises RefbenchError where weights are absent.
        batch: images at a time that were measured to be fastest at 512x512 on a CPU.
        vector: whether the first tensor is one vector per image (N, D), fit for statistics of a set.
        compact: whether that vector is all there is, fit for a cache.
    """

    name: str
    weights: tuple[str, ...]
    load: Callable[[torch.device], Extractor]
    batch: int
    vector: bool = False
    compact: bool = False


def to_batch(photos: Sequence[RGB], landmarks: npt.NDArray[np.float64], device: torch.device) -> Batch:
    """A batch of photos of one size; each goes to the device once, as bytes."""
    stacked = torch.from_numpy(np.stack(photos)).to(device)
    pixels = stacked.permute(0, 3, 1, 2).to(torch.float32).div_(255.0).contiguous()
    return Batch(photos, pixels, landmarks)


def _load_pixels(device: torch.device) -> Extractor:
    return lambda batch: (batch.pixels,)


def _lpips_loader(net: str) -> Callable[[torch.device], Extractor]:
    def load(device: torch.device) -> Extractor:
        network = LpipsFeatures(load_lpips(net, device)).to(device)
        return lambda batch: network(batch.pixels)

    return load


def _recogniser_loader(name: str) -> Callable[[torch.device], Extractor]:
    def load(device: torch.device) -> Extractor:
        from ..faces.recognise import load_recogniser

        recogniser = load_recogniser(name, device=str(device))

        def extract(batch: Batch) -> Bundle:
            rows = [row for row, points in enumerate(batch.landmarks) if np.isfinite(points).all()]
            vectors = torch.full((len(batch.photos), recogniser.kind.dimensions), torch.nan)
            if rows:
                found = recogniser.embed([batch.photos[row] for row in rows], batch.landmarks[rows])
                vectors[rows] = torch.from_numpy(found)
            return (vectors.to(device),)

        return extract

    return load


PIXELS = Feature("pixels", (), _load_pixels, batch=8)
LPIPS_ALEX = Feature("lpips-alex", ("lpips-alexnet",), _lpips_loader("alex"), batch=1, vector=True)
LPIPS_VGG = Feature("lpips-vgg", ("lpips-vgg16",), _lpips_loader("vgg"), batch=1, vector=True)
MOBILEFACENET = Feature(
    "mobilefacenet", ("mobilefacenet",), _recogniser_loader("mobilefacenet"), 16, vector=True, compact=True
)
DLIB_RESNET = Feature(
    "dlib-resnet", ("dlib-resnet",), _recogniser_loader("dlib-resnet"), 16, vector=True, compact=True
)
