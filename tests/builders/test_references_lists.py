"""Reference lists: candidates and their order."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from refbench.builders.identities.pair_search import Pairs
from refbench.builders.references.references import (
    Reference,
    farthest_point_order,
    order_references,
    reference_candidates,
)


def on_a_circle(*degrees: float) -> np.ndarray:
    angles = np.radians(degrees)
    return np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32)


def test_candidates_are_pairwise_within_an_identity() -> None:
    pairs = Pairs(np.array([0, 1]), np.array([1, 2]), np.array([0.2, 0.1]))
    lists = reference_candidates(4, pairs, np.array([0, 0, 0, 1]))
    assert [[reference.row for reference in found] for found in lists] == [[1], [2, 0], [1], []]


def test_a_pair_across_identities_is_no_reference() -> None:
    pairs = Pairs(np.array([0]), np.array([1]), np.array([0.2]))
    assert reference_candidates(2, pairs, np.array([0, 1])) == [[], []]


def test_farthest_point_order_takes_the_most_diverse_first() -> None:
    vectors = on_a_circle(0, 10, 20, 60, 35)
    found = [Reference(row, round(1 - float(vectors[0] @ vectors[row]), 6)) for row in (1, 2, 4, 3)]

    def rows(start: str, most: int = 9) -> list[int]:
        return [
            r.row
            for r in order_references(
                found, vectors, 0.0, order="farthest-point", start=start, max_references=most
            )
        ]  # type: ignore[arg-type]

    assert rows("nearest") == [1, 3, 4, 2]
    assert rows("farthest") == [3, 1, 4, 2]
    assert rows("medoid") == [4, 1, 3, 2], "row 4 is the medoid; rows 1 and 3 are equally far from it"
    assert rows("nearest", 2) == [1, 3]
    assert [
        r.row
        for r in order_references(found, vectors, 0.0, order="nearest", start="nearest", max_references=9)
    ] == [
        1,
        2,
        4,
        3,
    ]


def test_near_duplicates_are_no_references() -> None:
    found = [Reference(1, 0.05), Reference(2, 0.1), Reference(3, 0.3)]
    vectors = on_a_circle(0, 18, 26, 45)
    assert [
        r.row
        for r in order_references(found, vectors, 0.1, order="nearest", start="nearest", max_references=9)
    ] == [2, 3]


@given(st.integers(1, 12), st.integers(0, 2**31), st.sampled_from(["nearest", "farthest", "medoid"]))
def test_farthest_point_order_of_any_length_is_a_prefix(count: int, seed: int, start: str) -> None:
    random = np.random.default_rng(seed)
    vectors = on_a_circle(*random.uniform(0, 360, count))
    between = 1.0 - vectors @ vectors.T.astype(np.float64)
    to_target = random.uniform(0, 1, count)
    whole = farthest_point_order(between, to_target, start, count=count)  # type: ignore[arg-type]
    assert sorted(whole) == list(range(count))
    for most in range(1, count + 1):
        assert farthest_point_order(between, to_target, start, count=most) == whole[:most]  # type: ignore[arg-type]
