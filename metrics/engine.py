"""What a run computes with: loaded networks, a device, threads, and switches that keep numbers the same."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch

from ..builders.manifest import Target
from ..errors import RefbenchError
from ..images import RGB
from .features import Batch, Bundle, Extractor, Feature
from .metric import Metric


@dataclass(frozen=True)
class Engine:
    """Everything that is loaded once and used for every chunk.

    Attributes:
        metrics: what is scored.
        extractors: feature name to its loaded extractor.
        device: of the networks.
        batch_size: images at a time for every network; None for each network's own.
        cache: folder of compact features of HQ images and references; None for none.
        cache_key: names the extractors by their weights.
        pool: threads. On a CPU each runs whole networks on one core: so more cores never change a number,
            and nothing waits for the slowest core inside a layer.
    """

    metrics: tuple[Metric, ...]
    extractors: Mapping[str, Extractor]
    device: torch.device
    batch_size: int | None
    cache: Path | None
    cache_key: str
    pool: ThreadPoolExecutor

    @property
    def features(self) -> tuple[Feature, ...]:
        """The features that the metrics look at, each once."""
        return tuple({metric.feature.name: metric.feature for metric in self.metrics}.values())

    def batch_of(self, feature: Feature) -> int:
        """Images at a time for a feature."""
        return self.batch_size or (feature.batch if self.device.type == "cpu" else feature.wide_batch)

    def extract(self, feature: Feature, photos: Sequence[RGB], targets: Sequence[Target]) -> Bundle:
        """A feature of photos of one size, whose faces lie where their targets say.

        When memory runs out the batch is halved, down to one image.

        Raises:
            RefbenchError: one image alone is too much.
        """
        return self.extract_batch(feature, Batch(photos, landmarks_of(targets), self.device))

    def extract_batch(self, feature: Feature, batch: Batch) -> Bundle:
        """The same of a batch, whose pixels other features may share."""
        try:
            with torch.inference_mode():
                return self.extractors[feature.name](batch)
        except RuntimeError as error:
            if not isinstance(error, torch.OutOfMemoryError) and "can't allocate memory" not in str(error):
                raise
        if len(batch.photos) == 1:
            height, width = batch.photos[0].shape[:2]
            size = f"one image of {width}x{height}"
            raise RefbenchError(f"{feature.name}: {size} needs more memory than {self.device} has")
        halves = [self.extract_batch(feature, half) for half in batch.halves()]
        return tuple(torch.cat(pair) for pair in zip(*halves, strict=True))


def landmarks_of(targets: Sequence[Target]) -> Any:
    """Landmarks (N, 5, 2) float64 of targets; NaN where the set knows none."""
    unknown = np.full((5, 2), np.nan)
    return np.stack([np.array(t.landmarks) if len(t.landmarks) == 5 else unknown for t in targets])


def cores() -> int:
    """Processor cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


@contextmanager
def steady(workers: int | None) -> Iterator[ThreadPoolExecutor]:
    """Threads to score with, and the switches of torch and OpenCV that keep numbers the same.

    TF32 and the search for the fastest algorithm are off, deterministic algorithms of cuDNN on, and every
    network runs on one thread, ``workers`` of them at a time (None: as many as there are cores). All is put
    back afterwards.
    """
    switches: tuple[tuple[Any, str, bool], ...] = (
        (torch.backends.cuda.matmul, "allow_tf32", False),
        (torch.backends.cudnn, "allow_tf32", False),
        (torch.backends.cudnn, "benchmark", False),
        (torch.backends.cudnn, "deterministic", True),
    )
    before = [getattr(owner, name) for owner, name, _ in switches]
    threads, cv_threads = torch.get_num_threads(), cv2.getNumThreads()
    for owner, name, value in switches:
        setattr(owner, name, value)
    cv2.setNumThreads(1)
    try:
        with ThreadPoolExecutor(workers or cores(), initializer=torch.set_num_threads, initargs=(1,)) as pool:
            yield pool
    finally:
        for (owner, name, _), value in zip(switches, before, strict=True):
            setattr(owner, name, value)
        torch.set_num_threads(threads)
        cv2.setNumThreads(cv_threads)
