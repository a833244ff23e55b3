"""Cosine distances of embeddings: of given pairs, as a matrix, and to the nearest of another array."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from ...errors import RefbenchError
from ...faces.embeddings import Embeddings

Indices = npt.NDArray[np.int64]
Distances = npt.NDArray[np.float64]

UNIT_TOLERANCE = 1e-3
GREATEST = 2.0
ROWS_AT_ONCE = 64  # more would be allocated as fresh memory each time, which is seven times as slow


def check_embeddings(vectors: Embeddings) -> None:
    """Check that ``vectors`` is (N, D) float32 with rows of length 1.

    Raises:
        RefbenchError: another shape or type, or a row whose length differs from 1 by 0.001 or more.
    """
    if vectors.ndim != 2 or vectors.dtype != np.float32:
        raise RefbenchError(f"embeddings are (N, D) float32; got {vectors.dtype} {vectors.shape}")
    lengths = np.sqrt(np.einsum("nd,nd->n", vectors, vectors))
    wrong = np.flatnonzero(~(np.abs(lengths - 1.0) < UNIT_TOLERANCE))
    if len(wrong):
        raise RefbenchError(
            f"embeddings are of length 1; {len(wrong)} of {len(vectors)} are not, "
            f"the first is row {wrong[0]} of length {lengths[wrong[0]]:.6g}"
        )


def paired_distances(vectors: Embeddings, first: Indices, second: Indices) -> Distances:
    """Cosine distances, (P,) float64, of rows ``first`` and ``second`` of unit vectors (N, D) float32.

    A distance is one minus the dot product in float64, 0 to 2.
    """
    distance = np.empty(len(first))
    for start in range(0, len(first), ROWS_AT_ONCE):
        part = slice(start, start + ROWS_AT_ONCE)
        left = vectors[first[part]].astype(np.float64)
        distance[part] = 1.0 - np.einsum("nd,nd->n", left, vectors[second[part]].astype(np.float64))
    return distance


def distance_matrix(vectors: Embeddings) -> Distances:
    """Cosine distances of all rows of unit vectors (N, D) float32 to one another, (N, N) float64."""
    wide = vectors.astype(np.float64)
    distance: Distances = 1.0 - wide @ wide.T
    return distance


def nearest_distances(first: Embeddings, second: Embeddings) -> Distances:
    """Cosine distance of every row of ``first`` to the nearest row of ``second``, (N,) float64.

    Products are in float32, hence exact to about 1e-6; where ``second`` is empty, the distance is 2.
    """
    nearest = np.full(len(first), GREATEST)
    for start in range(0, len(nearest), 1024):
        block = nearest[start : start + 1024]
        for column in range(0, len(second), 8192):
            products = first[start : start + 1024] @ second[column : column + 8192].T
            np.minimum(block, 1.0 - products.max(axis=1), out=block)
    return nearest
