"""Metric classes: a protocol, the feature it is computed from, and the function that compares features."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import numpy.typing as npt
from torch import Tensor

from ...deprecated import renamed, renamed_keywords
from ...records.protocol import Protocol
from .feature import Feature, Tensors

Vectors = Iterable[npt.NDArray[np.floating]]
"""A stream of feature vectors, batch by batch, each batch (n, D)."""

Scores = TypeVar("Scores", Tensor, npt.NDArray[np.float64])
NOT_FINITE = "the value is not a finite number"
NO_FACE_POINTS = "the reference set has no landmarks for this image or for one of its references"


@dataclass(frozen=True, slots=True)
class ImageMetric:
    """A number of each image, compared with its HQ image.

    Attributes:
        protocol: what the number means.
        feature: what is computed of both images.
        compare: takes the feature's tensors of a batch of restored images and of their HQ images, and
            returns (N,).
        if_nan: the reason in the record where a value is not finite and the image therefore unscored.
        min_side: sides in pixels below which it cannot be computed; its feature may need more.
    """

    protocol: Protocol
    feature: Feature
    compare: Callable[[Tensors, Tensors], Tensor]
    if_nan: str = NOT_FINITE
    min_side: int = 1


@dataclass(frozen=True, slots=True)
class NoReferenceMetric:
    """A number of each restored image by itself.

    Attributes:
        protocol: what the number means.
        feature: what is computed of the image.
        compare: takes the feature's tensors of a batch of restored images and returns (N,).
        if_nan: the reason in the record where a value is not finite and the image therefore unscored.
        min_side: sides in pixels below which it cannot be computed; its feature may need more.
    """

    protocol: Protocol
    feature: Feature
    compare: Callable[[Tensors], Tensor]
    if_nan: str = NOT_FINITE
    min_side: int = 1


@dataclass(frozen=True, slots=True)
class ReferenceMetric:
    """A number of each image, compared with its references.

    Attributes:
        protocol: what the number means.
        feature: a compact feature, one vector per image.
        compare: takes the vectors of the restored images (N, D), of their HQ images (N, D), and of the
            references of each in their order, (N_i, D) with N_i >= 1; returns (N,).
        if_nan: the reason in the record where a value is not finite and the image therefore unscored.
    """

    protocol: Protocol
    feature: Feature
    compare: Callable[[Tensor, Tensor, Sequence[Tensor]], Tensor]
    if_nan: str = NO_FACE_POINTS


@dataclass(frozen=True, slots=True)
class GainMetric:
    """The improvement over the LQ image in another metric; above 0 is better, whatever that one's direction.

    Attributes:
        protocol: what the number means; its direction is always up.
        base: the metric that the restored and the LQ image are both scored in.
    """

    protocol: Protocol
    base: ImageMetric

    @property
    def feature(self) -> Feature:
        """The feature of the base metric."""
        return self.base.feature

    def gain(self, restored: Scores, lq: Scores) -> Scores:
        """Gains (N,) from the scores (N,) of the restored and of the LQ images in the base metric."""
        return restored - lq if self.base.protocol.higher_is_better else lq - restored


@renamed_keywords(enough="min_images")
@dataclass(frozen=True, slots=True)
class SetMetric:
    """A number of all restored images together, compared with all HQ images or with stored statistics.

    Attributes:
        protocol: what the number means.
        feature: a feature whose first tensor is one vector per image.
        compare: takes the vectors of the restored and of the HQ images, each as a stream of batches (n, D).
        min_images: number of images below which the record carries a warning.
        statistics: name of the stored statistics that replace the HQ images; empty for none.
        is_frechet: whether it is a Fréchet distance, so that stored statistics can replace the HQ images.
        dimensions: length of the feature's vectors, where statistics are to be checked against it; 0 where
            it is not known.
    """

    protocol: Protocol
    feature: Feature
    compare: Callable[[Vectors, Vectors], float]
    min_images: int
    statistics: str = ""
    is_frechet: bool = False
    dimensions: int = 0


Metric = ImageMetric | NoReferenceMetric | ReferenceMetric | GainMetric | SetMetric
PerImage = ImageMetric | NoReferenceMetric | ReferenceMetric


def size_fault(metric: Metric, width: int, height: int) -> str:
    """Why an image of this size has no value in a metric: the needed and the given sides; empty if it has."""
    base = metric.base if isinstance(metric, GainMetric) else metric
    needed = max(
        base.feature.min_side, base.min_side if isinstance(base, ImageMetric | NoReferenceMetric) else 1
    )
    if base.feature.needs_square and width != height:
        return f"{base.protocol.id} needs square images, aligned as FFHQ's; got {width}x{height}"
    if min(width, height) >= needed:
        return ""
    return f"{base.protocol.id} needs sides of {needed} pixels or more; got {width}x{height}"


__getattr__ = renamed(__name__, {"LoneMetric": "NoReferenceMetric"})
