"""Content-addressed cache of compact features (embeddings) of HQ images and references."""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from ...files import sha256_json, write_bytes
from ...images import RGB
from ...records.reference_set import ReferenceSet, Target
from ..core.feature import Batch, Feature
from .chunks import Chunk, batches
from .decoding import read_hq
from .engine import Engine, landmarks_of

Vectors = Mapping[str, Tensor]


def start_vectors(
    reference_set: ReferenceSet, chunk: Chunk, hq: Mapping[str, RGB], *, feature: Feature, engine: Engine
) -> Callable[[], Vectors]:
    """Start to compute a compact feature of a chunk's targets, and of its references if a metric needs them.

    The returned function waits for the result: vectors (D,) on the device, by key. ``hq`` holds the decoded
    targets; references that are no targets are decoded here. The cache's key is made of the content of the
    whole chunk and of the weights, so a cached vector equals what would be computed.
    """
    wanted = chunk.images if engine.needs_references(feature) else chunk.targets
    grouped = list(batches(wanted, engine.batch_size_of(feature)))
    keys = [target.key for group in grouped for target in group]
    name = sha256_json([chunk.content, keys, feature.name, engine.key])
    path = engine.cache / feature.name / f"{name}.npy" if engine.cache else None
    stored = _read(path, len(keys)) if path else None
    if stored is not None:
        ready = dict(zip(keys, stored.to(engine.device), strict=True))
        return lambda: ready

    def one_batch(targets: Sequence[Target]) -> Tensor:
        photos = [hq[t.key] if t.key in hq else read_hq(reference_set, t) for t in targets]
        return engine.extract(feature, Batch(photos, landmarks_of(targets), engine.device))[0]

    jobs = [engine.pool.submit(one_batch, group) for group in grouped]

    def finish() -> Vectors:
        matrix = torch.cat([job.result() for job in jobs])
        if path:
            _write(path, matrix)
        return dict(zip(keys, matrix, strict=True))

    return finish


def _read(path: Path, rows: int) -> Tensor | None:
    try:
        matrix = np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError):
        return None
    return torch.from_numpy(matrix) if matrix.ndim == 2 and len(matrix) == rows else None


def _write(path: Path, matrix: Tensor) -> None:
    buffer = io.BytesIO()
    np.save(buffer, matrix.cpu().numpy())
    write_bytes(path, buffer.getvalue())
