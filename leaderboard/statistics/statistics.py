"""Means with bootstrap intervals and paired differences, with images clustered by identity.

Arrays are float64. ``values`` is (images, models) with NaN where a model was not scored; ``identities`` is
(images,) of any hashable labels. Everything random takes a seed; the same seed gives the same numbers.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from scipy.special import stdtrit

from ..arrays import Floats, Labels
from .permutation import permutation_test

DRAWS = 9_999
MIN_BOOTSTRAP_IDENTITIES = 8
BLOCK = 2_048
TOLERANCE = 1e-9


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
    """Sums and counts of ``values`` (images, models) within identities; NaN counts as absent.

    Returns:
        Both (identities, models), identities in sorted order.
    """
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
    cluster-robust standard error, and the ``level`` quantile of the absolute ratio gives the half-width
    (Hall, "The Bootstrap and Edgeworth Expansion", 1992, section 3.6). With fewer than 8 identities too few
    different draws exist, and Student's t with one degree of freedom less than identities replaces the
    quantile; with fewer than two there is no interval.

    Args:
        values: (images, models), NaN where a model was not scored.
        identities: (images,), the person of each image.
        seed: of the draws.
        draws: number of bootstrap draws.
        level: of the interval, between 0 and 1.

    Returns:
        Mean, lower and upper bound, each (models,), in the unit of ``values``.
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
        usable = drawn_error > TOLERANCE * error
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
    """The mean of A minus B over the images that both have, with its interval and p value.

    Args:
        a, b: values of the two models, (images,), NaN where not scored.
        identities: (images,), the person of each image.
        seed: of the bootstrap and the permutation test.
        draws: of each.
        level: of the interval, between 0 and 1.

    Returns:
        See `Difference`; all NaN where no image has both.
    """
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
