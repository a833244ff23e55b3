"""Verification metrics over pairs of photos."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from refbench.errors import RefbenchError
from refbench.faces.verification import accepted_at, accuracy, best_threshold, equal_error_rate, ten_fold

pairs = st.lists(st.tuples(st.integers(0, 40), st.booleans()), min_size=2, max_size=40).filter(
    lambda found: len({same for _, same in found}) == 2
)


@given(pairs)
def test_no_threshold_is_better_than_the_best(found: list[tuple[int, bool]]) -> None:
    d = np.array([distance for distance, _ in found]) / 20
    s = np.array([same for _, same in found])
    best = accuracy(d, s, best_threshold(d, s))
    assert all(accuracy(d, s, t) <= best + 1e-12 for t in np.linspace(-0.1, 2.2, 200))


def test_the_threshold_lies_in_the_middle_of_the_gap() -> None:
    assert best_threshold([0.1, 0.2, 0.8, 0.9], [True, True, False, False]) == pytest.approx(0.5)


def test_folds_are_judged_by_the_others() -> None:
    d = [0.1, 0.9, 0.2, 0.8, 0.45, 0.3]
    s = [True, False, True, False, True, False]
    assert ten_fold(d, s, [0, 0, 1, 1, 2, 2]).tolist() == [1.0, 1.0, 0.5]


def test_rates_of_perfect_and_useless_distances() -> None:
    same = np.array([True] * 50 + [False] * 50)
    perfect = np.concatenate([np.linspace(0, 0.4, 50), np.linspace(0.6, 1, 50)])
    assert equal_error_rate(perfect, same) == 0.0
    assert accepted_at(perfect, same, 0.01) == (1.0, pytest.approx(0.6))
    rng = np.random.default_rng(0)
    useless = rng.uniform(size=4000)
    assert equal_error_rate(useless, rng.uniform(size=4000) < 0.5) == pytest.approx(0.5, abs=0.03)


def test_faulty_lists_are_refused() -> None:
    with pytest.raises(RefbenchError, match="only one of the two"):
        best_threshold([0.1, 0.2], [True, True])
    with pytest.raises(RefbenchError, match="one shape"):
        accuracy([0.1], [True, False], 0.5)
