"""Metrics on tensors: `measure` for one batch, and `Meter` with update, compute and reset for many."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from ...devices import Precision
from ...errors import RefbenchError
from ..catalogue import find, newest
from ..core.feature import Batch, Landmarks, Tensors
from ..core.metric import (
    GainMetric,
    ImageMetric,
    NoReferenceMetric,
    ReferenceMetric,
    SetMetric,
    size_fault,
)
from ..core.tensors import check_images, check_pair
from .engine import Engine, load, torch_device


class Meter:
    """A metric of the catalogue that is fed with batches of images: update, compute, reset.

    Args:
        protocol: a protocol id; one of an old version gives the current version, see `catalogue.newest`.
        device: of its network: ``cpu``, ``cuda``, ``cuda:1``, or ``auto`` for the best available; images are
            copied there.
        precision: ``float32``, or ``bfloat16`` inside the network.

    Raises:
        RefbenchError: an unknown id, device or precision, or absent weights.
    """

    def __init__(self, protocol: str, device: str = "cpu", precision: Precision = "float32") -> None:
        if precision not in ("float32", "bfloat16"):
            raise RefbenchError(f"the precision of a metric is float32 or bfloat16; got {precision!r}")
        self.metric = find(newest(protocol))
        place = torch_device(device)
        base = self.metric.base if isinstance(self.metric, GainMetric) else self.metric
        extractors = {base.feature.name: load(base.feature, place)}
        pool = ThreadPoolExecutor(1)
        self._engine = Engine((base,), extractors, place, pool, precision)
        self.reset()

    def reset(self) -> None:
        """Forget all images."""
        self._values: list[Tensor] = []
        self._restored: list[npt.NDArray[np.float32]] = []
        self._hq: list[npt.NDArray[np.float32]] = []

    @property
    def images(self) -> int:
        """Number of restored images so far."""
        return sum(map(len, self._values)) + sum(map(len, self._restored))

    def update(
        self,
        restored: Tensor,
        hq: Tensor | None = None,
        *,
        lq: Tensor | None = None,
        references: Sequence[Tensor] | None = None,
        landmarks: npt.ArrayLike | None = None,
        reference_landmarks: Sequence[npt.ArrayLike] | None = None,
    ) -> Tensor | None:
        """Add a batch and return its values, (N,) float64; None for a metric of the set.

        Args:
            restored: RGB floating point in [0, 1], (N, 3, H, W).
            hq: the HQ images, of the same shape; None for a no-reference metric.
            lq: the LQ images, of the same shape, for a gain.
            references: N batches (N_i, 3, H_i, W_i), for a metric that compares with references.
            landmarks: (N, 5, 2) of the HQ images, in pixels, for metrics that crop the face: left eye, right
                eye, nose, left and right corner of the mouth, as they stand in the image.
            reference_landmarks: N arrays (N_i, 5, 2), the same of the references.

        Raises:
            RefbenchError: images of another type, shape or range, or an input that the metric needs is
                absent.
        """
        metric = self.metric
        check_images(restored, "restored")
        if fault := size_fault(metric, width=restored.shape[3], height=restored.shape[2]):
            raise RefbenchError(fault)
        if isinstance(metric, NoReferenceMetric):
            return self._add(
                metric.compare(self._extract(Batch.of(self._to_device(restored), _points(landmarks))))
            )
        if hq is None:
            raise RefbenchError(f"{metric.protocol.id} compares with HQ images; give hq")
        check_pair(restored, hq)
        hq_batch = Batch.of(self._to_device(hq), _points(landmarks))
        batch = Batch.of(self._to_device(restored), hq_batch.landmarks, hq_batch)
        if isinstance(metric, SetMetric):
            for kept, one in ((self._restored, batch), (self._hq, hq_batch)):
                rows = self._extract(one)[0].float().cpu().numpy()
                kept.append(rows[np.isfinite(rows).all(axis=1)])
            return None
        if isinstance(metric, ReferenceMetric):
            groups = self._groups(references, reference_landmarks, len(restored))
            return self._add(metric.compare(self._extract(batch)[0], self._extract(hq_batch)[0], groups))
        if isinstance(metric, ImageMetric):
            return self._add(metric.compare(self._extract(batch), self._extract(hq_batch)))
        if lq is None:
            raise RefbenchError(f"{metric.protocol.id} is a gain over the LQ images; give lq")
        check_pair(lq, hq)
        lq_batch = Batch.of(self._to_device(lq), hq_batch.landmarks, hq_batch)
        tensors = self._extract(hq_batch)
        scores = [metric.base.compare(self._extract(one), tensors) for one in (batch, lq_batch)]
        return self._add(metric.gain(*scores))

    def compute(self) -> float:
        """The mean over all images, or the number of the set.

        Raises:
            RefbenchError: no image was added, one could not be scored, or too few for a number of the set.
        """
        if not self.images:
            raise RefbenchError(f"{self.metric.protocol.id}: no images yet; call update first")
        if isinstance(self.metric, SetMetric):
            return self.metric.compare(self._restored, self._hq)
        values = torch.cat(self._values)
        if not torch.isfinite(values).all():
            count = int((~torch.isfinite(values)).sum())
            reason = "" if isinstance(self.metric, GainMetric) else f" ({self.metric.if_nan})"
            raise RefbenchError(
                f"{self.metric.protocol.id}: {count} of {len(values)} images are unscored{reason}"
            )
        return float(values.mean())

    def _to_device(self, images: Tensor) -> Tensor:
        return images.to(self._engine.device)

    def extract(self, images: Tensor, landmarks: npt.ArrayLike | None = None) -> Tensors:
        """The tensors of the metric's feature, each of length N, for checked images (N, 3, H, W).

        Args:
            images: RGB floating point in [0, 1].
            landmarks: (N, 5, 2) in pixels, for features that crop the face.
        """
        return self._extract(Batch.of(self._to_device(images), _points(landmarks)))

    def _extract(self, batch: Batch) -> Tensors:
        return self._engine.extract(self._engine.features[0], batch)

    def _add(self, values: Tensor) -> Tensor:
        values = values.double().cpu()
        self._values.append(values)
        return values

    def _groups(
        self,
        references: Sequence[Tensor] | None,
        landmarks: Sequence[npt.ArrayLike] | None,
        count: int,
    ) -> list[Tensor]:
        if references is None or len(references) != count or not all(map(len, references)):
            raise RefbenchError(
                f"{self.metric.protocol.id} compares with references; give {count} batches of one or more"
            )
        points = landmarks if landmarks is not None else [None] * count
        return [
            self._extract(Batch.of(self._to_device(check_images(group, "references")), _points(five)))[0]
            for group, five in zip(references, points, strict=True)
        ]


def measure(
    protocol: str,
    restored: Tensor,
    hq: Tensor | None = None,
    *,
    lq: Tensor | None = None,
    references: Sequence[Tensor] | None = None,
    landmarks: npt.ArrayLike | None = None,
    reference_landmarks: Sequence[npt.ArrayLike] | None = None,
    device: str = "cpu",
) -> Tensor:
    """Values of one batch, (N,) float64 on the CPU, NaN where unscored; arguments as in `Meter.update`.

    Raises:
        RefbenchError: as `Meter.update`, or a metric of a whole set of images.
    """
    meter = Meter(protocol, device)
    values = meter.update(
        restored,
        hq,
        lq=lq,
        references=references,
        landmarks=landmarks,
        reference_landmarks=reference_landmarks,
    )
    if values is None:
        raise RefbenchError(
            f"{protocol} is a number of a set of images; use measure_sets, or a Meter batch by batch"
        )
    return values


def _points(landmarks: npt.ArrayLike | None) -> Landmarks | None:
    if landmarks is None:
        return None
    points = np.asarray(landmarks, dtype=np.float64)
    if points.ndim != 3 or points.shape[1:] != (5, 2):
        raise RefbenchError(f"landmarks have the shape (N, 5, 2), in pixels; got {points.shape}")
    return points
