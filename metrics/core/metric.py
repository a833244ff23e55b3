"""A metric: a protocol with the feature it looks at and the kernel that makes a number of it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from torch import Tensor

from ...records.protocol import Protocol
from .feature import Bundle, Feature

Vectors = Iterable[npt.NDArray[np.floating]]
NOT_FINITE = "the value is not a finite number"
NO_FACE_POINTS = "the reference set has no landmarks for this image or for one of its references"


@dataclass(frozen=True, slots=True)
class ImageMetric:
    """A number of each image, against the same feature of its HQ image.

    ``compare`` takes the feature of a batch of restored images and of their HQ images, and gives (N,).
    A value that is not finite becomes an unscored row with the reason ``if_nan``.
    """

    protocol: Protocol
    feature: Feature
    compare: Callable[[Bundle, Bundle], Tensor]
    if_nan: str = NOT_FINITE


@dataclass(frozen=True, slots=True)
class NoReferenceMetric:
    """A number of each restored image by itself: ``compare`` takes its feature alone and gives (N,)."""

    protocol: Protocol
    feature: Feature
    compare: Callable[[Bundle], Tensor]
    if_nan: str = NOT_FINITE


@dataclass(frozen=True, slots=True)
class ReferenceMetric:
    """A number of each image, against its references.

    ``compare`` takes a compact feature of the restored images (N, D), of their HQ images (N, D), and of each
    one's references in order of preference, (N_i, D) with N_i >= 1; it gives (N,).
    """

    protocol: Protocol
    feature: Feature
    compare: Callable[[Tensor, Tensor, Sequence[Tensor]], Tensor]
    if_nan: str = NO_FACE_POINTS


@dataclass(frozen=True, slots=True)
class GainMetric:
    """What a restoration gained over the LQ image: the score of ``base``, less that of the LQ image, signed
    so that more is better."""

    protocol: Protocol
    base: ImageMetric

    @property
    def feature(self) -> Feature:
        """The base's feature."""
        return self.base.feature


@dataclass(frozen=True, slots=True)
class SetMetric:
    """A number of all images together, against all HQ images: each a stream of batches of vectors (N, D).

    ``min_images`` is the number of images below which a warning is shown. ``statistics`` names
    a file of statistics that stands for the HQ images (`statistics_file`), or is empty.
    """

    protocol: Protocol
    feature: Feature
    compare: Callable[[Vectors, Vectors], float]
    min_images: int
    statistics: str = ""


Metric = ImageMetric | NoReferenceMetric | ReferenceMetric | GainMetric | SetMetric
PerImage = ImageMetric | NoReferenceMetric | ReferenceMetric
