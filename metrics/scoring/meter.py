"""Metrics on tensors: `measure` for one batch, and `Meter` with update, compute and reset for many."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar, cast

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
from .engine import Engine, deterministic, load, torch_device

Rows = npt.NDArray[np.float32]
Part = TypeVar("Part")


class Meter:
    """A metric of the catalogue that is fed with batches of images: update, compute, reset.

    On a CPU every image is computed on one core, several images side by side, as `score` does; no number
    depends on the number of threads.

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
        self._restored: list[Rows] = []
        self._hq: list[Rows] = []

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
                eye, nose, left and right corner of the mouth, as they stand in the image. A row of NaN is a
                face that was not found; its image has no value.
            reference_landmarks: N arrays (N_i, 5, 2), the same of the references.

        Raises:
            RefbenchError: images of another type, shape or range, or too small for the metric, or an input
                that the metric needs is absent: all that are absent are named.
        """
        metric = self.metric
        check_images(restored, "restored")
        if fault := size_fault(metric, width=restored.shape[3], height=restored.shape[2]):
            raise RefbenchError(fault)
        given = {
            "hq": hq,
            "lq": lq,
            "references": references,
            "landmarks": landmarks,
            "reference_landmarks": reference_landmarks,
        }
        self._require({name for name, value in given.items() if value is not None}, len(restored))
        points = _points(landmarks, len(restored))
        if isinstance(metric, NoReferenceMetric):
            batch = Batch.of(self._to_device(restored), points)
            return self._add(
                torch.cat(self._by_rows(len(restored), lambda rows: self._alone(batch.rows(rows))))
            )
        hq = cast("Tensor", hq)
        check_pair(restored, hq)
        hq_batch = Batch.of(self._to_device(hq), points)
        batch = Batch.of(self._to_device(restored), hq_batch.landmarks, hq_batch)
        if isinstance(metric, SetMetric):
            pairs = self._by_rows(len(restored), lambda rows: self._pair(batch.rows(rows)))
            for ours, theirs in pairs:
                for kept, one in ((self._restored, ours), (self._hq, theirs)):
                    found = one[0].float().cpu().numpy()
                    kept.append(found[np.isfinite(found).all(axis=1)])
            return None
        if isinstance(metric, ReferenceMetric):
            groups = self._groups(references, reference_landmarks, len(restored))
            pairs = self._by_rows(len(restored), lambda rows: self._pair(batch.rows(rows)))
            both = [torch.cat([pair[side][0] for pair in pairs]) for side in (0, 1)]
            return self._add(metric.compare(both[0], both[1], groups))
        if isinstance(metric, ImageMetric):
            return self._add(self._compared(metric, batch))
        lq = cast("Tensor", lq)
        check_pair(lq, hq)
        lq_batch = Batch.of(self._to_device(lq), hq_batch.landmarks, hq_batch)
        scores = [self._compared(metric.base, one) for one in (batch, lq_batch)]
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

    def extract(self, images: Tensor, landmarks: npt.ArrayLike | None = None) -> Tensors:
        """The tensors of the metric's feature, each of length N, for checked images (N, 3, H, W).

        Args:
            images: RGB floating point in [0, 1].
            landmarks: (N, 5, 2) in pixels, for features that crop the face.
        """
        batch = Batch.of(self._to_device(images), _points(landmarks, len(images)))
        parts = self._by_rows(len(images), lambda rows: self._extract(batch.rows(rows)))
        return tuple(torch.cat(tensors) for tensors in zip(*parts, strict=True))

    def _require(self, given: set[str], count: int) -> None:
        """Check that everything that the metric compares with is given."""
        metric, base = self.metric, self._engine.metrics[0]
        wanted = {
            "hq": "hq, the HQ images" if not isinstance(metric, NoReferenceMetric) else "",
            "lq": "lq, the LQ images" if isinstance(metric, GainMetric) else "",
            "references": f"{count} batches of references" if isinstance(metric, ReferenceMetric) else "",
        }
        if base.feature.needs_landmarks:
            aligned = "refbench.metrics.aligned_landmarks gives those of aligned square faces"
            wanted["landmarks"] = f"landmarks, (N, 5, 2) in pixels of the HQ images ({aligned})"
            if isinstance(metric, ReferenceMetric):
                wanted["reference_landmarks"] = f"reference_landmarks, {count} arrays (N_i, 5, 2)"
        absent = [words for name, words in wanted.items() if words and name not in given]
        if absent:
            raise RefbenchError(f"{metric.protocol.id} needs more than it got; give {'; give '.join(absent)}")

    def _by_rows(self, count: int, compute: Callable[[range], Part]) -> list[Part]:
        """A function of rows, on a CPU for as many rows at a time as `score` takes, each on one core."""
        if self._engine.device.type != "cpu":
            return [compute(range(count))]
        size = self._engine.batch_size_of(self._engine.features[0])
        with deterministic(None) as pool:
            return list(pool.map(compute, [range(i, min(i + size, count)) for i in range(0, count, size)]))

    def _compared(self, metric: ImageMetric, batch: Batch) -> Tensor:
        def compare(rows: range) -> Tensor:
            return metric.compare(*self._pair(batch.rows(rows)))

        return torch.cat(self._by_rows(len(batch.photos), compare))

    def _pair(self, batch: Batch) -> tuple[Tensors, Tensors]:
        """The tensors of restored images and of their HQ images."""
        theirs = self._extract(batch.hq)
        return self._extract(batch), theirs

    def _alone(self, batch: Batch) -> Tensor:
        return cast("NoReferenceMetric", self.metric).compare(self._extract(batch))

    def _to_device(self, images: Tensor) -> Tensor:
        return images.to(self._engine.device)

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
        if len(points) != count:
            raise RefbenchError(f"reference_landmarks: got {len(points)} arrays; wanted {count}")
        return [
            self.extract(check_images(group, "references"), five)[0]
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
    if isinstance(meter.metric, SetMetric):
        raise RefbenchError(
            f"{protocol} is a number of a set of images; use measure_sets, or a Meter batch by batch"
        )
    values = meter.update(
        restored,
        hq,
        lq=lq,
        references=references,
        landmarks=landmarks,
        reference_landmarks=reference_landmarks,
    )
    return cast("Tensor", values)


def _points(landmarks: npt.ArrayLike | None, count: int) -> Landmarks | None:
    if landmarks is None:
        return None
    points = np.asarray(landmarks, dtype=np.float64)
    if points.shape != (count, 5, 2):
        raise RefbenchError(f"landmarks have the shape ({count}, 5, 2), in pixels; got {points.shape}")
    return points
