"""What a run computes with: loaded networks, a device, threads, and switches that keep numbers the same."""

from __future__ import annotations

import ctypes
import os
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch

from ...devices import Precision, pick_device
from ...errors import RefbenchError
from ...records.reference_set import Target
from ...weights import weight_files
from ..core.feature import Batch, Bundle, Extractor, Feature, Landmarks
from ..core.metric import Metric, NoReferenceMetric, PerImage, ReferenceMetric, SetMetric


@dataclass(frozen=True)
class Engine:
    """Everything that is loaded once and used for every chunk.

    Attributes:
        metrics: what is scored.
        extractors: feature name to its loaded extractor.
        device: of the networks.
        precision: ``float32``, or ``bfloat16`` inside the networks.
        batch_size: images at a time for every network; None for each network's own.
        cache: folder of compact features of HQ images and references; None for none.
        key: names all of the above that moves a number, and the weights.
        pool: threads. On a CPU each runs whole networks on one core: so more cores never change a number,
            and nothing waits for the slowest core inside a layer.
        device_lock: what a thread holds while it uses the device; a lock for one that all threads share.
    """

    metrics: tuple[Metric, ...]
    extractors: Mapping[str, Extractor]
    device: torch.device
    pool: ThreadPoolExecutor
    precision: Precision = "float32"
    batch_size: int | None = None
    cache: Path | None = None
    key: str = ""
    device_lock: AbstractContextManager[object] = field(default_factory=nullcontext)

    @cached_property
    def features(self) -> tuple[Feature, ...]:
        """The features that the metrics look at, each once."""
        return tuple({metric.feature.name: metric.feature for metric in self.metrics}.values())

    def per_image(self, feature: Feature) -> list[PerImage]:
        """The metrics of single images that look at a feature."""
        return [m for m in self.metrics if isinstance(m, PerImage) and m.feature.name == feature.name]

    def is_kept(self, feature: Feature) -> bool:
        """Whether a metric of the set wants the feature's vectors."""
        return any(isinstance(m, SetMetric) and m.feature.name == feature.name for m in self.metrics)

    def needs_hq(self, feature: Feature) -> bool:
        """Whether a metric compares the feature with that of the HQ image."""
        return any(
            m.feature.name == feature.name
            and not isinstance(m, NoReferenceMetric)
            and not (isinstance(m, SetMetric) and m.statistics)
            for m in self.metrics
        )

    def needs_references(self, feature: Feature) -> bool:
        """Whether a metric compares the feature with that of the references."""
        return any(isinstance(m, ReferenceMetric) and m.feature.name == feature.name for m in self.metrics)

    def batch_of(self, feature: Feature) -> int:
        """Images at a time for a feature."""
        return self.batch_size or (feature.batch if self.device.type == "cpu" else feature.wide_batch)

    def extract(self, feature: Feature, batch: Batch) -> Bundle:
        """A feature of a batch; when memory runs out, the batch is halved, down to one image.

        Raises:
            RefbenchError: one image alone is too much.
        """
        wanted = self.precision == "bfloat16" and feature.halves
        try:
            half = torch.autocast(self.device.type, torch.bfloat16, enabled=wanted)
            with self.device_lock, torch.inference_mode(), half:
                return self.extractors[feature.name](batch)
        except RuntimeError as error:
            if not isinstance(error, torch.OutOfMemoryError) and "can't allocate memory" not in str(error):
                raise
        count = len(batch.photos)
        if count == 1:
            height, width = batch.photos[0].shape[:2]
            size = f"one image of {width}x{height}"
            raise RefbenchError(f"{feature.name}: {size} needs more memory than {self.device} has")
        halves = [range(count // 2), range(count // 2, count)]
        parts = [self.extract(feature, batch.rows(rows)) for rows in halves]
        return tuple(torch.cat(pair) for pair in zip(*parts, strict=True))


def torch_device(name: str) -> torch.device:
    """The device of a name as `pick_device` reads it; ``mps`` lacks float64 and gives the CPU.

    Raises:
        RefbenchError: a device that this machine does not have, or a name that no device has.
    """
    picked = pick_device(name)
    return torch.device("cpu" if picked.startswith("mps") else picked)


def load(feature: Feature, device: torch.device) -> Extractor:
    """The extractor of a feature; kept, so that whoever scores next with the same weights need not load it.

    Raises:
        RefbenchError: its weights are absent or not what they should be.
    """
    return _loaded(feature, device, tuple(weight_files.digest(name) for name in feature.weights))


@lru_cache(maxsize=12)
def _loaded(feature: Feature, device: torch.device, digests: tuple[str, ...]) -> Extractor:
    return feature.load(device)


def landmarks_of(targets: Sequence[Target]) -> Landmarks:
    """Landmarks (N, 5, 2) float64 of targets; NaN where the set knows none."""
    unknown = np.full((5, 2), np.nan)
    return np.stack([np.array(t.landmarks) if len(t.landmarks) == 5 else unknown for t in targets])


def cores() -> int:
    """Processor cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def give_back_memory() -> None:
    """Give freed memory back to the system where glibc keeps it; else what a run holds creeps upwards."""
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).malloc_trim(0)


@contextmanager
def deterministic(workers: int | None) -> Iterator[ThreadPoolExecutor]:
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
