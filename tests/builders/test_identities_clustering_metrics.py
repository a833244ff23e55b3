"""Clustering metrics against hand-computed and counted values."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from refbench.builders.identities.clustering_metrics import score_clustering, score_thresholds
from refbench.errors import RefbenchError
from toys import bridged_groups


def test_pairwise_and_bcubed_by_hand() -> None:
    """The example: true people {a a a} {b b}, found {a a} {a b b}."""
    result = score_clustering([0, 0, 1, 1, 1], ["a", "a", "a", "b", "b"])
    assert result.pairwise.precision == pytest.approx(2 / 4)
    assert result.pairwise.recall == pytest.approx(2 / 4)
    assert result.bcubed.precision == pytest.approx((1 + 1 + 1 / 3 + 2 / 3 + 2 / 3) / 5)
    assert result.bcubed.recall == pytest.approx((2 / 3 + 2 / 3 + 1 / 3 + 1 + 1) / 5)
    assert (result.found, result.true, result.pure, result.whole) == (2, 2, 1, 1)


@given(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4)), min_size=1, max_size=14))
def test_metrics_equal_those_by_counting_pairs(labels: list[tuple[int, int]]) -> None:
    true, guess = np.array(labels).T
    result = score_clustering(guess.tolist(), true.tolist())
    couples = list(combinations(range(len(labels)), 2))
    joined = [(i, j) for i, j in couples if guess[i] == guess[j]]
    real = [(i, j) for i, j in couples if true[i] == true[j]]
    both = len(set(joined) & set(real))
    assert result.pairwise.precision == pytest.approx(both / len(joined) if joined else 1.0)
    assert result.pairwise.recall == pytest.approx(both / len(real) if real else 1.0)
    mine = np.array([np.sum((true == t) & (guess == g)) for t, g in labels])
    assert result.bcubed.precision == pytest.approx(np.mean(mine / [np.sum(guess == g) for g in guess]))
    assert result.bcubed.recall == pytest.approx(np.mean(mine / [np.sum(true == t) for t in true]))


def test_perfect_identities_score_one_under_any_labels() -> None:
    result = score_clustering(["x", "y", "x"], [7, 8, 7])
    assert result.pairwise.f1 == result.bcubed.f1 == 1.0
    assert score_clustering([0, 1], [0, 1]).pairwise.precision == 1.0


def test_one_label_of_each_kind_per_image_is_needed() -> None:
    with pytest.raises(RefbenchError):
        score_clustering([0], [0, 1])
    with pytest.raises(RefbenchError):
        score_clustering([], [])


def test_thresholds_trade_precision_for_recall() -> None:
    table = score_thresholds(bridged_groups()[:8], list("aaaabbbb"), [0.0, 0.3, 1.9])
    recall = table[table["identities"] == "components"]["pair_recall"].tolist()
    precision = table[table["identities"] == "components"]["pair_precision"].tolist()
    assert recall == [0.0, 1.0, 1.0]
    assert precision == [1.0, 1.0, pytest.approx(12 / 28)]
