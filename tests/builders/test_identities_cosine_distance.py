"""Cosine distances equal those of a plain float64 computation."""

from __future__ import annotations

import numpy as np
import pytest
from refbench.builders.identities.cosine_distance import (
    check_embeddings,
    distance_matrix,
    nearest_distances,
    paired_distances,
)
from refbench.errors import RefbenchError


def unit_vectors(count: int, seed: int = 0) -> np.ndarray:
    rows = np.random.default_rng(seed).standard_normal((count, 24))
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


def cosine_distance(first: np.ndarray, second: np.ndarray) -> float:
    return 1.0 - sum(float(x) * float(y) for x, y in zip(first, second, strict=True))


def test_the_matrix_and_the_pairs_are_the_distances_of_rows() -> None:
    vectors = unit_vectors(70)
    matrix = distance_matrix(vectors)
    assert matrix.dtype == np.float64
    assert matrix[3, 40] == pytest.approx(cosine_distance(vectors[3], vectors[40]), abs=1e-12)
    first, second = np.triu_indices(70, 1)
    assert paired_distances(vectors, first, second) == pytest.approx(matrix[first, second], abs=1e-12)


def test_the_nearest_row_is_found_across_blocks() -> None:
    first, second = unit_vectors(1100), unit_vectors(8300, seed=1)
    second[8250] = first[1080]
    found = nearest_distances(first, second)
    assert found[1080] == pytest.approx(0.0, abs=1e-6)
    wide = 1.0 - first.astype(np.float64) @ second.T.astype(np.float64)
    assert found == pytest.approx(wide.min(axis=1), abs=1e-6)
    assert nearest_distances(first[:3], second[:0]).tolist() == [2.0, 2.0, 2.0]


def test_rows_of_another_length_are_refused_with_the_first_of_them() -> None:
    vectors = unit_vectors(4)
    check_embeddings(vectors)
    vectors[2] *= 1.01
    with pytest.raises(RefbenchError, match=r"1 of 4 are not, the first is row 2 of length 1\.01"):
        check_embeddings(vectors)
