"""Pairs of very many vectors: FAISS proposes, float64 decides, and the share that was found is measured.

The exact search grows with the square of the number of images and is the right one up to about a million.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from ...extras import optional
from ...faces.embeddings import Embeddings
from .pair_search import Pairs, check_vectors, exact_distances

SLACK = 0.03
BATCH = 4096
TRAINING = 64


@dataclass(frozen=True, slots=True)
class Approximate:
    """Pairs that were found, none of them wrong, and how many were not.

    ``recall`` is the share found of the ``checked`` pairs that the exact search finds for a sample of rows.
    """

    pairs: Pairs
    recall: float
    checked: int


def find_pairs_by_faiss(
    vectors: Embeddings, threshold: float, probes: int = 32, *, sample: int = 2000, seed: int = 0
) -> Approximate:
    """Most pairs of rows whose cosine distance is less than ``threshold``.

    Embeddings are sorted into about four times the square root of N cells; each is compared, in 8 bits, with
    those of the ``probes`` cells nearest to it (Jegou, Douze and Schmid 2011). More probes find more pairs.

    Args:
        vectors: (N, D) float32, each row of length 1.
        threshold: cosine distance, 0 to 2.
        probes: cells that are searched for each row.
        sample: rows whose pairs are also searched exactly, to measure recall.
        seed: of the sample.

    Raises:
        RefbenchError: FAISS is not installed, or not unit vectors.
    """
    check_vectors(vectors)
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
        parts.append(_ordered(first, near.astype(np.int64), count))
    joined = np.unique(np.concatenate([np.empty(0, np.int64), *parts]))
    pairs = _decided(vectors, joined // count, joined % count, threshold=threshold)
    rows = np.sort(random.permutation(count)[:sample])
    wanted = _exact_rows(vectors, rows, threshold)
    found = np.isin(wanted, pairs.first * count + pairs.second)
    return Approximate(pairs, float(found.mean()) if len(found) else 1.0, len(found))


def _ordered(first: np.ndarray, second: np.ndarray, count: int) -> np.ndarray:
    """Pairs as single numbers, the lesser row first, without rows paired with themselves."""
    apart = first != second
    first, second = first[apart], second[apart]
    numbers: np.ndarray = np.minimum(first, second) * count + np.maximum(first, second)
    return numbers


def _decided(vectors: Embeddings, first: np.ndarray, second: np.ndarray, *, threshold: float) -> Pairs:
    distance = exact_distances(vectors, first, second)
    kept = distance < threshold
    return Pairs(first[kept], second[kept], distance[kept])


def _exact_rows(vectors: Embeddings, rows: np.ndarray, threshold: float) -> np.ndarray:
    """Every pair of one of ``rows``, as single numbers."""
    found = []
    for start in range(0, len(vectors), BATCH):
        products = vectors[rows] @ vectors[start : start + BATCH].T
        first, second = np.nonzero(products > 1.0 - threshold - SLACK)
        pairs = _decided(vectors, rows[first], second + start, threshold=threshold)
        found.append(_ordered(pairs.first, pairs.second, len(vectors)))
    return np.unique(np.concatenate([np.empty(0, np.int64), *found]))


def _faiss() -> Any:
    with optional("faiss", "the pair search by FAISS"):
        import faiss
    return faiss
