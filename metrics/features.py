"""What is computed once per image and shared by every metric that looks at it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from ..images import RGB
from .perceptual import LpipsFeatures, load_lpips

Bundle = tuple[Tensor, ...]


@dataclass(frozen=True, eq=False)
class Batch:
    """Decoded images, and where the faces in their HQ images are.

    Attributes:
        photos: RGB uint8 HWC.
        landmarks: (N, 5, 2) in pixels; NaN where the reference set knows none.
        device: where tensors are wanted.
    """

    photos: Sequence[RGB]
    landmarks: npt.NDArray[np.float64]
    device: torch.device

    @cached_property
    def pixels(self) -> Tensor:
        """The photos, all of one size, as RGB float32 in [0, 1], (N, 3, H, W) with channels last in memory.

        They go to the device once, as bytes.
        """
        levels = torch.from_numpy(np.stack(self.photos)).to(self.device)
        return levels.to(torch.float32).div_(255.0).permute(0, 3, 1, 2)

    def halves(self) -> tuple[Batch, Batch]:
        """The first and the second half."""
        middle = len(self.photos) // 2
        return (
            Batch(self.photos[:middle], self.landmarks[:middle], self.device),
            Batch(self.photos[middle:], self.landmarks[middle:], self.device),
        )


Extractor = Callable[[Batch], Bundle]


@dataclass(frozen=True, slots=True)
class Feature:
    """A network or transform, declared.

    Attributes:
        name: unique.
        weights: names in the weights table.
        load: makes the extractor on a device; raises RefbenchError where weights are absent.
        batch: images at a time on a CPU, where each network runs on one core: the number that was measured to
            be fastest at 512x512. With 1, a score cannot depend on an image's neighbours.
        wide_batch: the same on an accelerator.
        vector: whether the first tensor is one vector per image (N, D), fit for statistics of a set.
        compact: whether that vector is all there is, fit for a cache.
    """

    name: str
    weights: tuple[str, ...]
    load: Callable[[torch.device], Extractor]
    batch: int
    wide_batch: int
    vector: bool = False
    compact: bool = False


def _load_pixels(device: torch.device) -> Extractor:
    return lambda batch: (batch.pixels,)


def _lpips_loader(net: str) -> Callable[[torch.device], Extractor]:
    def load(device: torch.device) -> Extractor:
        network = LpipsFeatures(load_lpips(net, device)).to(device)
        return lambda batch: network(batch.pixels)

    return load


def _recogniser(name: str, weights: tuple[str, ...]) -> Feature:
    """The unit embeddings of a recogniser of the faces room; it makes batches by itself."""

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

    return Feature(name, weights, load, batch=16, wide_batch=64, vector=True, compact=True)


PIXELS = Feature("pixels", (), _load_pixels, batch=1, wide_batch=16)
LPIPS_ALEX = Feature("lpips-alex", ("lpips-alexnet",), _lpips_loader("alex"), 1, wide_batch=16, vector=True)
LPIPS_VGG = Feature("lpips-vgg", ("lpips-vgg16",), _lpips_loader("vgg"), 1, wide_batch=8, vector=True)
MOBILEFACENET = _recogniser("mobilefacenet", ("mobilefacenet",))
DLIB_RESNET = _recogniser("dlib-resnet", ("dlib-resnet", "dlib-resnet-manifest"))
