"""One-pass scoring of a chunk: each file is decoded once, and each network sees the HQ images once.

The steps for a chunk: decode its images; compute the compact features of HQ images and references, or read
them from the cache; then, batch by batch, compute the other features of the HQ images and compare every
submission with them.
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
from ..core.feature import Batch, Feature, Tensors
from ..core.metric import ImageMetric, NoReferenceMetric, PerImage, ReferenceMetric, size_fault
from .chunks import Chunk, Part, PartBuilder, batches
from .decoding import Decoded, read_hq, read_submitted
from .engine import Engine, landmarks_of
from .hq_feature_cache import Vectors, start_vectors
from .pairing import Paired

NO_REFERENCES = "this image has no references"


@dataclass(frozen=True)
class DecodingChunk:
    """A chunk whose files are being decoded in the engine's threads."""

    chunk: Chunk
    hq: Mapping[str, Future[RGB]]
    restored: Sequence[Mapping[str, Future[Decoded]]]


def start_decoding(
    reference_set: ReferenceSet,
    chunk: Chunk,
    submissions: Sequence[Mapping[str, Paired]],
    *,
    engine: Engine,
) -> DecodingChunk:
    """Start to decode a chunk's HQ images and the images of every submission."""
    submit = engine.pool.submit
    return DecodingChunk(
        chunk,
        {t.key: submit(read_hq, reference_set, t) for t in chunk.targets},
        [{t.key: submit(read_submitted, pairs[t.key]) for t in chunk.targets} for pairs in submissions],
    )


def score_chunk(reference_set: ReferenceSet, decoding: DecodingChunk, engine: Engine) -> list[Part]:
    """Score one chunk of every submission: the part of the HQ images (vectors only), then one for each."""
    chunk = decoding.chunk
    hq = {key: job.result() for key, job in decoding.hq.items()}
    restored = [{key: job.result() for key, job in by_key.items()} for by_key in decoding.restored]
    work = _Work(reference_set, hq, restored, engine)
    pending = {
        feature.name: start_vectors(reference_set, chunk, hq, feature=feature, engine=engine)
        for feature in engine.features
        if feature.compact and engine.needs_hq(feature)
    }
    jobs = [
        engine.pool.submit(work.score_batch, targets, features)
        for size, features in _by_batch_size(engine).items()
        for targets in batches(chunk.targets, size)
    ]
    for feature in filter(lambda feature: feature.compact, engine.features):
        vectors = pending[feature.name]() if feature.name in pending else {}
        jobs += [
            engine.pool.submit(work.score_compact, targets, feature, vectors)
            for targets in batches(chunk.targets, engine.batch_size_of(feature))
        ]
    rows = [job.result() for job in jobs]
    keys = tuple(target.key for target in chunk.targets)
    return [Part.join(keys, [row[column] for row in rows]) for column in range(len(restored) + 1)]


def _by_batch_size(engine: Engine) -> dict[int, list[Feature]]:
    sizes: dict[int, list[Feature]] = {}
    for feature in engine.features:
        if not feature.compact:
            sizes.setdefault(engine.batch_size_of(feature), []).append(feature)
    return sizes


@dataclass(frozen=True)
class _Work:
    """The decoded images of a chunk, and the scoring of a batch of them in one thread."""

    reference_set: ReferenceSet
    hq: Mapping[str, RGB]
    restored: Sequence[Mapping[str, Decoded]]
    engine: Engine

    def score_batch(self, targets: Sequence[Target], features: Sequence[Feature]) -> list[Part]:
        """Score features that are too large to keep: those of the HQ images are freed after this batch."""
        drafts = [PartBuilder(targets) for _ in range(len(self.restored) + 1)]
        hq_batch = self._hq_batch(targets)
        submitted = [self._restored_batch(targets, photos, hq_batch) for photos in self.restored]
        for feature in features:
            fits = min(targets[0].width, targets[0].height) >= feature.min_side
            hq = self.engine.extract(feature, hq_batch) if fits and self.engine.needs_hq(feature) else ()
            if hq:
                self._keep_vectors(feature, drafts[0], hq)
            for draft, photos, (rows, batch) in zip(drafts[1:], self.restored, submitted, strict=True):
                self._add_reasons(feature, draft, photos)
                if batch is not None and fits:
                    matching = hq if len(rows) == len(targets) else tuple(tensor[rows] for tensor in hq)
                    self._compare(
                        feature, draft, rows, restored=self.engine.extract(feature, batch), hq=matching
                    )
        return [draft.part() for draft in drafts]

    def score_compact(self, targets: Sequence[Target], feature: Feature, vectors: Vectors) -> list[Part]:
        """Score a compact feature, given its vectors of HQ images and references by key (none if unused)."""
        drafts = [PartBuilder(targets) for _ in range(len(self.restored) + 1)]
        hq = torch.stack([vectors[target.key] for target in targets]) if vectors else None
        hq_batch = self._hq_batch(targets)
        if hq is not None:
            self._keep_vectors(feature, drafts[0], (hq,))
        for draft, photos in zip(drafts[1:], self.restored, strict=True):
            self._add_reasons(feature, draft, photos)
            rows, batch = self._restored_batch(targets, photos, hq_batch)
            if batch is not None:
                restored = self.engine.extract(feature, batch)
                matching = (hq[rows],) if hq is not None else ()
                self._compare(feature, draft, rows, restored=restored, hq=matching)
                if hq is not None:
                    self._compare_with_references(
                        feature, draft, rows, restored=restored[0], hq=hq[rows], vectors=vectors
                    )
        return [draft.part() for draft in drafts]

    def _hq_batch(self, targets: Sequence[Target]) -> Batch:
        folder = self.reference_set.root / "masks"
        masks = [folder / f"{target.key}.png" for target in targets] if folder.is_dir() else ()
        photos = [self.hq[target.key] for target in targets]
        return Batch(photos, landmarks_of(targets), self.engine.device, masks=masks)

    def _restored_batch(
        self, targets: Sequence[Target], photos: Mapping[str, Decoded], hq_batch: Batch
    ) -> tuple[list[int], Batch | None]:
        """The rows whose image could be decoded and the batch of them; None where there are none."""
        found = [(row, photo) for row, t in enumerate(targets) if not isinstance(photo := photos[t.key], str)]
        rows = [row for row, _ in found]
        if not rows:
            return rows, None
        matching = hq_batch if len(rows) == len(targets) else hq_batch.rows(rows)
        pixels = [photo for _, photo in found]
        return rows, Batch(pixels, matching.landmarks, self.engine.device, hq=matching)

    def _add_reasons(self, feature: Feature, draft: PartBuilder, photos: Mapping[str, Decoded]) -> None:
        """Write down why images that are too small, or could not be decoded, are unscored."""
        for row, target in enumerate(draft.targets):
            photo = photos[target.key]
            for metric in self.engine.per_image(feature):
                too_small = size_fault(metric, target.width, target.height)
                if reason := photo if isinstance(photo, str) else too_small:
                    draft.score(metric.protocol.id, [row], None, reason=reason)

    def _keep_vectors(self, feature: Feature, draft: PartBuilder, tensors: Tensors) -> None:
        if self.engine.keeps_vectors(feature):
            draft.keep(feature.name, tensors[0])

    def _compare(
        self, feature: Feature, draft: PartBuilder, rows: Sequence[int], *, restored: Tensors, hq: Tensors
    ) -> None:
        self._keep_vectors(feature, draft, restored)
        first = draft.targets[0]
        for metric in self.engine.per_image(feature):
            if size_fault(metric, first.width, first.height):
                continue
            if isinstance(metric, ImageMetric):
                self._score(metric, draft, rows, compute=partial(metric.compare, restored, hq))
            elif isinstance(metric, NoReferenceMetric):
                self._score(metric, draft, rows, compute=partial(metric.compare, restored))

    def _compare_with_references(
        self,
        feature: Feature,
        draft: PartBuilder,
        rows: Sequence[int],
        *,
        restored: Tensor,
        hq: Tensor,
        vectors: Vectors,
    ) -> None:
        lists = [draft.targets[row].references for row in rows]
        places = [place for place, references in enumerate(lists) if references]
        without = [row for row, references in zip(rows, lists, strict=True) if not references]
        for metric in self.engine.per_image(feature):
            if isinstance(metric, ReferenceMetric):
                draft.score(metric.protocol.id, without, None, reason=NO_REFERENCES)
                if places:
                    groups = [torch.stack([vectors[key] for key in lists[place]]) for place in places]
                    self._score(
                        metric,
                        draft,
                        [rows[place] for place in places],
                        compute=partial(metric.compare, restored[places], hq[places], groups),
                    )

    @staticmethod
    def _score(
        metric: PerImage, draft: PartBuilder, rows: Sequence[int], *, compute: Callable[[], Tensor]
    ) -> None:
        with torch.inference_mode():
            values = compute().cpu()
        draft.score(metric.protocol.id, rows, values, reason=metric.if_nan)
