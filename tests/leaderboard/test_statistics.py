"""Intervals that cover, tests that keep their level, groups and ranks that say what they mean."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from refbench.leaderboard.estimands import MeanOver
from refbench.leaderboard.statistics.cluster_robust import (
    estimate_means,
    interval_of,
    p_of,
    sum_by_identity,
)
from refbench.leaderboard.statistics.design import Design
from refbench.leaderboard.statistics.permutation import holm, permutation_test
from refbench.leaderboard.statistics.rank_groups import compact_letters, competition_ranks, rank_ranges
from refbench.leaderboard.statistics.statistics import (
    means_with_intervals,
    pair_differences,
    paired_difference,
)
from scipy import linalg, stats

pytestmark = pytest.mark.core


def people(generator: np.random.Generator, groups: int) -> np.ndarray:
    return np.repeat(np.arange(groups), generator.integers(2, 8, groups))


def uneven(generator: np.random.Generator, groups: int) -> np.ndarray:
    """Labels of people of whom few hold most images."""
    return np.repeat(np.arange(groups), np.minimum(np.ceil(2 / generator.random(groups)), 60).astype(int))


def explicit_cr2(values: np.ndarray, labels: np.ndarray) -> tuple[float, float]:
    """Standard error and degrees of freedom by the matrices of Pustejovsky and Tipton, equations 4 to 7."""
    count = len(values)
    hat = np.full((count, count), 1 / count)
    together = labels[:, None] == labels
    working = np.where(together, 0.7, 0.0) + 0.3 * np.eye(count)
    rest, variance, vectors = values - values.mean(), 0.0, []
    for person in np.unique(labels):
        mine = np.flatnonzero(labels == person)
        maker = (np.eye(count) - hat)[mine]
        root = linalg.cholesky(working[np.ix_(mine, mine)])
        inner = root @ maker @ working @ maker.T @ root.T
        adjust = root.T @ linalg.inv(linalg.sqrtm(inner).real) @ root
        variance += (adjust @ rest[mine]).sum() ** 2 / count**2
        vectors.append(maker.T @ adjust.sum(axis=1) / count)
    matrix = np.array(vectors) @ working @ np.array(vectors).T
    return np.sqrt(variance), np.trace(matrix) ** 2 / np.square(matrix).sum()


def test_means_are_over_images_and_leave_missing_values_out() -> None:
    values = np.array([[1.0, 2.0], [3.0, np.nan], [5.0, 4.0]])
    found = means_with_intervals(values, ["a", "a", "b"])
    np.testing.assert_allclose(found.mean, [3.0, 3.0])
    assert found.over == "images"


def test_means_over_people_give_everyone_the_same_weight() -> None:
    values = np.array([[1.0, 2.0], [3.0, np.nan], [5.0, 4.0]])
    found = means_with_intervals(values, ["a", "a", "b"], over="people")
    np.testing.assert_allclose(found.mean, [3.5, 3.0])
    lone = paired_difference(np.array([4.0, 2.0, 9.0]), np.zeros(3), ["a", "a", "b"], over="people")
    assert (lone.mean, lone.over) == (6.0, "people")


def test_a_column_without_any_value_has_neither_mean_nor_interval() -> None:
    found = means_with_intervals(np.array([[1.0, np.nan], [2.0, np.nan]]), ["a", "b"])
    assert np.isnan([found.mean[1], found.low[1], found.high[1]]).all()
    assert np.isfinite([found.mean[0], found.low[0], found.high[0]]).all()


def test_one_identity_gives_no_interval_and_equal_values_give_an_empty_one() -> None:
    alone = means_with_intervals(np.array([[1.0], [2.0]]), ["a", "a"])
    assert np.isnan(alone.low[0])
    lonely_slice = means_with_intervals(np.array([[1.0], [2.0], [np.nan]]), ["a", "a", "b"])
    assert np.isnan(lonely_slice.low[0])
    same = means_with_intervals(np.full((4, 1), 0.1), ["a", "b", "c", "d"])
    assert (same.low[0], same.high[0]) == (0.1, 0.1)
    assert same.notes[0].startswith("all 4 people have the same value")


@pytest.mark.parametrize("groups", [2, 3, 8, 25])
def test_standard_errors_and_degrees_of_freedom_are_those_of_the_matrices(groups: int) -> None:
    """Independent computation: CR2 and Satterthwaite by explicit matrices, people of unequal size."""
    generator = np.random.default_rng(groups)
    labels = uneven(generator, groups)
    values = generator.normal(size=len(labels)) + labels % 3
    found = estimate_means(sum_by_identity(values[:, None], labels), "images")
    expected = explicit_cr2(values, labels)
    np.testing.assert_allclose([found.error[0], found.degrees[0]], expected, rtol=1e-9)


@pytest.mark.parametrize("over", ["images", "people"])
def test_with_one_image_each_it_is_the_t_test(over: MeanOver) -> None:
    """Independent computation: scipy's t test, on values without skew, where Hall's correction is none."""
    half = np.random.default_rng(3).normal(size=8)
    values = np.concatenate([half, -half]) + 0.4
    found = means_with_intervals(values[:, None], np.arange(16), over=over)
    expected = stats.t.interval(0.95, 15, values.mean(), stats.sem(values))
    np.testing.assert_allclose([found.low[0], found.high[0]], expected, rtol=1e-9)
    gap = paired_difference(values, np.zeros(16), np.arange(16), over=over)
    assert gap.p == pytest.approx(stats.ttest_1samp(values, 0).pvalue, rel=1e-9)


def test_the_mean_over_people_is_the_t_test_of_their_means() -> None:
    generator = np.random.default_rng(4)
    labels = uneven(generator, 30)
    values = generator.normal(size=len(labels)) + labels % 4
    means = np.array([values[labels == person].mean() for person in range(30)])
    found = estimate_means(sum_by_identity(values[:, None], labels), "people")
    assert found.mean[0] == pytest.approx(means.mean())
    assert (found.error[0], found.degrees[0]) == pytest.approx((stats.sem(means), 29.0))
    assert found.skew[0] * np.sqrt(30) == pytest.approx(stats.skew(means))


def test_skew_moves_the_interval_as_hall_says() -> None:
    """Independent computation: both bounds solve Hall's cubic for quantiles of t; half the skew if paired."""
    values = np.random.default_rng(5).exponential(size=12)
    single = means_with_intervals(values[:, None], np.arange(12))
    paired = paired_difference(values, np.zeros(12), np.arange(12))
    quantile = stats.t.ppf(0.975, 11)
    for low, high, weight in ((single.low[0], single.high[0], 1.0), (paired.low, paired.high, 0.5)):
        skew = weight * stats.skew(values) / np.sqrt(12)
        for bound, wanted in ((low, quantile), (high, -quantile)):
            t = (values.mean() - bound) / stats.sem(values)
            assert t + skew * t**2 / 3 + skew**2 * t**3 / 27 + skew / 6 == pytest.approx(wanted, rel=1e-9)
        assert high - values.mean() > values.mean() - low


def test_few_large_sums_count_little_for_the_skew() -> None:
    """Over images the skewness of the sums of residuals counts by the effective share of the people."""
    generator = np.random.default_rng(6)
    labels = uneven(generator, 30)
    values, sizes = generator.exponential(size=len(labels)), np.bincount(labels)
    rest = np.bincount(labels, values - values.mean())
    share = len(labels) ** 2 / (sizes**2).sum() / 30
    found = estimate_means(sum_by_identity(values[:, None], labels), "images")
    assert found.skew[0] == pytest.approx(share * (rest**3).sum() / (rest**2).sum() ** 1.5)


@pytest.mark.parametrize("over", ["images", "people"])
def test_the_order_of_rows_changes_no_bit(over: MeanOver) -> None:
    generator = np.random.default_rng(0)
    labels = people(generator, 20)
    values = generator.normal(size=(len(labels), 3))
    values[generator.random(values.shape) < 0.1] = np.nan
    order = generator.permutation(len(labels))
    first = means_with_intervals(values, labels, over=over)
    second = means_with_intervals(values[order], labels[order], over=over)
    for name in ("mean", "low", "high"):
        np.testing.assert_array_equal(getattr(first, name), getattr(second, name))
    pair = [
        paired_difference(v[:, 0], v[:, 1], who, over=over)
        for v, who in ((values, labels), (values[order], labels[order]))
    ]
    assert pair[0] == pair[1]


def test_images_of_one_person_are_not_taken_for_independent() -> None:
    """Copying every image five times adds no information, so the interval must stay as it is."""
    generator = np.random.default_rng(3)
    labels = np.arange(40)
    values = generator.normal(size=(40, 1))
    once = means_with_intervals(values, labels)
    often = means_with_intervals(np.repeat(values, 5, axis=0), np.repeat(labels, 5))
    np.testing.assert_allclose(often.high - often.low, once.high - once.low, rtol=1e-9)


@pytest.mark.parametrize("over", ["images", "people"])
@pytest.mark.parametrize(("kind", "least"), [("normal", 0.93), ("lognormal", 0.87), ("heavy-tailed", 0.93)])
def test_intervals_cover_the_truth_as_often_as_they_say(over: MeanOver, kind: str, least: float) -> None:
    """Known answer by simulation, 1,500 worlds of 20 people; the goals of `benchmarks/intervals.py`."""
    generator = np.random.default_rng(7)
    labels = uneven(generator, 20) if kind == "heavy-tailed" else people(generator, 20)
    shared = generator.normal(size=(20, 1500))[labels]
    noise = np.sqrt(0.7) * shared + np.sqrt(0.3) * generator.normal(size=shared.shape)
    values, truth = (np.exp(noise), np.exp(0.5)) if kind == "lognormal" else (noise, 0.0)
    found = means_with_intervals(values, labels, over=over)
    covered = np.mean((found.low <= truth) & (truth <= found.high))
    assert least - 0.013 <= covered, covered
    assert kind == "heavy-tailed" or covered <= 0.97, covered


VALUES = st.floats(-100, 100).map(lambda value: round(value, 3))


@settings(max_examples=150, deadline=None)
@given(
    st.lists(st.lists(VALUES, min_size=1, max_size=8), min_size=2, max_size=12),
    st.sampled_from(["images", "people"]),
    st.sampled_from([0.5, 0.9, 0.95, 0.99]),
)
def test_interval_and_test_never_contradict_each_other(
    scores: list[list[float]], over: MeanOver, level: float
) -> None:
    """p below 1 - level exactly where the interval leaves out 0; turned round, everything is turned round."""
    labels = np.repeat(np.arange(len(scores)), [len(mine) for mine in scores])
    a, zero = np.concatenate(scores), np.zeros(len(labels))
    there, back = (paired_difference(x, y, labels, over=over, level=level) for x, y in ((a, zero), (zero, a)))
    assert (there.p < 1 - level) == (there.low > 0 or there.high < 0)
    assert there.low <= there.mean <= there.high
    assert (back.mean, back.low, back.high, back.p) == pytest.approx(
        (-there.mean, -there.high, -there.low, there.p), abs=1e-9
    )
    single = means_with_intervals(a[:, None], labels, over=over, level=level)
    p = p_of(estimate_means(sum_by_identity(a[:, None], labels), over))[0]
    assert (p < 1 - level) == (single.low[0] > 0 or single.high[0] < 0)


def test_ten_thousand_comparisons_hold_no_contradiction() -> None:
    """The case that was found: 11 people with two images and 3 with seven, who gain more."""
    generator = np.random.default_rng(61)
    labels = np.repeat(np.arange(14), [2] * 11 + [7] * 3)
    gain = generator.normal(0.5, 1.0, (14, 10_000)) + np.where(np.arange(14) > 10, 1.0, 0.0)[:, None]
    sums = sum_by_identity(gain[labels] + generator.normal(0, 0.3, (len(labels), 10_000)), labels)
    for over in ("images", "people"):
        found = estimate_means(sums, over, is_paired=True)
        low, high = interval_of(found, 0.95)
        apart = (low > 0) | (high < 0)
        assert 0.1 < apart.mean() < 0.9
        np.testing.assert_array_equal(p_of(found) < 0.05, apart)


def test_all_pairs_are_the_paired_differences() -> None:
    generator = np.random.default_rng(9)
    labels = people(generator, 12)
    values = generator.exponential(size=(len(labels), 4))
    values[3] = np.nan
    for over in ("images", "people"):
        pairs = pair_differences(values, labels, over=over)
        for i, j in itertools.permutations(range(4), 2):
            one = paired_difference(values[:, i], values[:, j], labels, over=over)
            found = [part[i, j] for part in (pairs.difference, pairs.low, pairs.high, pairs.p)]
            np.testing.assert_allclose(found, [one.mean, one.low, one.high, one.p], rtol=1e-9)
        assert (np.diag(pairs.p) == 1).all()


def test_few_who_hold_most_images_are_named_and_the_other_mean_is_pointed_to() -> None:
    lopsided = Design.of(np.repeat(np.arange(40), [2] * 38 + [100] * 2))
    assert lopsided.effective == pytest.approx(276**2 / (38 * 4 + 2 * 10_000))
    assert "few people hold most images: 40 people weigh like 3.8" in lopsided.note("images")
    assert lopsided.note("people") == ""
    assert "some people hold more images" in Design.of(np.repeat(np.arange(14), [2] * 11 + [7] * 3)).note(
        "images"
    )
    many = Design.of(np.repeat(np.arange(100), [1] * 98 + [15] * 2))
    assert "few people hold most images: 100 people weigh like 29.9" in many.note("images")
    even = Design.of(np.repeat(np.arange(40), 3))
    assert (even.effective, even.note("images")) == (40.0, "")
    assert Design.of(np.repeat(np.arange(8), 3)).note("images").startswith("few people (8)")


def test_rare_events_have_a_warning() -> None:
    labels = np.repeat(np.arange(20), 2)
    rare = np.isin(labels, [3, 4]).astype(float)
    found = means_with_intervals(np.stack([rare, (labels % 2).astype(float), labels * 1.0], axis=1), labels)
    assert found.notes[0] == "rare event: only 2 of 20 people differ, too few for a 95 % interval"
    assert found.notes[1:] == ("", "")
    assert "rare event" in paired_difference(rare, np.zeros(40), labels).note


def test_the_same_gap_for_all_is_told_from_none() -> None:
    a = np.random.default_rng(1).normal(30, 5, 12)
    labels = np.repeat(np.arange(6), 2)
    shifted, none = paired_difference(a + 0.1, a, labels), paired_difference(a, a.copy(), labels)
    assert (shifted.p, none.p) == (0.0, 1.0)
    assert shifted.low == shifted.high == shifted.mean
    assert shifted.mean == pytest.approx(0.1)
    assert (none.low, none.high) == (0.0, 0.0)


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
    found = paired_difference(a, b, ["x", "x", "y", "y"])
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


def test_the_seed_decides_which_exchanges_are_drawn() -> None:
    totals = np.stack([np.random.default_rng(0).normal(0.3, 1.0, 20), np.zeros(20)], axis=1)
    p = [permutation_test(totals, seed=seed, draws=999)[0, 1] for seed in (1, 1, 2)]
    assert p[0] == p[1] != p[2]
