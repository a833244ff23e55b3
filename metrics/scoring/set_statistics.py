"""Feature statistics (mean and covariance) of an image folder or a reference set, in one pass."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

from ...errors import RefbenchError
from ...files import StrPath
from ...images import find_photos, read_rgb
from ...progress import progress
from ...records.reference_set import ReferenceSet
from ..catalogue import find, newest
from ..core.feature import Batch, Landmarks
from ..core.metric import SetMetric
from ..distances.frechet import MomentStream
from ..distances.statistics_file import Statistics
from .engine import Engine, deterministic, load, torch_device
from .provenance import digests_of

Image = tuple[Path, Landmarks]
BLOCK = 64


def measure_statistics(
    protocol: str, images: StrPath, split: str = "all", *, device: str = "cpu", workers: int | None = None
) -> Statistics:
    """Mean and covariance, in float64, of the feature of a set metric over the images of a folder.

    Memory does not grow with the number of images.

    Args:
        protocol: id of a metric of the set, for instance ``fid/inception-clean-hq``.
        images: a reference set (its HQ images), or any folder of images.
        split: of a reference set; ``all`` for every image.
        device: of the network.
        workers: threads; None for one per core. Never changes a number.

    Raises:
        RefbenchError: another kind of metric, absent weights, no images, or images without landmarks for a
            feature that needs them.
    """
    images = Path(images)
    metric = frechet_of(protocol)
    listed, source = _list(images, split)
    digests = digests_of([metric])
    place = torch_device(device)
    with deterministic(workers) as pool, progress("statistics", len(listed)) as advance:
        engine = Engine((metric,), {metric.feature.name: load(metric.feature, place)}, place, pool)

        def rows_of(image: Image) -> torch.Tensor:
            path, landmarks = image
            return engine.extract(metric.feature, Batch([read_rgb(path)], landmarks[None], place))[0]

        stream: MomentStream | None = None
        for start in range(0, len(listed), BLOCK):
            for (path, _), row in zip(
                listed[start : start + BLOCK], pool.map(rows_of, listed[start : start + BLOCK]), strict=True
            ):
                vector = row.float().cpu().numpy()
                if not np.isfinite(vector).all():
                    raise RefbenchError(f"{path}: {metric.feature.name} needs landmarks; use a reference set")
                stream = stream or MomentStream(vector.shape[1])
                stream.add(vector)
                advance(1)
    if stream is None:
        raise RefbenchError(f"{images} holds no images")
    return Statistics(metric.feature.name, digests, source, stream.moments())


def frechet_of(protocol: str) -> SetMetric:
    """The metric of a protocol id, if statistics can be kept for it.

    Raises:
        RefbenchError: a metric of single images, or one that needs the images themselves, as KID does.
    """
    metric = find(newest(protocol))
    if not isinstance(metric, SetMetric):
        raise RefbenchError(
            f"{protocol} is a metric of single images; statistics need a metric of the set, such as FID"
        )
    if not metric.is_frechet:
        raise RefbenchError(
            f"{protocol} needs the images themselves; statistics serve Fréchet distances only"
        )
    return metric


def _list(images: Path, split: str) -> tuple[Sequence[Image], str]:
    unknown = np.full((5, 2), np.nan)
    if not (images / "set.json").is_file():
        return [(path, unknown) for path in find_photos(images)], f"folder {images.name}"
    chosen = ReferenceSet.read(images)
    targets = chosen.select(None if split == "all" else split, with_references=False)
    points = (np.array(t.landmarks) if len(t.landmarks) == 5 else unknown for t in targets)
    found = [(chosen.hq_path(t.key), five) for t, five in zip(targets, points, strict=True)]
    return found, f"set {chosen.info.name}, split {split}, {chosen.info.content_hash[:16]}"
