"""The sheet of doubtful decisions puts first the link by which two people became one."""

from __future__ import annotations

import numpy as np
import pytest
from refbench.builders.review.review import longest_links
from scipy.sparse.csgraph import minimum_spanning_tree


def units(rows: np.ndarray) -> np.ndarray:
    lengths: np.ndarray = np.linalg.norm(rows, axis=1, keepdims=True)
    return (rows / lengths).astype(np.float32)


def test_the_link_between_two_people_who_became_one_comes_first() -> None:
    random = np.random.default_rng(0)
    centres = np.repeat(np.eye(8)[:3], 4, axis=0)
    vectors = units(centres + random.normal(0, 0.05, (12, 8)))
    labels = np.repeat([0, 0, 1], 4)
    first, *others = longest_links(vectors, labels)
    assert first[0] < 4 <= first[1] < 8
    assert first[2] > 5 * max(edge[2] for edge in others)
    assert len(others) + 1 == (8 - 1) + (4 - 1)


@pytest.mark.parametrize("count", [1, 2, 3, 40])
def test_the_links_are_those_of_the_shortest_tree(count: int) -> None:
    vectors = units(np.random.default_rng(count).normal(size=(count, 16)))
    edges = longest_links(vectors, np.zeros(count, dtype=np.int64))
    wide = vectors.astype(np.float64)
    peer = minimum_spanning_tree(np.triu(1.0 - wide @ wide.T, 1))
    assert sum(edge[2] for edge in edges) == pytest.approx(peer.sum())
    assert {edge[:2] for edge in edges} == set(zip(*(side.tolist() for side in peer.nonzero()), strict=True))
    assert [edge[2] for edge in edges] == sorted((edge[2] for edge in edges), reverse=True)
