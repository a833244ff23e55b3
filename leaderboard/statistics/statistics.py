"""Means with intervals, paired differences and tests; images of one person are never taken for independent.

Arrays are float64. ``values`` is (images, models) with NaN where a model was not scored; ``identities`` is
(images,) of any hashable labels. Everything random takes a seed; the same seed gives the same numbers.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.special import stdtrit

from ..arrays import Floats, Labels

DRAWS = 9_999
MAX_DRAWS = 199_999
EXACT_IDENTITIES = 14
MIN_BOOTSTRAP_IDENTITIES = 8
BLOCK = 2_048
TIE = 1e-9


@dataclass(frozen=True, slots=True)
class Sums:
    """Sums of values and numbers of images per identity: both (identities, models)."""

    totals: Floats
    counts: Floats


@dataclass(frozen=True, slots=True)
class Means:
    """Means over images with the bounds of their 95 % intervals: each (models,), NaN where there is none."""

    mean: Floats
    low: Floats
    high: Floats


@dataclass(frozen=True, slots=True)
class Difference:
    """The mean of A minus B over the images that both have, with its 95 % interval and p value."""

    mean: float
    low: float
    high: float
    p: float
    images: int
    identities: int


def sum_by_identity(values: Floats, identities: Labels) -> Sums:
    """Sum ``values`` (images, models) within identities; NaN counts as absent."""
    labels, inverse = np.unique(np.asarray(identities), return_inverse=True)
    present = np.isfinite(values)
    shape = (len(labels), values.shape[1])
    totals, counts = np.zeros(shape), np.zeros(shape)
    np.add.at(totals, inverse, np.where(present, values, 0.0))
    np.add.at(counts, inverse, present.astype(np.float64))
    return Sums(totals, counts)


def means_with_intervals(
    values: Floats, identities: Labels, seed: int = 0, *, draws: int = DRAWS, level: float = 0.95
) -> Means:
    """Mean of each column with a symmetric studentised bootstrap interval over identities.

    Identities are drawn with replacement; each drawn mean is compared with the mean in units of its own
    cluster-robust standard error, and the ``level`` quantile of that ratio's size gives the half-width
    (Hall, "The Bootstrap and Edgeworth Expansion", 1992, section 3.6). With fewer than
    `MIN_BOOTSTRAP_IDENTITIES` identities too few different draws exist, and Student's t with one degree of
    freedom less than identities takes the quantile's place; with fewer than two there is no interval.
    """
    sums = sum_by_identity(values, identities)
    images = sums.counts.sum(axis=0)
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = sums.totals.sum(axis=0) / images
        half = _half_widths(sums, mean, images, seed=seed, draws=draws, level=level)
    return Means(mean, mean - half, mean + half)


def _half_widths(sums: Sums, mean: Floats, images: Floats, *, seed: int, draws: int, level: float) -> Floats:
    groups = len(sums.totals)
    if groups < 2:
        return np.full_like(mean, np.nan)
    # Centring first keeps the sums of squares below free of cancellation. The factor G / (G - 1) of the
    # standard error is left out: it cancels between a drawn ratio and the error that it is multiplied by.
    count = sums.counts
    rest = sums.totals - mean * count
    error = np.sqrt(np.square(rest).sum(axis=0)) / images
    squares, crossed, counted = np.square(rest), rest * count, np.square(count)
    ratios = np.empty((draws, rest.shape[1]))
    for start, weights in _bootstrap_weights(groups, draws, seed):
        drawn = weights @ count
        shift = weights @ rest / drawn
        spread = weights @ squares - 2 * shift * (weights @ crossed) + np.square(shift) * (weights @ counted)
        drawn_error = np.sqrt(np.maximum(spread, 0.0)) / drawn
        usable = drawn_error > TIE * error
        block = np.where(usable, np.abs(shift) / np.where(usable, drawn_error, 1.0), np.nan)
        ratios[start : start + len(weights)] = block
    half = np.full_like(mean, np.nan)
    present = (count > 0).sum(axis=0)
    for column in np.flatnonzero(present > 1):
        people = int(present[column])
        if people < MIN_BOOTSTRAP_IDENTITIES:
            half[column] = (
                stdtrit(people - 1, (1 + level) / 2) * error[column] * np.sqrt(people / (people - 1))
            )
            continue
        found = ratios[np.isfinite(ratios[:, column]), column]
        if len(found):
            half[column] = np.quantile(found, level) * error[column]
        else:
            half[column] = 0.0
    return half


def _bootstrap_weights(groups: int, draws: int, seed: int) -> Iterator[tuple[int, Floats]]:
    generator = np.random.default_rng([seed, groups])
    even = np.full(groups, 1.0 / groups)
    for start in range(0, draws, BLOCK):
        count = min(BLOCK, draws - start)
        yield start, generator.multinomial(groups, even, size=count).astype(np.float64)


def paired_difference(
    a: Floats, b: Floats, identities: Labels, *, seed: int = 0, draws: int = DRAWS, level: float = 0.95
) -> Difference:
    """Compare two models on the images that both have: ``a`` and ``b`` are (images,)."""
    both = np.isfinite(a) & np.isfinite(b)
    labels = np.asarray(identities)[both]
    if not both.any():
        return Difference(np.nan, np.nan, np.nan, np.nan, 0, 0)
    gap = (a - b)[both][:, None]
    found = means_with_intervals(gap, labels, seed, draws=draws, level=level)
    totals = sum_by_identity(gap, labels).totals
    p = permutation_test(np.concatenate([totals, np.zeros_like(totals)], axis=1), seed, draws)[0, 1]
    return Difference(
        float(found.mean[0]), float(found.low[0]), float(found.high[0]), float(p), len(labels), len(totals)
    )


def permutation_test(totals: Floats, seed: int = 0, draws: int = DRAWS) -> Floats:
    """Two-sided p values (models, models) of the paired permutation test within identities.

    Under the null hypothesis the outputs of two models may be swapped without a difference; all images of
    an identity are swapped together, so their dependence is kept. ``totals`` is (identities, models), from
    images that every model has. Up to 14 identities every swap is enumerated and p is exact; above, p is
    (1 + hits) / (1 + draws), which keeps the test's level (Phipson and Smyth, 2010).
    """
    groups, models = totals.shape
    sums = totals.sum(axis=0)
    seen = np.abs(sums[:, None] - sums) - TIE * np.abs(totals).sum(axis=0).max(initial=0.0)
    hits = np.zeros((models, models))
    tried = 0
    for signs in _sign_blocks(groups, draws, seed):
        drawn = signs @ totals
        for i in range(models - 1):
            gaps = np.abs(drawn[:, i + 1 :] - drawn[:, i : i + 1])
            hits[i, i + 1 :] += np.count_nonzero(gaps >= seen[i, i + 1 :], axis=0)
        tried += len(signs)
    exact = groups <= EXACT_IDENTITIES
    p = np.triu(hits / tried if exact else (1 + hits) / (1 + tried), 1)
    return np.asarray(p + p.T + np.eye(models), dtype=np.float64)


def _sign_blocks(groups: int, draws: int, seed: int) -> Iterator[Floats]:
    if groups <= EXACT_IDENTITIES:
        masks = np.arange(1 << groups)[:, None] >> np.arange(groups) & 1
        for start in range(0, len(masks), BLOCK):
            yield (1 - 2 * masks[start : start + BLOCK]).astype(np.float64)
        return
    generator = np.random.default_rng([seed, groups, 1])
    for start in range(0, draws, BLOCK):
        count = min(BLOCK, draws - start)
        bits = np.unpackbits(generator.integers(0, 256, (count, -(-groups // 8)), dtype=np.uint8), axis=1)
        yield (1 - 2 * bits[:, :groups].astype(np.int8)).astype(np.float64)


def permutation_draws(pairs: int) -> int:
    """How many swaps a table of that many pairs needs, for Holm's correction to leave p values of use.

    With n pairs the smallest corrected p is n / (draws + 1): 0.02 here, up to 4,000 pairs (90 models).
    """
    return min(max(DRAWS, 50 * pairs - 1), MAX_DRAWS)


def holm(p: Floats) -> Floats:
    """Holm's step-down correction of p values (Holm, 1979): any shape; NaN stays and does not count."""
    flat = p.ravel()
    kept = np.flatnonzero(np.isfinite(flat))
    order = kept[np.argsort(flat[kept], kind="stable")]
    steps = flat[order] * np.arange(len(order), 0, -1)
    corrected = np.full_like(flat, np.nan)
    corrected[order] = np.minimum(np.maximum.accumulate(steps), 1.0) if len(order) else steps
    return corrected.reshape(p.shape)


def holm_pairs(p: Floats) -> Floats:
    """Holm over the pairs of a symmetric (models, models) matrix of p values; the diagonal stays 1."""
    first, second = np.triu_indices(len(p), 1)
    matrix = np.ones_like(p)
    matrix[first, second] = matrix[second, first] = holm(p[first, second])
    return matrix


def compact_letters(corrected: Floats, order: Sequence[int], alpha: float = 0.05) -> list[str]:
    """Letters per model: two models share a letter if and only if they cannot be told apart at ``alpha``.

    The compact letter display by insertion and absorption (Piepho, 2004); ``order`` lists the models from
    best to worst and decides which group is ``a``. Returns one string per model, in the models' own order.
    """
    place = {model: rank for rank, model in enumerate(order)}
    groups = [frozenset(order)] if order else []
    for i, first in enumerate(order):
        for second in order[i + 1 :]:
            if corrected[first, second] >= alpha:
                continue
            split = [group for group in groups if first in group and second in group]
            groups = [group for group in groups if group not in split]
            for group in (half for whole in split for half in (whole - {first}, whole - {second})):
                if not any(group <= other for other in groups):
                    groups = [other for other in groups if not other <= group] + [group]
    groups.sort(key=lambda group: sorted(place[model] for model in group))
    letters = [""] * len(corrected)
    for number, group in enumerate(groups):
        for model in group:
            letters[model] += _letter(number)
    return letters


def _letter(number: int) -> str:
    return chr(ord("a") + number % 26) + ("" if number < 26 else str(number // 26))


def rank_ranges(
    corrected: Floats, means: Floats, higher_is_better: bool, *, alpha: float = 0.05
) -> list[tuple[int, int]]:
    """Best and worst rank that each model may hold, given which differences are beyond doubt."""
    gain = means[:, None] - means[None, :] if higher_is_better else means[None, :] - means[:, None]
    apart = corrected < alpha
    beaten = (apart & (gain < 0)).sum(axis=1)
    beats = (apart & (gain > 0)).sum(axis=1)
    return [(int(1 + b), int(len(means) - w)) for b, w in zip(beaten, beats, strict=True)]


def ranks(values: Floats, higher_is_better: bool) -> npt.NDArray[np.int64]:
    """Competition ranks (1 is best, ties share the better rank) on full precision; NaN gets 0."""
    signed = -values if higher_is_better else values
    found: npt.NDArray[np.int64] = 1 + (signed[None, :] < signed[:, None]).sum(axis=1)
    return np.where(np.isfinite(values), found, 0)
