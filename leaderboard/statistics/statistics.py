"""Means over images or over people with 95 % intervals, and paired differences with the test that fits.

Arrays are float64. ``values`` is (images, models) with NaN where a model was not scored; ``identities`` is
(images,) of any hashable labels. Nothing is drawn: equal values give equal numbers, in any order of rows.
Method and sources: `cluster_robust`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..arrays import Floats, Labels
from ..estimands import MeanOver
from .cluster_robust import Sums, estimate_means, interval_of, p_of, sum_by_identity
from .design import Design, rare_note


@dataclass(frozen=True, slots=True)
class Means:
    """Means with the bounds of their 95 % intervals: each (models,), NaN where there is none.

    Attributes:
        mean, low, high: in the unit of the values.
        over: what the means are taken over.
        notes: of each model, what its interval cannot promise; empty where there is nothing to say.
    """

    mean: Floats
    low: Floats
    high: Floats
    over: MeanOver = "images"
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Difference:
    """The mean of A minus B over the images that both have, with its 95 % interval and p value.

    p is below 0.05 exactly when the 95 % interval leaves out 0.

    Attributes:
        mean, low, high: in the unit of the values.
        p: of the paired t test, two-sided, not corrected.
        images, identities: numbers of images and of people.
        over: what the mean is taken over.
        effective: number of people of equal size that the images are worth, see `Design`.
        note: what the interval cannot promise; empty where there is nothing to say.
    """

    mean: float
    low: float
    high: float
    p: float
    images: int
    identities: int
    over: MeanOver = "images"
    effective: float = np.nan
    note: str = ""


@dataclass(frozen=True, slots=True)
class PairDifferences:
    """Differences of the means of all pairs of models, row minus column; each (models, models).

    Attributes:
        difference, low, high: with the bounds of their 95 % intervals; 0 on the diagonal.
        p: of the paired t test, two-sided, not corrected; 1 on the diagonal.
    """

    difference: Floats
    low: Floats
    high: Floats
    p: Floats


def means_with_intervals(
    values: Floats, identities: Labels, *, over: MeanOver = "images", level: float = 0.95
) -> Means:
    """Mean of each column with its interval; images of one person are not taken for independent.

    Cluster-robust: CR2, Satterthwaite's degrees of freedom and Hall's correction of skew, see
    `cluster_robust`. With fewer than two people there is no interval.

    Args:
        values: (images, models), NaN where a model was not scored.
        identities: (images,), the person of each image.
        over: ``images``, each counts once; or ``people``, each counts once by the mean of the images.
        level: of the interval, between 0 and 1.

    Returns:
        Mean, lower and upper bound, each (models,), in the unit of ``values``.
    """
    sums = sum_by_identity(values, identities)
    found = estimate_means(sums, over)
    low, high = interval_of(found, level)
    return Means(found.mean, low, high, over, tuple(rare_note(column) for column in _person_means(sums).T))


def paired_difference(
    a: Floats, b: Floats, identities: Labels, *, over: MeanOver = "images", level: float = 0.95
) -> Difference:
    """The mean of A minus B over the images that both have, with its interval and p value.

    Both come of one distribution (see `cluster_robust`): p < 1 - level exactly when the
    interval leaves out 0.

    Args:
        a, b: values of the two models, (images,), NaN where not scored.
        identities: (images,), the person of each image.
        over: ``images``, each counts once; or ``people``, each counts once by the mean of the images.
        level: of the interval, between 0 and 1.

    Returns:
        See `Difference`; all NaN where no image has both.
    """
    both = np.isfinite(a) & np.isfinite(b)
    labels = np.asarray(identities)[both]
    if not both.any():
        return Difference(np.nan, np.nan, np.nan, np.nan, 0, 0, over)
    sums = sum_by_identity((a - b)[both][:, None], labels)
    scale = float(max(np.abs(a[both]).max(), np.abs(b[both]).max()))
    found = estimate_means(sums, over, scale, is_paired=True)
    low, high = interval_of(found, level)
    design = Design.of(labels)
    notes = (design.note(over), rare_note(_person_means(sums)[:, 0]))
    return Difference(
        mean=float(found.mean[0]),
        low=float(low[0]),
        high=float(high[0]),
        p=float(p_of(found)[0]),
        images=len(labels),
        identities=design.people,
        over=over,
        effective=design.effective,
        note="; ".join(note for note in notes if note),
    )


def pair_differences(
    values: Floats, identities: Labels, *, over: MeanOver = "images", level: float = 0.95
) -> PairDifferences:
    """Paired differences of all pairs of columns, as `paired_difference` gives them.

    Args:
        values: (images, models); every model has the same images, the others are NaN.
        identities: (images,), the person of each image.
        over: what the means are taken over.
        level: of the intervals, between 0 and 1.
    """
    sums = sum_by_identity(values, identities)
    counts = sums.counts[:, :1]
    models = values.shape[1]
    scale = np.abs(_person_means(sums)).max(axis=0, initial=0.0)
    made = [np.zeros((models, models)) for _ in range(3)]
    p = np.ones((models, models))
    for i in range(models - 1):
        gaps = Sums(sums.totals[:, i : i + 1] - sums.totals[:, i + 1 :], counts)
        found = estimate_means(gaps, over, np.maximum(scale[i], scale[i + 1 :]), is_paired=True)
        low, high = interval_of(found, level)
        for matrix, upper, lower in zip(
            made, (found.mean, low, high), (-found.mean, -high, -low), strict=True
        ):
            matrix[i, i + 1 :], matrix[i + 1 :, i] = upper, lower
        p[i, i + 1 :] = p[i + 1 :, i] = p_of(found)
    difference, lows, highs = made
    return PairDifferences(difference, lows, highs, p)


def _person_means(sums: Sums) -> Floats:
    """The mean of each person, (people, columns), NaN for people without a value."""
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(sums.totals / sums.counts, dtype=np.float64)
