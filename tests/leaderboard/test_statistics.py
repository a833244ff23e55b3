"""Intervals that cover, tests that keep their level, groups and ranks that say what they mean."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from refbench.leaderboard.statistics.permutation import holm, holm_pairs, permutation_draws, permutation_test
from refbench.leaderboard.statistics.rank_groups import compact_letters, competition_ranks, rank_ranges
from refbench.leaderboard.statistics.statistics import (
    MIN_BOOTSTRAP_IDENTITIES,
    means_with_intervals,
    paired_difference,
    sum_by_identity,
)
from scipy import stats

pytestmark = pytest.mark.core


def people(generator: np.random.Generator, groups: int) -> np.ndarray:
    return np.repeat(np.arange(groups), generator.integers(2, 8, groups))


def test_means_are_over_images_and_leave_missing_values_out() -> None:
    values = np.array([[1.0, 2.0], [3.0, np.nan], [5.0, 4.0]])
    found = means_with_intervals(values, ["a", "a", "b"], draws=99)
    np.testing.assert_allclose(found.mean, [3.0, 3.0])


def test_a_column_without_any_value_has_neither_mean_nor_interval() -> None:
    found = means_with_intervals(np.array([[1.0, np.nan], [2.0, np.nan]]), ["a", "b"], draws=99)
    assert np.isnan([found.mean[1], found.low[1], found.high[1]]).all()


def test_one_identity_gives_no_interval_and_equal_values_give_an_empty_one() -> None:
    alone = means_with_intervals(np.array([[1.0], [2.0]]), ["a", "a"], draws=99)
    assert np.isnan(alone.low[0])
    lonely_slice = means_with_intervals(np.array([[1.0], [2.0], [np.nan]]), ["a", "a", "b"], draws=99)
    assert np.isnan(lonely_slice.low[0])
    same = means_with_intervals(np.ones((4, 1)), ["a", "b", "c", "d"], draws=99)
    assert (same.low[0], same.high[0]) == (1.0, 1.0)


@pytest.mark.parametrize("people", [2, 5, MIN_BOOTSTRAP_IDENTITIES - 1])
def test_with_few_people_the_interval_is_student_s(people: int) -> None:
    values = np.random.default_rng(people).normal(3.0, 1.0, (people, 1))
    found = means_with_intervals(values, np.arange(people))
    low, high = stats.t.interval(0.95, people - 1, values.mean(), stats.sem(values[:, 0]))
    np.testing.assert_allclose([found.low[0], found.high[0]], [low, high], rtol=1e-12)


def test_intervals_do_not_depend_on_the_order_of_images_and_follow_the_seed() -> None:
    generator = np.random.default_rng(0)
    labels = people(generator, 20)
    values = generator.normal(size=(len(labels), 3))
    order = generator.permutation(len(labels))
    first, second = (
        means_with_intervals(values, labels, 1),
        means_with_intervals(values[order], labels[order], 1),
    )
    np.testing.assert_allclose(first.low, second.low, rtol=1e-12)
    assert means_with_intervals(values, labels, 2).low[0] != first.low[0]


def test_images_of_one_person_are_not_taken_for_independent() -> None:
    """Copying every image five times adds no information, so the interval must stay as it is."""
    generator = np.random.default_rng(3)
    labels = np.arange(40)
    values = generator.normal(size=(40, 1))
    once = means_with_intervals(values, labels)
    often = means_with_intervals(np.repeat(values, 5, axis=0), np.repeat(labels, 5))
    np.testing.assert_allclose(often.high - often.low, once.high - once.low, rtol=1e-9)


@pytest.mark.parametrize("skewed", [False, True])
def test_intervals_cover_the_truth_as_often_as_they_say(skewed: bool) -> None:
    """Known answer by simulation: 3000 worlds of 100 people; covered in 95 % of them, +- 1.5."""
    generator = np.random.default_rng(7)
    worlds = 3000
    labels = people(generator, 100)
    shared = generator.normal(size=(100, worlds))[labels]
    noise = 0.7 * shared + 0.7 * generator.normal(size=shared.shape)
    values = -np.exp(0.5 * noise) if skewed else noise
    truth = -np.exp(0.125 * 0.98) if skewed else 0.0
    found = means_with_intervals(values, labels, draws=999)
    covered = np.mean((found.low <= truth) & (truth <= found.high))
    assert abs(covered - 0.95) < 0.015, covered


def test_the_swap_test_keeps_its_level() -> None:
    """Known answer by simulation: two equal models, correlated within people; p < 0.05 in 5 % of worlds."""
    generator = np.random.default_rng(11)
    labels = people(generator, 30)
    rejected = 0
    worlds = 1500
    for world in range(worlds):
        gap = (generator.standard_t(4, 30))[labels] + generator.normal(size=len(labels))
        totals = sum_by_identity(gap[:, None], labels).totals
        p = permutation_test(np.concatenate([totals, np.zeros_like(totals)], axis=1), seed=world, draws=399)[
            0, 1
        ]
        rejected += p <= 0.05
    assert abs(rejected / worlds - 0.05) < 0.0175, rejected / worlds


def test_the_swap_test_is_exact_for_few_people() -> None:
    generator = np.random.default_rng(5)
    gaps = generator.normal(0.6, 1.0, 9)
    signs = np.array(list(itertools.product((1, -1), repeat=9)))
    expected = np.mean(np.abs(signs @ gaps) >= abs(gaps.sum()) - 1e-9)
    found = permutation_test(np.stack([gaps, np.zeros(9)], axis=1))
    assert found[0, 1] == pytest.approx(expected)
    assert found[0, 1] == found[1, 0]
    assert found[0, 0] == 1.0


def test_drawn_swaps_agree_with_enumerated_ones() -> None:
    """16 people are drawn, not enumerated: the Monte Carlo p is near the exact one, and never zero."""
    gaps = np.random.default_rng(8).normal(0.5, 1.0, 16)
    signs = 1 - 2 * (np.arange(1 << 16)[:, None] >> np.arange(16) & 1)
    expected = np.mean(np.abs(signs @ gaps) >= abs(gaps.sum()) - 1e-9)
    found = permutation_test(np.stack([gaps, np.zeros(16)], axis=1), draws=20_000)[0, 1]
    assert found == pytest.approx(expected, abs=0.008)
    far = permutation_test(np.stack([np.full(30, 9.0), np.zeros(30)], axis=1), draws=999)[0, 1]
    assert far == pytest.approx(1 / 1000)


def test_a_model_cannot_be_told_apart_from_itself() -> None:
    totals = np.random.default_rng(2).normal(size=(25, 1))
    assert permutation_test(np.concatenate([totals, totals], axis=1), draws=99)[0, 1] == 1.0


def test_a_paired_difference_uses_only_shared_images() -> None:
    a = np.array([1.0, 2.0, np.nan, 4.0])
    b = np.array([0.0, np.nan, 1.0, 2.0])
    found = paired_difference(a, b, ["x", "x", "y", "y"], draws=99)
    assert (found.mean, found.images, found.identities) == (1.5, 2, 2)
    nothing = paired_difference(np.array([np.nan]), np.array([1.0]), ["x"])
    assert nothing.images == 0
    assert np.isnan(nothing.p)


def test_a_paired_difference_sees_what_two_intervals_do_not() -> None:
    generator = np.random.default_rng(4)
    hard = generator.normal(size=60)
    a, b = hard + 0.1, hard + generator.normal(0, 0.05, 60)
    found = paired_difference(a, b, np.arange(60))
    assert found.low > 0
    assert found.p < 0.001


def test_holm_known_answer() -> None:
    found = holm(np.array([0.01, 0.04, 0.03, np.nan, 0.5]))
    np.testing.assert_allclose(found, [0.04, 0.09, 0.09, np.nan, 0.5])
    assert holm(np.array([])).shape == (0,)


@given(st.lists(st.floats(0, 1), min_size=1, max_size=20))
def test_holm_never_lowers_a_p_value_nor_changes_their_order(p: list[float]) -> None:
    values = np.array(p)
    found = holm(values)
    assert (found >= values - 1e-12).all()
    assert (found <= 1).all()
    order = np.argsort(values, kind="stable")
    assert (np.diff(found[order]) >= -1e-12).all()


@settings(max_examples=200, deadline=None)
@given(st.integers(1, 7), st.randoms(use_true_random=False))
def test_letters_are_shared_exactly_by_models_that_cannot_be_told_apart(models: int, random: object) -> None:
    matrix = np.ones((models, models))
    for i, j in itertools.combinations(range(models), 2):
        matrix[i, j] = matrix[j, i] = random.choice([0.001, 0.9])  # type: ignore[attr-defined]
    letters = compact_letters(matrix, list(range(models)))
    for i, j in itertools.combinations(range(models), 2):
        assert bool(set(letters[i]) & set(letters[j])) == (matrix[i, j] >= 0.05)
    assert all(letters)
    assert "a" in letters[0]


def test_rank_ranges_count_only_differences_beyond_doubt() -> None:
    p = np.array([[1, 0.5, 0.01], [0.5, 1, 0.5], [0.01, 0.5, 1]])
    assert rank_ranges(p, np.array([3.0, 2.0, 1.0]), higher_is_better=True) == [(1, 2), (1, 3), (2, 3)]
    assert rank_ranges(p, np.array([3.0, 2.0, 1.0]), higher_is_better=False) == [(2, 3), (1, 3), (1, 2)]


def test_ranks_use_full_precision_and_share_ties() -> None:
    assert list(competition_ranks(np.array([0.5000001, 0.5, 0.5, np.nan]), higher_is_better=True)) == [
        1,
        2,
        2,
        0,
    ]
    assert list(competition_ranks(np.array([0.2, 0.1]), higher_is_better=False)) == [2, 1]


def test_many_pairs_get_enough_draws_for_the_correction() -> None:
    assert permutation_draws(3) == 9_999
    pairs = 100
    assert pairs / (permutation_draws(pairs) + 1) < 0.05
    p = np.full((15, 15), 1 / (permutation_draws(105) + 1))
    np.fill_diagonal(p, 1)
    assert holm_pairs(p)[0, 1] < 0.05


def test_the_seed_decides_which_exchanges_are_drawn() -> None:
    totals = np.stack([np.random.default_rng(0).normal(0.3, 1.0, 20), np.zeros(20)], axis=1)
    p = [permutation_test(totals, seed=seed, draws=999)[0, 1] for seed in (1, 1, 2)]
    assert p[0] == p[1] != p[2]
