"""A metric: a protocol with the feature it looks at and the kernel that makes a number of it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from torch import Tensor

from .features import Bundle, Feature
from .protocol import Protocol

Vectors = Iterable[npt.NDArray[np.floating]]


@dataclass(frozen=True, slots=True)
class ImageMetric:
    """A number of each image, against the same feature of its HQ image.

    ``compare`` takes the feature of a batch of restored images and of their HQ images, and gives (N,).
    A value that is not finite becomes an unscored row with the reason ``if_nan``.
    """

    protocol: Protocol
    feature: Feature
    compare: Callable[[Bundle, Bundle], Tensor]
    if_nan: str = "the value is not a finite number"


@dataclass(frozen=True, slots=True)
class ReferenceMetric:
    """A number of each image, against a compact feature (N_i, D) of its references in order."""

    protocol: Protocol
    feature: Feature
    compare: Callable[[Tensor, Sequence[Tensor]], Tensor]
    if_nan: str = "the value is not a finite number"


@dataclass(frozen=True, slots=True)
class SetMetric:
    """A number of all images together, against all HQ images: each a stream of batches of vectors (N, D).

    ``enough`` is the number of images below which the number is shown with a warning.
    """

    protocol: Protocol
    feature: Feature
    compare: Callable[[Vectors, Vectors], float]
    enough: int


Metric = ImageMetric | ReferenceMetric | SetMetric
