"""One pass: every file is decoded once, and every network sees the HQ side once for all submissions.

The work of a chunk: decode its images; compute the compact features of HQ images and references (or take
them from the cache); then, batch by batch, compute the HQ side and compare every submission with it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor

from ...images import RGB
from ...records.reference_set import ReferenceSet, Target
from ..core.feature import Batch, Bundle, Feature
from ..core.metric import ImageMetric, NoReferenceMetric, PerImage, ReferenceMetric
from .chunks import Chunk, Draft, Part, batches
from .decoding import Decoded, read_hq, read_submitted
from .engine import Engine, landmarks_of
from .hq_feature_cache import Vectors, begin_vectors
from .pairing import Paired

NO_REFERENCES = "this image has no references"


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
    *,
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
    work = _Work(reference_set, hq, restored, engine)
    waiting = {
        feature.name: begin_vectors(reference_set, chunk, hq, feature=feature, engine=engine)
        for feature in engine.features
        if feature.compact and engine.needs_hq(feature)
    }
    jobs = [
        engine.pool.submit(work.score_batch, targets, features)
        for size, features in _by_batch_size(engine).items()
        for targets in batches(chunk.targets, size)
    ]
    for feature in filter(lambda feature: feature.compact, engine.features):
        known = waiting[feature.name]() if feature.name in waiting else {}
        jobs += [
            engine.pool.submit(work.score_vectors, targets, feature, known)
            for targets in batches(chunk.targets, engine.batch_of(feature))
        ]
    rows = [job.result() for job in jobs]
    keys = tuple(target.key for target in chunk.targets)
    return [Part.join(keys, [row[column] for row in rows]) for column in range(len(restored) + 1)]


def _by_batch_size(engine: Engine) -> dict[int, list[Feature]]:
    sizes: dict[int, list[Feature]] = {}
    for feature in engine.features:
        if not feature.compact:
            sizes.setdefault(engine.batch_of(feature), []).append(feature)
    return sizes


@dataclass(frozen=True)
class _Work:
    """The decoded images of a chunk, and what is done with a batch of them in one thread."""

    reference_set: ReferenceSet
    hq: Mapping[str, RGB]
    restored: Sequence[Mapping[str, Decoded]]
    engine: Engine

    def score_batch(self, targets: Sequence[Target], features: Sequence[Feature]) -> list[Part]:
        """Score features that are too large to keep: the HQ side lives as long as this batch."""
        drafts = [Draft(targets) for _ in range(len(self.restored) + 1)]
        true = self._true(targets)
        submitted = [self._submitted(targets, photos, true) for photos in self.restored]
        for feature in features:
            hq = self.engine.extract(feature, true) if self.engine.needs_hq(feature) else ()
            if hq:
                self._keep(feature, drafts[0], hq)
            for draft, photos, (rows, batch) in zip(drafts[1:], self.restored, submitted, strict=True):
                self._explain(feature, draft, photos)
                if batch is not None:
                    matching = hq if len(rows) == len(targets) else tuple(tensor[rows] for tensor in hq)
                    self._compare(
                        feature, draft, rows, restored=self.engine.extract(feature, batch), hq=matching
                    )
        return [draft.part() for draft in drafts]

    def score_vectors(self, targets: Sequence[Target], feature: Feature, known: Vectors) -> list[Part]:
        """Score a compact feature, whose vectors of HQ images and references are known."""
        drafts = [Draft(targets) for _ in range(len(self.restored) + 1)]
        vectors = torch.stack([known[target.key] for target in targets]) if known else None
        true = self._true(targets)
        if vectors is not None:
            self._keep(feature, drafts[0], (vectors,))
        for draft, photos in zip(drafts[1:], self.restored, strict=True):
            self._explain(feature, draft, photos)
            rows, batch = self._submitted(targets, photos, true)
            if batch is not None:
                bundle = self.engine.extract(feature, batch)
                matching = (vectors[rows],) if vectors is not None else ()
                self._compare(feature, draft, rows, restored=bundle, hq=matching)
                if vectors is not None:
                    self._compare_with_references(
                        feature, draft, rows, restored=bundle[0], hq=vectors[rows], known=known
                    )
        return [draft.part() for draft in drafts]

    def _true(self, targets: Sequence[Target]) -> Batch:
        folder = self.reference_set.root / "masks"
        masks = [folder / f"{target.key}.png" for target in targets] if folder.is_dir() else ()
        photos = [self.hq[target.key] for target in targets]
        return Batch(photos, landmarks_of(targets), self.engine.device, masks=masks)

    def _submitted(
        self, targets: Sequence[Target], photos: Mapping[str, Decoded], true: Batch
    ) -> tuple[list[int], Batch | None]:
        """The rows that were decoded and the batch of them; None where there are none."""
        found = [(row, photo) for row, t in enumerate(targets) if not isinstance(photo := photos[t.key], str)]
        rows = [row for row, _ in found]
        if not rows:
            return rows, None
        matching = true if len(rows) == len(targets) else true.rows(rows)
        pixels = [photo for _, photo in found]
        return rows, Batch(pixels, matching.landmarks, self.engine.device, true=matching)

    def _explain(self, feature: Feature, draft: Draft, photos: Mapping[str, Decoded]) -> None:
        for row, target in enumerate(draft.targets):
            if isinstance(reason := photos[target.key], str):
                for metric in self.engine.per_image(feature):
                    draft.score(metric.protocol.id, [row], None, reason=reason)

    def _keep(self, feature: Feature, draft: Draft, bundle: Bundle) -> None:
        if self.engine.is_kept(feature):
            draft.keep(feature.name, bundle[0])

    def _compare(
        self, feature: Feature, draft: Draft, rows: Sequence[int], *, restored: Bundle, hq: Bundle
    ) -> None:
        self._keep(feature, draft, restored)
        for metric in self.engine.per_image(feature):
            if isinstance(metric, ImageMetric):
                self._score(metric, draft, rows, compute=partial(metric.compare, restored, hq))
            elif isinstance(metric, NoReferenceMetric):
                self._score(metric, draft, rows, compute=partial(metric.compare, restored))

    def _compare_with_references(
        self,
        feature: Feature,
        draft: Draft,
        rows: Sequence[int],
        *,
        restored: Tensor,
        hq: Tensor,
        known: Vectors,
    ) -> None:
        led = [place for place, row in enumerate(rows) if draft.targets[row].references]
        alone = [row for row in rows if not draft.targets[row].references]
        for metric in self.engine.per_image(feature):
            if isinstance(metric, ReferenceMetric):
                draft.score(metric.protocol.id, alone, None, reason=NO_REFERENCES)
                if led:
                    keys = [draft.targets[rows[place]].references for place in led]
                    groups = [torch.stack([known[key] for key in group]) for group in keys]
                    self._score(
                        metric,
                        draft,
                        [rows[place] for place in led],
                        compute=partial(metric.compare, restored[led], hq[led], groups),
                    )

    @staticmethod
    def _score(metric: PerImage, draft: Draft, rows: Sequence[int], *, compute: Callable[[], Tensor]) -> None:
        with torch.inference_mode():
            values = compute().cpu()
        draft.score(metric.protocol.id, rows, values, reason=metric.if_nan)
