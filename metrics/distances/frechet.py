"""Fréchet distance between two sets of feature vectors (FID), from streaming moments in float64."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ...errors import RefbenchError
from ...records.protocol import Protocol
from ..core.feature import Feature
from ..core.metric import SetMetric, Vectors

Array = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Moments:
    """Count, mean (D,) and covariance (D, D, divided by count - 1) of feature vectors, in float64."""

    count: int
    mean: Array
    covariance: Array

    @classmethod
    def of(cls, features: npt.NDArray[np.floating]) -> Moments:
        """Moments of (N, D) features."""
        stream = MomentStream(features.shape[1])
        stream.add(features)
        return stream.moments()


class MomentStream:
    """Running sums of (N, D) features: memory does not grow with N.

    Sums are taken about the first batch's mean, which keeps the covariance exact when features are far
    from zero.
    """

    def __init__(self, dimensions: int) -> None:
        self.count = 0
        self._origin: Array | None = None
        self._sum = np.zeros(dimensions)
        self._products = np.zeros((dimensions, dimensions))

    def add(self, features: npt.NDArray[np.floating]) -> None:
        """Add a batch (N, D).

        Raises:
            RefbenchError: NaN or infinity among the features, or another width.
        """
        rows = np.asarray(features, dtype=np.float64)
        if rows.ndim != 2 or rows.shape[1] != len(self._sum):
            raise RefbenchError(f"features of shape {rows.shape}; wanted (N, {len(self._sum)})")
        _require_finite(rows)
        if len(rows) == 0:
            return
        if self._origin is None:
            self._origin = rows.mean(axis=0)
        centred = rows - self._origin
        self.count += len(rows)
        self._sum += centred.sum(axis=0)
        self._products += centred.T @ centred

    def moments(self) -> Moments:
        """The moments so far.

        Raises:
            RefbenchError: fewer than two vectors have no covariance.
        """
        if self.count < 2 or self._origin is None:
            raise RefbenchError(f"a covariance needs two images or more; got {self.count}")
        mean = self._sum / self.count
        covariance = (self._products - self.count * np.outer(mean, mean)) / (self.count - 1)
        return Moments(self.count, self._origin + mean, covariance)


@dataclass(frozen=True, slots=True)
class LowRankMoments:
    """Moments of fewer images than dimensions: the mean (D,), and A (N, D) with A^T A = the covariance."""

    mean: Array
    factor: Array

    @classmethod
    def of(cls, features: Array) -> LowRankMoments:
        """Moments of (N, D) features, which are used up.

        Raises:
            RefbenchError: fewer than two vectors have no covariance; NaN or infinity among them.
        """
        _require_finite(features)
        count = len(features)
        if count < 2:
            raise RefbenchError(f"a covariance needs two images or more; got {count}")
        mean = features.mean(axis=0)
        features -= mean
        features /= np.sqrt(count - 1)
        return cls(mean, features)


def frechet_distance(first: Moments | LowRankMoments, second: Moments | LowRankMoments) -> float:
    """|m1 - m2|^2 + tr(S1) + tr(S2) - 2 tr((S1 S2)^(1/2)), never below 0.

    Dowson and Landau 1982; as a score of image sets, Heusel et al. 2017. The trace of the root is taken
    from symmetric matrices alone, in float64, so nothing turns imaginary: the eigenvalues of R S2 R with
    R = S1^(1/2); with few images, where S = A^T A, those of A1 S2 A1^T, or the singular values of A1 A2^T.

    Raises:
        RefbenchError: the two have different dimensions, or one of them fewer than two images.
    """
    if first.mean.shape != second.mean.shape:
        got = f"{first.mean.size} and {second.mean.size}"
        raise RefbenchError(f"features of {got} dimensions; both sets need the same network and layer")
    gap = first.mean - second.mean
    distance = gap @ gap + _variance(first) + _variance(second) - 2.0 * _root_trace(first, second)
    return max(float(distance), 0.0)


def _require_finite(features: Array) -> None:
    if not np.isfinite(features).all():
        raise RefbenchError("NaN or infinity among the features; score the images one by one to find it")


def _variance(side: Moments | LowRankMoments) -> float:
    if isinstance(side, LowRankMoments):
        return float(np.vdot(side.factor, side.factor))
    return float(np.trace(side.covariance))


def _root_trace(first: Moments | LowRankMoments, second: Moments | LowRankMoments) -> float:
    if isinstance(first, LowRankMoments) and isinstance(second, LowRankMoments):
        return float(np.linalg.svd(first.factor @ second.factor.T, compute_uv=False).sum())
    if isinstance(first, Moments) and isinstance(second, Moments):
        values, vectors = np.linalg.eigh(first.covariance)
        root = (vectors * np.sqrt(np.clip(values, 0.0, None))) @ vectors.T
        inner = root @ second.covariance @ root
    elif isinstance(first, LowRankMoments) and isinstance(second, Moments):
        inner = first.factor @ second.covariance @ first.factor.T
    else:
        return _root_trace(second, first)
    return float(np.sqrt(np.clip(np.linalg.eigvalsh(inner), 0.0, None)).sum())


def gather(vectors: Vectors, dimensions: int) -> Moments | LowRankMoments:
    """What is needed of a stream of (n, D) batches: themselves while there are fewer than D, else moments."""
    waiting: list[npt.NDArray[np.floating]] = []
    stream: MomentStream | None = None
    for batch in vectors:
        waiting.append(batch)
        if stream is None and sum(map(len, waiting)) >= dimensions:
            stream = MomentStream(dimensions)
        if stream is not None:
            for rows in waiting:
                stream.add(rows)
            waiting = []
    if stream is not None:
        return stream.moments()
    return LowRankMoments.of(np.concatenate([np.zeros((0, dimensions)), *waiting], dtype=np.float64))


def frechet_between(dimensions: int) -> Callable[[Vectors, Vectors], float]:
    """The Fréchet distance of two streams of (n, D) batches; memory does not grow beyond D x D."""

    def compare(restored: Vectors, hq: Vectors) -> float:
        return frechet_distance(gather(restored, dimensions), gather(hq, dimensions))

    return compare


def frechet_metric(
    name: str, title: str, feature: Feature, *, dimensions: int, words: str, licence: str
) -> SetMetric:
    """A Fréchet distance between all restored and all HQ images on a named feature; never called FID."""
    protocol = Protocol(
        id=name,
        title=title,
        higher_is_better=False,
        unit="1",
        bounds=(0.0, None),
        compared_with="set",
        decimals=3,
        weights=feature.weights,
        definition=f"Fréchet distance between Gaussians fitted to {words} ({dimensions} dimensions) of all "
        "restored and of all HQ images; symmetric eigenvalue route in float64. It is not FID.",
        licence=licence,
        citation="Dowson and Landau 1982; for image sets Heusel et al., NeurIPS 2017",
    )
    compare = frechet_between(dimensions)
    return SetMetric(
        protocol, feature, compare, min_images=dimensions + 1, is_frechet=True, dimensions=dimensions
    )
