"""All pairs of unit vectors under a cosine distance."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ..errors import RefbenchError

Vectors = npt.NDArray[np.float32]
Indices = npt.NDArray[np.int64]
Distances = npt.NDArray[np.float64]

BLOCK = 2048
UNIT_TOLERANCE = 1e-3


@dataclass(frozen=True, slots=True)
class Pairs:
    """Pairs of rows nearer than a threshold, in order of ``(first, second)`` with ``first < second``.

    ``distance`` is one minus the float64 dot product, 0 to 2.
    """

    first: Indices
    second: Indices
    distance: Distances

    def __len__(self) -> int:
        return len(self.first)


def exact_distances(vectors: Vectors, first: Indices, second: Indices) -> Distances:
    """One minus the dot product of rows ``first`` and ``second``, in float64."""
    distance = np.empty(len(first))
    for start in range(0, len(first), BLOCK):
        part = slice(start, start + BLOCK)
        left = vectors[first[part]].astype(np.float64)
        distance[part] = 1.0 - np.einsum("nd,nd->n", left, vectors[second[part]].astype(np.float64))
    return distance


def find_pairs(vectors: Vectors, threshold: float) -> Pairs:
    """Every pair of rows whose cosine distance is less than ``threshold``.

    Args:
        vectors: (N, D) float32, each row of length 1.
        threshold: cosine distance, 0 to 2.

    Raises:
        RefbenchError: not unit vectors, NaN among them, or a threshold out of range.
    """
    check_vectors(vectors)
    if not 0.0 <= threshold <= 2.0:
        raise RefbenchError(f"a cosine distance lies between 0 and 2; the threshold is {threshold}")
    found_first, found_second = [], []
    floor = 1.0 - threshold - 1e-4
    for row in range(0, len(vectors), BLOCK):
        for column in range(row, len(vectors), BLOCK):
            products = vectors[row : row + BLOCK] @ vectors[column : column + BLOCK].T
            first, second = np.nonzero(products > floor)
            upper = first + row < second + column
            found_first.append(first[upper] + row)
            found_second.append(second[upper] + column)
    first = np.concatenate(found_first or [np.empty(0, np.int64)])
    second = np.concatenate(found_second or [np.empty(0, np.int64)])
    distance = exact_distances(vectors, first, second)
    kept = distance < threshold
    first, second, distance = first[kept], second[kept], distance[kept]
    order = np.lexsort((second, first))
    return Pairs(first[order], second[order], distance[order])


def check_vectors(vectors: Vectors) -> None:
    """Raise `RefbenchError` unless ``vectors`` is (N, D) float32 with rows of length 1."""
    if vectors.ndim != 2 or vectors.dtype != np.float32:
        raise RefbenchError(f"embeddings are (N, D) float32; got {vectors.dtype} {vectors.shape}")
    lengths = np.sqrt(np.einsum("nd,nd->n", vectors, vectors, dtype=np.float64))
    wrong = np.flatnonzero(~(np.abs(lengths - 1.0) < UNIT_TOLERANCE))
    if len(wrong):
        raise RefbenchError(
            f"embeddings are of length 1; {len(wrong)} of {len(vectors)} are not, "
            f"the first is row {wrong[0]} of length {lengths[wrong[0]]:.6g}"
        )
