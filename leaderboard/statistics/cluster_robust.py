"""Cluster-robust errors (CR2) of means, with Satterthwaite's degrees of freedom and Hall's skew term.

A person is a cluster: images of one person are not independent. The mean over images is the intercept of a
regression by least squares; its variance is estimated by CR2 (Bell and McCaffrey, "Bias reduction in standard
errors for linear regression with multi-stage samples", Survey Methodology 28, 2002), and the degrees of
freedom of Student's t by Satterthwaite's rule, both under a working model (Pustejovsky and Tipton,
"Small-sample methods for cluster-robust variance estimation", JBES 36, 2018, equations 4 to 7): images of one
person have correlation 0.7, images of two people none. For an intercept alone both have a closed form, since
the sum over a person is an eigenvector of every matrix in them. The mean over people is the same with one
value per person, the person's mean; it is then Student's t exactly.

Skew is met by the cubic transformation of t of Hall ("On the removal of skewness by transformation", JRSS B
54, 1992): it is monotone, so a test and the interval that it inverts to are one. Two weights on the estimated
skewness are ours, chosen by simulation (`benchmarks/intervals.py`): the effective number of people over their
number, since the third moment of a few large sums is noise, and `PAIRED_SKEW` for differences, which are
symmetric where two models are equal: with the whole correction a test of heavy-tailed ones would err in 11 %.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import stdtr, stdtrit

from ..arrays import Floats, Labels
from ..estimands import MeanOver

CORRELATION = 0.7
TOLERANCE = 1e-12
PAIRED_SKEW = 0.5


@dataclass(frozen=True, slots=True)
class Sums:
    """Sums of values and numbers of images per person: ``totals`` (people, columns), ``counts`` likewise or
    (people, 1) where all columns have the same images."""

    totals: Floats
    counts: Floats


@dataclass(frozen=True, slots=True)
class Estimates:
    """Means of columns with what their intervals and tests need; each (columns,).

    Attributes:
        mean: NaN without a value.
        error: standard error; NaN with fewer than two people, 0 where all values are the same.
        degrees: of freedom of Student's t.
        skew: estimated skewness of the mean, the third cumulant over the 1.5th power of the variance,
            weighted.
        people: number of people with a value.
    """

    mean: Floats
    error: Floats
    degrees: Floats
    skew: Floats
    people: Floats


def sum_by_identity(values: Floats, identities: Labels) -> Sums:
    """Sums and counts of ``values`` (images, columns) within identities; NaN counts as absent.

    The order of rows does not matter, to the last bit: values of a person are added in ascending order.

    Returns:
        Both (identities, columns), identities in sorted order.
    """
    _, inverse = np.unique(np.asarray(identities), return_inverse=True)
    if not len(inverse):
        return Sums(np.zeros((0, values.shape[1])), np.zeros((0, values.shape[1])))
    order = np.argsort(inverse, kind="stable")
    starts = np.flatnonzero(np.diff(inverse[order], prepend=-1))
    present = np.isfinite(values[order])
    sorted_values = np.where(present, values[order], 0.0)
    for person in np.split(sorted_values, starts[1:]):
        person.sort(axis=0)
    counts = np.add.reduceat(present.astype(np.float64), starts, axis=0)
    return Sums(np.add.reduceat(sorted_values, starts, axis=0), counts)


def estimate_means(
    sums: Sums, over: MeanOver, scale: Floats | float | None = None, *, is_paired: bool = False
) -> Estimates:
    """Mean of each column over images or over people, with its standard error.

    Args:
        sums: of the people.
        over: what the mean is taken over.
        scale: size of the values that the columns were computed from, (columns,), in their unit; a standard
            error below 1e-12 of it is rounding, and 0. None for the largest mean of a person.
        is_paired: whether the values are differences of two models, whose skewness is halved.
    """
    totals, counts = sums.totals, sums.counts
    present = counts > 0
    means = totals / np.where(present, counts, 1.0)
    if over == "people":
        totals, counts = means, present.astype(np.float64)
    if scale is None:
        scale = np.abs(means).max(axis=0, initial=0.0)
    images = counts.sum(axis=0)
    people = present.sum(axis=0).astype(np.float64)
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = totals.sum(axis=0) / images
        rest = totals - counts * mean
        weights, degrees = _adjustment(counts, images)
        squares = np.square(rest)
        error = np.sqrt((weights * squares).sum(axis=0)) / images
        spread = squares.sum(axis=0)
        balance = np.square(images) / np.square(counts).sum(axis=0) / people
        skew = balance * (PAIRED_SKEW if is_paired else 1.0) * (squares * rest).sum(axis=0) / spread**1.5
    is_constant = error <= TOLERANCE * scale
    error = np.where(people < 2, np.nan, np.where(is_constant, 0.0, error))
    degrees, people = (np.broadcast_to(part, mean.shape) for part in (degrees, people))
    return Estimates(
        np.where(is_constant & (np.abs(mean) <= TOLERANCE * scale), 0.0, mean),
        error,
        degrees,
        np.where(np.isfinite(skew) & ~is_constant, skew, 0.0),
        people,
    )


def _adjustment(counts: Floats, images: Floats) -> tuple[Floats, Floats]:
    """Squared factors of CR2 for each person's sum of residuals, and Satterthwaite's degrees of freedom.

    With sizes n and N images, a person's sum has the variance n f, f = 1 + 0.7 (n - 1), in units of an
    image's variance, and its sum of residuals n B; the factor is f / B. The degrees of freedom are the square
    of the trace over the squared Frobenius norm of the matrix that CR2 is a quadratic form of.
    """
    inflation = 1.0 + CORRELATION * (counts - 1.0)
    variance = counts * inflation
    total = variance.sum(axis=0)
    left = inflation * np.square(1.0 - counts / images) + counts * (total - variance) / np.square(images)
    weights = inflation / np.where(counts > 0, left, 1.0)
    share, whole = inflation / images, total / np.square(images)
    squared = weights * np.square(counts)
    zero, one, two = (np.sum(squared * share**power, axis=0) for power in (0, 1, 2))
    crossed = np.square(whole * zero) + 2.0 * two * zero - 4.0 * whole * one * zero + 2.0 * np.square(one)
    own = np.square(weights) * variance * (2.0 * np.square(counts) * (whole - 2.0 * share) + variance)
    return weights, np.square(total) / (crossed + own.sum(axis=0))


def interval_of(found: Estimates, level: float) -> tuple[Floats, Floats]:
    """Bounds of the interval of each mean, (columns,) each; NaN where there is no standard error."""
    quantile = stdtrit(found.degrees, (1.0 + level) / 2.0)
    low = found.mean - found.error * _without_skew(quantile, found.skew)
    high = found.mean - found.error * _without_skew(-quantile, found.skew)
    constant = found.error == 0
    return np.where(constant, found.mean, low), np.where(constant, found.mean, high)


def p_of(found: Estimates) -> Floats:
    """Two-sided p value of each mean against 0, (columns,); below 1 - level exactly where the interval of
    that level leaves out 0. Where all values are the same, p is 1 for 0 and 0 for another value."""
    with np.errstate(invalid="ignore", divide="ignore"):
        t = found.mean / found.error
        p = 2.0 * stdtr(found.degrees, -np.abs(_with_skew(t, found.skew)))
    return np.asarray(np.where(found.error == 0, found.mean == 0, p), dtype=np.float64)


def _with_skew(t: Floats, skew: Floats) -> Floats:
    """Hall's transformation of t, increasing in t: t + s t^2 / 3 + s^2 t^3 / 27 + s / 6."""
    return t * (1.0 + skew * t / 3.0 * (1.0 + skew * t / 9.0)) + skew / 6.0


def _without_skew(x: Floats, skew: Floats) -> Floats:
    """The inverse of `_with_skew`."""
    inner = skew * (x - skew / 6.0)
    with np.errstate(invalid="ignore"):
        root = np.where(
            inner > -0.5, np.expm1(np.log1p(np.maximum(inner, -0.5)) / 3.0), np.cbrt(1.0 + inner) - 1.0
        )
        found: Floats = np.where(skew == 0, x, 3.0 * root / np.where(skew == 0, 1.0, skew))
    return found
