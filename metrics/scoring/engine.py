"""Execution of scoring: loaded networks, device, threads, and deterministic settings of torch and OpenCV."""

from __future__ import annotations

import ctypes
import os
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from pathlib import Path
from threading import Lock
from typing import Any

import cv2
import numpy as np
import torch

from ...devices import Precision, pick_device
from ...errors import RefbenchError
from ...records.reference_set import Target
from ...weights import weight_files
from ..core.feature import Batch, Extractor, Feature, Landmarks, Tensors
from ..core.metric import Metric, NoReferenceMetric, PerImage, ReferenceMetric, SetMetric


@dataclass(frozen=True)
class Engine:
    """Networks and settings that are loaded once and used for every chunk.

    Attributes:
        metrics: the metrics to compute.
        extractors: feature name to its loaded extractor.
        device: of the networks.
        pool: threads. On a CPU each runs whole networks on one core, so that the number of cores never
            changes a number, and no core waits for another one inside a layer.
        precision: ``float32``, or ``bfloat16`` inside the networks.
        batch_size: images at a time for every network; None for each network's own.
        cache: folder of compact features of HQ images and references; None for none.
        key: hash of everything above that a number depends on, and of the weights.
        device_lock: held by a thread while it uses the device; does nothing on a CPU.
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
        """The features of the metrics, each once."""
        return tuple({metric.feature.name: metric.feature for metric in self.metrics}.values())

    def per_image(self, feature: Feature) -> list[PerImage]:
        """The metrics of single images that are computed from a feature."""
        return [m for m in self.metrics if isinstance(m, PerImage) and m.feature.name == feature.name]

    def keeps_vectors(self, feature: Feature) -> bool:
        """Whether a metric of the set needs the feature's vectors."""
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

    def batch_size_of(self, feature: Feature) -> int:
        """Images at a time for a feature."""
        return self.batch_size or (feature.batch if self.device.type == "cpu" else feature.wide_batch)

    def extract(self, feature: Feature, batch: Batch) -> Tensors:
        """A feature of a batch; where memory runs out the batch is halved, down to one image.

        Raises:
            RefbenchError: the memory does not hold a single image.
        """
        lower = self.precision == "bfloat16" and feature.bfloat16
        try:
            autocast = torch.autocast(self.device.type, torch.bfloat16, enabled=lower)
            with self.device_lock, torch.inference_mode(), autocast:
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
    """The extractor of a feature; the last twelve are kept, so that a later run need not load them again.

    Raises:
        RefbenchError: its weights are absent, or the file is not the expected one.
    """
    return _loaded(feature, device, tuple(weight_files.digest(name) for name in feature.weights))


@lru_cache(maxsize=12)
def _loaded(feature: Feature, device: torch.device, digests: tuple[str, ...]) -> Extractor:
    return feature.load(device)


def landmarks_of(targets: Sequence[Target]) -> Landmarks:
    """Landmarks (N, 5, 2) float64 of targets; NaN where the set knows none."""
    unknown = np.full((5, 2), np.nan)
    return np.stack([np.array(t.landmarks) if len(t.landmarks) == 5 else unknown for t in targets])


def available_cores() -> int:
    """Number of processor cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def release_memory() -> None:
    """Return freed memory to the system where glibc keeps it; otherwise the memory of a run grows."""
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).malloc_trim(0)


@contextmanager
def deterministic(workers: int | None) -> Iterator[ThreadPoolExecutor]:
    """A pool of threads, with torch and OpenCV set so that scores are the same every time.

    TF32 and the search for the fastest algorithm are off, deterministic algorithms of cuDNN are on, and every
    network runs on one thread, ``workers`` of them at a time (None: one per core). The settings are restored
    when the last of several such blocks, in any threads, has ended.
    """
    with (
        _fixed_settings(),
        ThreadPoolExecutor(
            workers or available_cores(), initializer=torch.set_num_threads, initargs=(1,)
        ) as pool,
    ):
        yield pool


_settings_lock = Lock()
_settings_users = 0
_settings_before: list[tuple[Any, str, Any]] = []


@contextmanager
def _fixed_settings() -> Iterator[None]:
    global _settings_users
    switches: tuple[tuple[Any, str, bool], ...] = (
        (torch.backends.cuda.matmul, "allow_tf32", False),
        (torch.backends.cudnn, "allow_tf32", False),
        (torch.backends.cudnn, "benchmark", False),
        (torch.backends.cudnn, "deterministic", True),
    )
    threads = torch.get_num_threads()
    with _settings_lock:
        if not _settings_users:
            _settings_before[:] = [(owner, name, getattr(owner, name)) for owner, name, _ in switches]
            _settings_before.append((cv2, "threads", cv2.getNumThreads()))
        _settings_users += 1
        for owner, name, value in switches:
            setattr(owner, name, value)
        cv2.setNumThreads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)
        with _settings_lock:
            _settings_users -= 1
            if not _settings_users:
                *earlier, (_, _, cv_threads) = _settings_before
                for owner, name, value in earlier:
                    setattr(owner, name, value)
                cv2.setNumThreads(cv_threads)
