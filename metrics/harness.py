"""One pass: every file is decoded once, and every network sees the HQ side once for all submissions.

The work of a chunk: decode its images; compute the compact features of HQ images and references (or take
them from the cache); then, batch by batch, compute the HQ side and compare every submission with it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from ..builders.manifest import ReferenceSet, Target
from ..images import RGB
from .chunks import Chunk, Part, batches
from .engine import Engine, landmarks_of
from .features import Batch, Bundle, Feature
from .hq_vectors import Vectors, begin_vectors
from .metric import ImageMetric, ReferenceMetric, SetMetric
from .pairing import Paired
from .reading import Decoded, read_hq, read_submitted


@dataclass(frozen=True)
class Opened:
    """A chunk whose files are being decoded in the engine's threads."""

    chunk: Chunk
    hq: Mapping[str, Future[RGB]]
    restored: Sequence[Mapping[str, Future[Decoded]]]


def open_chunk(
    reference_set: ReferenceSet,
    chunk: Chunk,
    submissions: Sequence[Mapping[str, Paired]],
    engine: Engine,
) -> Opened:
    """Begin to decode a chunk: its HQ images, and those of every submission."""
    submit = engine.pool.submit
    return Opened(
        chunk,
        {t.key: submit(read_hq, reference_set, t) for t in chunk.targets},
        [{t.key: submit(read_submitted, pairs[t.key]) for t in chunk.targets} for pairs in submissions],
    )


def score_chunk(reference_set: ReferenceSet, opened: Opened, engine: Engine) -> list[Part]:
    """Score one chunk of every submission. The first part is that of the HQ images: vectors, no values."""
    chunk = opened.chunk
    hq = {key: job.result() for key, job in opened.hq.items()}
    restored = [{key: job.result() for key, job in by_key.items()} for by_key in opened.restored]
    submit = engine.pool.submit
    vectors = {
        feature.name: begin_vectors(reference_set, chunk, hq, feature, engine)
        for feature in engine.features
        if feature.compact
    }
    wide: dict[int, list[Feature]] = {}
    for feature in engine.features:
        if not feature.compact:
            wide.setdefault(engine.batch_of(feature), []).append(feature)
    jobs = [
        submit(_score_batch, targets, hq, restored, features, engine)
        for size, features in wide.items()
        for targets in batches(chunk.targets, size)
    ]
    for feature in engine.features:
        if feature.compact:
            known = vectors[feature.name]()
            jobs += [
                submit(_score_vectors, targets, known, restored, feature, engine)
                for targets in batches(chunk.targets, engine.batch_of(feature))
            ]
    rows = [job.result() for job in jobs]
    keys = tuple(target.key for target in chunk.targets)
    return [Part.join(keys, [row[column] for row in rows]) for column in range(len(restored) + 1)]


@dataclass
class _Draft:
    """A part in the making, for some targets."""

    targets: Sequence[Target]
    values: dict[str, npt.NDArray[np.float64]] = field(default_factory=dict)
    reasons: dict[str, list[str]] = field(default_factory=dict)
    vectors: dict[str, npt.NDArray[np.float32]] = field(default_factory=dict)

    def score(self, name: str, rows: Sequence[int], values: Tensor | None, reason: str) -> None:
        """Write values into rows; what is None or not finite is unscored for that reason."""
        column = self.values.setdefault(name, np.full(len(self.targets), np.nan))
        texts = self.reasons.setdefault(name, [""] * len(self.targets))
        for place, row in enumerate(rows):
            value = float("nan") if values is None else float(values[place])
            if np.isfinite(value):
                column[row] = value
            else:
                texts[row] = reason

    def keep(self, feature: Feature, rows: Tensor) -> None:
        """Keep the vectors of a feature that are finite."""
        found = rows.float().cpu().numpy()
        self.vectors[feature.name] = found[np.isfinite(found).all(axis=1)]

    def part(self) -> Part:
        keys = tuple(target.key for target in self.targets)
        return Part(keys, self.values, {n: tuple(texts) for n, texts in self.reasons.items()}, self.vectors)


def _score_batch(
    targets: Sequence[Target],
    hq: Mapping[str, RGB],
    restored: Sequence[Mapping[str, Decoded]],
    features: Sequence[Feature],
    engine: Engine,
) -> list[Part]:
    drafts = [_Draft(targets) for _ in range(len(restored) + 1)]
    true = Batch([hq[target.key] for target in targets], landmarks_of(targets), engine.device)
    usable = [_usable(targets, photos) for photos in restored]
    pictures = [_batch(targets, photos, rows, engine) for photos, rows in zip(restored, usable, strict=True)]
    for feature in features:
        bundle = engine.extract_batch(feature, true)
        _keep(engine, feature, drafts[0], bundle)
        for draft, photos, rows, batch in zip(drafts[1:], restored, usable, pictures, strict=True):
            _explain(engine, feature, draft, photos)
            if batch is not None:
                matching = bundle if len(rows) == len(targets) else tuple(t[rows] for t in bundle)
                _compare(engine, feature, draft, rows, engine.extract_batch(feature, batch), matching)
    return [draft.part() for draft in drafts]


def _score_vectors(
    targets: Sequence[Target],
    known: Vectors,
    restored: Sequence[Mapping[str, Decoded]],
    feature: Feature,
    engine: Engine,
) -> list[Part]:
    drafts = [_Draft(targets) for _ in range(len(restored) + 1)]
    true = torch.stack([known[target.key] for target in targets])
    _keep(engine, feature, drafts[0], (true,))
    for draft, photos in zip(drafts[1:], restored, strict=True):
        _explain(engine, feature, draft, photos)
        rows = _usable(targets, photos)
        if (batch := _batch(targets, photos, rows, engine)) is not None:
            bundle = engine.extract_batch(feature, batch)
            _compare(engine, feature, draft, rows, bundle, (true[rows],))
            _compare_with_references(engine, feature, draft, rows, bundle[0], known)
    return [draft.part() for draft in drafts]


def _usable(targets: Sequence[Target], photos: Mapping[str, Decoded]) -> list[int]:
    return [row for row, target in enumerate(targets) if not isinstance(photos[target.key], str)]


def _batch(
    targets: Sequence[Target], photos: Mapping[str, Decoded], rows: Sequence[int], engine: Engine
) -> Batch | None:
    pictures = [photo for row in rows if not isinstance(photo := photos[targets[row].key], str)]
    return Batch(pictures, landmarks_of([targets[row] for row in rows]), engine.device) if rows else None


def _explain(engine: Engine, feature: Feature, draft: _Draft, photos: Mapping[str, Decoded]) -> None:
    for row, target in enumerate(draft.targets):
        if isinstance(reason := photos[target.key], str):
            for metric in engine.metrics:
                if metric.feature.name == feature.name and not isinstance(metric, SetMetric):
                    draft.score(metric.protocol.id, [row], None, reason)


def _keep(engine: Engine, feature: Feature, draft: _Draft, bundle: Bundle) -> None:
    if any(isinstance(m, SetMetric) and m.feature.name == feature.name for m in engine.metrics):
        draft.keep(feature, bundle[0])


def _compare(
    engine: Engine, feature: Feature, draft: _Draft, rows: Sequence[int], restored: Bundle, hq: Bundle
) -> None:
    _keep(engine, feature, draft, restored)
    for metric in engine.metrics:
        if isinstance(metric, ImageMetric) and metric.feature.name == feature.name:
            with torch.inference_mode():
                values = metric.compare(restored, hq)
            draft.score(metric.protocol.id, rows, values.cpu(), metric.if_nan)


def _compare_with_references(
    engine: Engine, feature: Feature, draft: _Draft, rows: Sequence[int], restored: Tensor, known: Vectors
) -> None:
    led = [place for place, row in enumerate(rows) if draft.targets[row].references]
    groups = [torch.stack([known[key] for key in draft.targets[rows[place]].references]) for place in led]
    alone = [row for row in rows if not draft.targets[row].references]
    for metric in engine.metrics:
        if isinstance(metric, ReferenceMetric) and metric.feature.name == feature.name:
            draft.score(metric.protocol.id, alone, None, "this image has no references")
            if led:
                with torch.inference_mode():
                    values = metric.compare(restored[led], groups)
                draft.score(metric.protocol.id, [rows[place] for place in led], values.cpu(), metric.if_nan)
