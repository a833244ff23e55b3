"""Approximate pair search with FAISS: candidates by an inverted index, exact distances, measured recall.

The exact search (`pair_search`) takes time in proportion to N squared and suits up to about a million images.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from ...extras import optional
from ...faces.embeddings import Embeddings
from .cosine_distance import check_embeddings, paired_distances
from .pair_search import Pairs

SLACK = 0.03
BATCH = 4096
TRAINING = 64


@dataclass(frozen=True, slots=True)
class ApproximatePairs:
    """Result of an approximate search.

    Attributes:
        pairs: found pairs; all of them are under the threshold.
        recall: share found, 0 to 1, of the pairs that an exact search finds for a sample of rows.
        checked: number of pairs of that sample.
    """

    pairs: Pairs
    recall: float
    checked: int


def find_pairs_by_faiss(
    vectors: Embeddings, threshold: float, probes: int = 32, *, sample: int = 2000, seed: int = 0
) -> ApproximatePairs:
    """Most of the pairs of rows whose cosine distance is less than ``threshold``.

    Embeddings are quantised into about four times the square root of N cells; each is compared, in 8 bits,
    with those of the ``probes`` nearest cells. More probes find more pairs.

    Args:
        vectors: (N, D) float32, each row of length 1.
        threshold: cosine distance, 0 to 2.
        probes: cells that are searched for each row.
        sample: rows whose pairs are also searched exactly, to measure recall.
        seed: of the sample.

    Raises:
        RefbenchError: FAISS is not installed, or not unit vectors.

    Source: Jegou, Douze and Schmid, "Product quantization for nearest neighbor search", 2011.
    """
    check_embeddings(vectors)
    faiss = _faiss()
    count, depth = vectors.shape
    cells = max(1, min(count // 40, round(4 * count**0.5)))
    kind = faiss.ScalarQuantizer.QT_8bit
    index = faiss.IndexIVFScalarQuantizer(
        faiss.IndexFlatIP(depth), depth, cells, kind, faiss.METRIC_INNER_PRODUCT
    )
    random = np.random.default_rng(seed)
    index.train(vectors[np.sort(random.permutation(count)[: cells * TRAINING])])
    index.add(vectors)
    index.nprobe = min(probes, cells)
    parts = []
    for start in range(0, count, BATCH):
        part = vectors[start : start + BATCH]
        ends, _, near = index.range_search(part, 1.0 - threshold - SLACK)
        first = np.repeat(np.arange(start, start + len(part)), np.diff(ends.astype(np.int64)))
        parts.append(_as_numbers(first, near.astype(np.int64), count))
    joined = np.unique(np.concatenate([np.empty(0, np.int64), *parts]))
    pairs = _exact_pairs(vectors, joined // count, joined % count, threshold=threshold)
    rows = np.sort(random.permutation(count)[:sample])
    wanted = _exact_rows(vectors, rows, threshold)
    found = np.isin(wanted, pairs.first * count + pairs.second)
    return ApproximatePairs(pairs, float(found.mean()) if len(found) else 1.0, len(found))


def _as_numbers(first: np.ndarray, second: np.ndarray, count: int) -> np.ndarray:
    """Pairs as single numbers: lesser row times ``count`` plus the greater; equal rows are left out."""
    apart = first != second
    first, second = first[apart], second[apart]
    numbers: np.ndarray = np.minimum(first, second) * count + np.maximum(first, second)
    return numbers


def _exact_pairs(vectors: Embeddings, first: np.ndarray, second: np.ndarray, *, threshold: float) -> Pairs:
    distance = paired_distances(vectors, first, second)
    kept = distance < threshold
    return Pairs(first[kept], second[kept], distance[kept])


def _exact_rows(vectors: Embeddings, rows: np.ndarray, threshold: float) -> np.ndarray:
    """Every pair with one of ``rows``, found exactly, as single numbers."""
    found = []
    for start in range(0, len(vectors), BATCH):
        products = vectors[rows] @ vectors[start : start + BATCH].T
        first, second = np.nonzero(products > 1.0 - threshold - SLACK)
        pairs = _exact_pairs(vectors, rows[first], second + start, threshold=threshold)
        found.append(_as_numbers(pairs.first, pairs.second, len(vectors)))
    return np.unique(np.concatenate([np.empty(0, np.int64), *found]))


def _faiss() -> Any:
    with optional("faiss", "the pair search by FAISS"):
        import faiss
    return faiss
