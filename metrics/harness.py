"""One pass: every file is decoded once, goes to the device once, and every network sees it in batches.

The work of a chunk: decode its HQ images; compute the compact features of HQ images and references (or take
them from the cache); then, feature by feature and batch by batch, compute the HQ side once and compare every
submission with it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from ..builders.manifest import ReferenceSet, Target
from ..errors import FaultyInput, RefbenchError, UnreadableImage
from ..files import sha256_bytes, sha256_json, write_bytes
from ..images import RGB, decode, read_rgb
from .chunks import Chunk, Part
from .features import Bundle, Extractor, Feature, to_batch
from .metric import ImageMetric, Metric, ReferenceMetric, SetMetric
from .pairing import Paired

Landmarks = npt.NDArray[np.float64]
Decoded = RGB | str


@dataclass(frozen=True)
class Work:
    """What a run computes with: metrics, loaded extractors, the device, and how.

    Attributes:
        metrics: what is scored.
        extractors: feature name to its loaded extractor.
        device: of the networks.
        batch_size: images at a time for every network; None for each network's own.
        cache: folder of compact features of HQ images and references; None for none.
        cache_key: names the extractors by their weights.
    """

    metrics: tuple[Metric, ...]
    extractors: Mapping[str, Extractor]
    device: torch.device
    batch_size: int | None
    cache: Path | None
    cache_key: str

    @property
    def features(self) -> tuple[Feature, ...]:
        """The features that the metrics look at, each once."""
        return tuple({metric.feature.name: metric.feature for metric in self.metrics}.values())

    def per_batch(self, feature: Feature) -> int:
        """Images at a time for a feature."""
        return self.batch_size or feature.batch


@contextmanager
def exact_arithmetic() -> Iterator[None]:
    """Turn off TF32 and algorithm search while scoring, and put things back afterwards."""
    switches: tuple[tuple[Any, str, bool], ...] = (
        (torch.backends.cuda.matmul, "allow_tf32", False),
        (torch.backends.cudnn, "allow_tf32", False),
        (torch.backends.cudnn, "benchmark", False),
        (torch.backends.cudnn, "deterministic", True),
    )
    before = [getattr(owner, name) for owner, name, _ in switches]
    for owner, name, value in switches:
        setattr(owner, name, value)
    try:
        with torch.inference_mode():
            yield
    finally:
        for (owner, name, _), value in zip(switches, before, strict=True):
            setattr(owner, name, value)


def read_hq(reference_set: ReferenceSet, target: Target) -> RGB:
    """Decode a HQ image after checking its hash.

    Raises:
        FaultyInput: the file is not the one that the set was built with.
    """
    path = reference_set.hq_path(target.key)
    try:
        data = path.read_bytes()
    except OSError as error:
        raise UnreadableImage(path, f"cannot be opened: {error.strerror or error}") from None
    if sha256_bytes(data) != target.hq_sha256:
        raise FaultyInput(f"{path}: changed since the set was built (its hash differs); build the set again")
    return decode(data, path).pixels


def read_submitted(pair: Paired) -> Decoded:
    """Decode a submitted image, or say why it cannot be scored."""
    if pair.path is None or pair.reason:
        return pair.reason
    try:
        return read_rgb(pair.path)
    except UnreadableImage as error:
        return error.reason


def score_chunk(
    reference_set: ReferenceSet,
    chunk: Chunk,
    submissions: Sequence[Mapping[str, Paired]],
    work: Work,
    pool: ThreadPoolExecutor,
) -> list[Part]:
    """Score one chunk of every submission. The first part is that of the HQ images: vectors, no values."""
    hq_jobs = {t.key: pool.submit(read_hq, reference_set, t) for t in chunk.targets}
    jobs: list[dict[str, Future[Decoded]]] = [
        {t.key: pool.submit(read_submitted, pairs[t.key]) for t in chunk.targets} for pairs in submissions
    ]
    hq = {key: job.result() for key, job in hq_jobs.items()}
    vectors = {f.name: _hq_vectors(reference_set, chunk, hq, f, work) for f in work.features if f.compact}
    restored = [{key: job.result() for key, job in by_key.items()} for by_key in jobs]
    drafts = [_Draft(chunk, work.metrics) for _ in range(len(submissions) + 1)]
    for feature in work.features:
        for targets in _batches(chunk.targets, work.per_batch(feature)):
            keys = [target.key for target in targets]
            if feature.compact:
                bundle: Bundle = (torch.stack([vectors[feature.name][key] for key in keys]),)
            else:
                bundle = _extract(work, feature, [hq[key] for key in keys], _landmarks(targets))
            drafts[0].keep(feature, bundle)
            for draft, photos in zip(drafts[1:], restored, strict=True):
                _compare(work, feature, targets, bundle, vectors.get(feature.name, {}), photos, draft)
    return [draft.part() for draft in drafts]


class _Draft:
    """A part in the making."""

    def __init__(self, chunk: Chunk, metrics: Sequence[Metric]) -> None:
        self.keys = tuple(target.key for target in chunk.targets)
        self.slots = {key: slot for slot, key in enumerate(self.keys)}
        per_image = [m.protocol.id for m in metrics if not isinstance(m, SetMetric)]
        self.values = {name: np.full(len(self.keys), np.nan) for name in per_image}
        self.reasons = {name: [""] * len(self.keys) for name in per_image}
        self.wanted = {metric.feature.name for metric in metrics if isinstance(metric, SetMetric)}
        self.vectors: dict[str, list[npt.NDArray[np.float32]]] = {name: [] for name in self.wanted}

    def unscored(self, name: str, key: str, reason: str) -> None:
        self.reasons[name][self.slots[key]] = reason

    def score(self, name: str, keys: Sequence[str], values: Tensor, if_nan: str) -> None:
        for key, value in zip(keys, values.double().cpu().tolist(), strict=True):
            if np.isfinite(value):
                self.values[name][self.slots[key]] = value
            else:
                self.unscored(name, key, if_nan)

    def keep(self, feature: Feature, bundle: Bundle) -> None:
        if feature.name in self.wanted:
            rows = bundle[0].float().cpu().numpy()
            self.vectors[feature.name].append(rows[np.isfinite(rows).all(axis=1)])

    def part(self) -> Part:
        kept = {name: np.concatenate(rows) for name, rows in self.vectors.items() if rows}
        reasons = {name: tuple(texts) for name, texts in self.reasons.items()}
        return Part(self.keys, self.values, reasons, kept)


def _compare(
    work: Work,
    feature: Feature,
    targets: Sequence[Target],
    hq: Bundle,
    vectors: Mapping[str, Tensor],
    photos: Mapping[str, Decoded],
    draft: _Draft,
) -> None:
    metrics = [metric for metric in work.metrics if metric.feature.name == feature.name]
    rows, usable = [], []
    for row, target in enumerate(targets):
        photo = photos[target.key]
        if isinstance(photo, str):
            for metric in metrics:
                if not isinstance(metric, SetMetric):
                    draft.unscored(metric.protocol.id, target.key, photo)
        else:
            rows.append(row)
            usable.append(target)
    if not usable:
        return
    images = [photo for t in usable if not isinstance(photo := photos[t.key], str)]
    restored = _extract(work, feature, images, _landmarks(usable))
    hq = tuple(tensor[rows] for tensor in hq) if len(rows) < len(targets) else hq
    draft.keep(feature, restored)
    keys = [target.key for target in usable]
    for metric in metrics:
        if isinstance(metric, ImageMetric):
            draft.score(metric.protocol.id, keys, metric.compare(restored, hq), metric.if_nan)
        elif isinstance(metric, ReferenceMetric):
            _compare_with_references(metric, usable, restored[0], vectors, draft)


def _compare_with_references(
    metric: ReferenceMetric,
    targets: Sequence[Target],
    restored: Tensor,
    vectors: Mapping[str, Tensor],
    draft: _Draft,
) -> None:
    rows = [row for row, target in enumerate(targets) if target.references]
    for target in targets:
        if not target.references:
            draft.unscored(metric.protocol.id, target.key, "this image has no references")
    if rows:
        groups = [torch.stack([vectors[key] for key in targets[row].references]) for row in rows]
        keys = [targets[row].key for row in rows]
        draft.score(metric.protocol.id, keys, metric.compare(restored[rows], groups), metric.if_nan)


def _hq_vectors(
    reference_set: ReferenceSet, chunk: Chunk, hq: Mapping[str, RGB], feature: Feature, work: Work
) -> dict[str, Tensor]:
    """A compact feature of every image of a chunk by key, on the device."""
    keys = [image.key for image in chunk.images]
    name = sha256_json([chunk.hashes, feature.name, work.cache_key, work.per_batch(feature)])
    path = work.cache / feature.name / f"{name}.npy" if work.cache else None
    matrix = _read_matrix(path, len(keys)) if path else None
    if matrix is None:
        found: dict[str, Tensor] = {}
        for images in _batches(chunk.images, work.per_batch(feature)):
            photos = [hq[i.key] if i.key in hq else read_hq(reference_set, i) for i in images]
            rows = _extract(work, feature, photos, _landmarks(images))[0]
            found |= dict(zip((image.key for image in images), rows, strict=True))
        matrix = torch.stack([found[key] for key in keys])
        if path:
            import io

            buffer = io.BytesIO()
            np.save(buffer, matrix.cpu().numpy())
            write_bytes(path, buffer.getvalue())
    return dict(zip(keys, matrix.to(work.device), strict=True))


def _read_matrix(path: Path, rows: int) -> Tensor | None:
    try:
        matrix = np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError):
        return None
    return torch.from_numpy(matrix) if matrix.ndim == 2 and len(matrix) == rows else None


def _batches(targets: Sequence[Target], size: int) -> Iterator[list[Target]]:
    """Batches of images of one size, in order of key within each size."""
    buckets: dict[tuple[int, int], list[Target]] = {}
    for target in targets:
        buckets.setdefault((target.width, target.height), []).append(target)
    for bucket in buckets.values():
        for start in range(0, len(bucket), size):
            yield bucket[start : start + size]


def _landmarks(targets: Sequence[Target]) -> Landmarks:
    unknown = np.full((5, 2), np.nan)
    return np.stack([np.array(t.landmarks) if len(t.landmarks) == 5 else unknown for t in targets])


def _extract(work: Work, feature: Feature, photos: Sequence[RGB], landmarks: Landmarks) -> Bundle:
    """A feature of some photos of one size; on exhausted memory in halves."""
    try:
        return work.extractors[feature.name](to_batch(photos, landmarks, work.device))
    except (torch.OutOfMemoryError, RuntimeError) as error:
        if not _is_memory(error):
            raise
    if len(photos) == 1:
        height, width = photos[0].shape[:2]
        raise RefbenchError(
            f"{feature.name}: not enough memory on {work.device} for one image of {width}x{height}"
        )
    middle = len(photos) // 2
    first = _extract(work, feature, photos[:middle], landmarks[:middle])
    second = _extract(work, feature, photos[middle:], landmarks[middle:])
    return tuple(torch.cat(pair) for pair in zip(first, second, strict=True))


def _is_memory(error: RuntimeError) -> bool:
    return isinstance(error, torch.OutOfMemoryError) or "can't allocate memory" in str(error)
