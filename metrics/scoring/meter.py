"""One metric by itself, on tensors: `measure` for a batch; `Meter` with update, compute and reset."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from ...devices import Precision
from ...errors import RefbenchError
from ..catalogue import find
from ..core.feature import Batch, Landmarks
from ..core.metric import GainMetric, ImageMetric, NoReferenceMetric, ReferenceMetric, SetMetric
from ..core.tensors import check_images, check_pair
from .engine import Engine, load


class Meter:
    """A metric of the catalogue as an object with update, compute and reset.

    Args:
        protocol: an id.
        device: where its network runs; images are brought there.
        precision: ``float32``, or ``bfloat16`` inside the network.

    Raises:
        RefbenchError: an unknown id, or absent weights.
    """

    def __init__(self, protocol: str, device: str = "cpu", precision: Precision = "float32") -> None:
        self.metric = find(protocol)
        place = torch.device(device)
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
        """How many images were seen."""
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
            restored: (N, 3, H, W), RGB in [0, 1].
            hq: the same of the HQ images; None for a no-reference metric.
            lq: the same of the LQ images, for a gain.
            references: N batches (N_i, 3, H_i, W_i), for a metric against references.
            landmarks: (N, 5, 2) of the HQ images, in pixels, for metrics that crop the face.
            reference_landmarks: N arrays (N_i, 5, 2).

        Raises:
            RefbenchError: images of the wrong kind, or something that the metric needs is absent.
        """
        metric = self.metric
        if isinstance(metric, NoReferenceMetric):
            check_images(restored, "restored")
            return self._add(
                metric.compare(self._extract(Batch.of(self._here(restored), _points(landmarks))))
            )
        if hq is None:
            raise RefbenchError(f"{metric.protocol.id} compares with HQ images; give hq")
        check_pair(restored, hq)
        true = Batch.of(self._here(hq), _points(landmarks))
        batch = Batch.of(self._here(restored), true.landmarks, true)
        if isinstance(metric, SetMetric):
            for kept, one in ((self._restored, batch), (self._hq, true)):
                rows = self._extract(one)[0].float().cpu().numpy()
                kept.append(rows[np.isfinite(rows).all(axis=1)])
            return None
        if isinstance(metric, ReferenceMetric):
            groups = self._groups(references, reference_landmarks, len(restored))
            return self._add(metric.compare(self._extract(batch)[0], self._extract(true)[0], groups))
        if isinstance(metric, ImageMetric):
            return self._add(metric.compare(self._extract(batch), self._extract(true)))
        if lq is None:
            raise RefbenchError(f"{metric.protocol.id} is a gain over the LQ images; give lq")
        check_pair(lq, hq)
        before = Batch.of(self._here(lq), true.landmarks, true)
        bundle, sign = self._extract(true), 1.0 if metric.base.protocol.higher_is_better else -1.0
        scores = [metric.base.compare(self._extract(one), bundle) for one in (batch, before)]
        return self._add(sign * (scores[0] - scores[1]))

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

    def _here(self, images: Tensor) -> Tensor:
        return images.to(self._engine.device)

    def _extract(self, batch: Batch) -> tuple[Tensor, ...]:
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
            self._extract(Batch.of(self._here(check_images(group, "references")), _points(five)))[0]
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
    """Values of one batch, (N,) float64, NaN where unscored; arguments as in `Meter.update`.

    Raises:
        RefbenchError: as `Meter.update`, or a metric of the set, which one batch is not.
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
        raise RefbenchError(f"{protocol} is a number of a set of images; use Meter, with update and compute")
    return values


def _points(landmarks: npt.ArrayLike | None) -> Landmarks | None:
    if landmarks is None:
        return None
    points = np.asarray(landmarks, dtype=np.float64)
    if points.ndim != 3 or points.shape[1:] != (5, 2):
        raise RefbenchError(f"landmarks have the shape (N, 5, 2), in pixels; got {points.shape}")
    return points
