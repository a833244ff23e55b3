"""Bradley-Terry scores of paired comparisons, with bootstrap intervals, and agreement among raters."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ..arrays import Floats
from .permutation import holm_pairs
from .rank_groups import compact_letters

Indices = npt.NDArray[np.intp]
DRAWS = 999
RIDGE = 0.01
STEPS = 50


@dataclass(frozen=True)
class Ballots:
    """Votes on pairs of models, one entry per vote; every array is (votes,).

    Attributes:
        first, second: numbers of the models compared.
        share: 1 where the first was chosen, 0 where the second was, 0.5 for a tie.
        participant: number of the person who voted.
        item: number of the image.
    """

    first: Indices
    second: Indices
    share: Floats
    participant: Indices
    item: Indices

    def __len__(self) -> int:
        return len(self.share)


@dataclass(frozen=True)
class Preferences:
    """Bradley-Terry scores of models.

    Attributes:
        score: log-odds with mean 0, (models,).
        low, high: bounds of its 95 % interval, (models,).
        won: share of a model's comparisons that it won, a tie counting half, (models,).
        comparisons: their number, (models,).
        corrected: p values of all pairs after Holm's correction, (models, models).
        groups: letters of each model; models that share one do not differ significantly.
    """

    score: Floats
    low: Floats
    high: Floats
    won: Floats
    comparisons: npt.NDArray[np.int64]
    corrected: Floats
    groups: tuple[str, ...]


def bradley_terry(wins: Floats, ridge: float = RIDGE) -> Floats:
    """Maximum-likelihood scores of the Bradley-Terry model.

    P(i over j) = 1 / (1 + exp(s_j - s_i)) (Bradley and Terry, 1952), by Newton's method.

    Args:
        wins: (models, models), wins of the row over the column; a tie is half a win for each.
        ridge: penalty that keeps the score of a model finite that won or lost every comparison.

    Returns:
        Log-odds with mean 0, (models,).
    """
    models = len(wins)
    comparisons = wins + wins.T
    scores = np.zeros(models)
    for _ in range(STEPS):
        chance = 1.0 / (1.0 + np.exp(scores[None, :] - scores[:, None]))
        gradient = (wins - comparisons * chance).sum(axis=1) - ridge * scores
        weight = comparisons * chance * (1.0 - chance)
        hessian = np.diag(weight.sum(axis=1) + ridge) - weight
        step = np.clip(np.linalg.solve(hessian, gradient), -2.0, 2.0)
        scores = scores + step
        if np.abs(step).max(initial=0.0) < 1e-10:
            break
    return np.asarray(scores - scores.mean(), dtype=np.float64)


def count_wins(ballots: Ballots, models: int, weights: Floats | None = None) -> Floats:
    """Wins of row over column, (models, models); a tie is half a win each; ``weights`` are (votes,)."""
    weight = np.ones(len(ballots)) if weights is None else weights
    wins = np.zeros((models, models))
    np.add.at(wins, (ballots.first, ballots.second), weight * ballots.share)
    np.add.at(wins, (ballots.second, ballots.first), weight * (1.0 - ballots.share))
    return wins


def fit_preferences(ballots: Ballots, models: int, seed: int = 0, *, draws: int = DRAWS) -> Preferences:
    """Bradley-Terry scores with intervals over participants and images.

    Both are drawn with replacement; a vote drawn a times by its participant and b times by its image counts
    a * b times (the pigeonhole bootstrap; Owen, 2007).

    Args:
        ballots: the votes.
        models: number of models.
        seed: of the draws.
        draws: number of bootstrap draws.
    """
    wins = count_wins(ballots, models)
    score = bradley_terry(wins)
    generator = np.random.default_rng([seed, len(ballots), models])
    drawn = np.array(
        [bradley_terry(count_wins(ballots, models, _pigeonhole(ballots, generator))) for _ in range(draws)]
    )
    low, high = np.quantile(drawn, [0.025, 0.975], axis=0)
    gap = drawn[:, :, None] - drawn[:, None, :]
    below, above = (gap <= 0).sum(axis=0), (gap >= 0).sum(axis=0)
    p = np.minimum(1.0, 2.0 * (1 + np.minimum(below, above)) / (1 + draws))
    np.fill_diagonal(p, 1.0)
    corrected = holm_pairs(p)
    comparisons = (wins + wins.T).sum(axis=1)
    with np.errstate(invalid="ignore"):
        won = wins.sum(axis=1) / comparisons
    order = sorted(range(models), key=lambda i: (-score[i], i))
    groups = tuple(compact_letters(corrected, order))
    return Preferences(score, low, high, won, np.rint(comparisons).astype(np.int64), corrected, groups)


def _pigeonhole(ballots: Ballots, generator: np.random.Generator) -> Floats:
    def counts(labels: Indices) -> Floats:
        size = int(labels.max()) + 1
        drawn = generator.multinomial(size, np.full(size, 1.0 / size)).astype(np.float64)
        return np.asarray(drawn[labels], dtype=np.float64)

    return counts(ballots.participant) * counts(ballots.item)


def agreement_with(
    ballots: Ballots, prefers: Floats, seed: int = 0, *, draws: int = DRAWS
) -> tuple[float, float, float]:
    """Agreement of a metric with votes: the share of votes that it predicts, with its 95 % interval.

    Args:
        ballots: the votes; ties are left out.
        prefers: (votes,), positive where the metric prefers the first model on that image, negative where the
            second, 0 for a tie, which counts half; NaN where it has no value.
        seed: of the draws over participants and images.
        draws: number of bootstrap draws.

    Returns:
        Share, lower and upper bound; all NaN where no vote counts.
    """
    decided = (ballots.share != 0.5) & np.isfinite(prefers)
    if not decided.any():
        return np.nan, np.nan, np.nan
    part = Ballots(*(field[decided] for field in _fields(ballots)))
    sign = np.sign(prefers[decided])
    right = np.where(sign == 0, 0.5, (sign > 0) == (part.share == 1.0))
    generator = np.random.default_rng([seed, len(part)])
    drawn = []
    for _ in range(draws):
        weight = _pigeonhole(part, generator)
        if weight.sum():
            drawn.append(float((weight * right).sum() / weight.sum()))
    low, high = np.quantile(drawn, [0.025, 0.975])
    return float(right.mean()), float(low), float(high)


def _fields(ballots: Ballots) -> tuple[Any, ...]:
    return ballots.first, ballots.second, ballots.share, ballots.participant, ballots.item


def krippendorff_alpha(ratings: Sequence[Sequence[str]]) -> float:
    """Krippendorff's alpha for nominal ratings: 1 is full agreement, 0 is chance.

    Krippendorff, "Content Analysis".

    Args:
        ratings: for each rated unit the labels that it was given, as many as there are.

    Returns:
        Alpha; NaN if no unit was rated twice.
    """
    units = [unit for unit in ratings if len(unit) > 1]
    labels = sorted({label for unit in units for label in unit})
    if not units:
        return float("nan")
    place = {label: i for i, label in enumerate(labels)}
    together = np.zeros((len(labels), len(labels)))
    for unit in units:
        counts = np.bincount([place[label] for label in unit], minlength=len(labels)).astype(np.float64)
        together += (np.outer(counts, counts) - np.diag(counts)) / (len(unit) - 1)
    totals = together.sum(axis=1)
    observed = together.sum() - np.trace(together)
    expected = (totals.sum() ** 2 - (totals**2).sum()) / (totals.sum() - 1)
    return 1.0 if expected == 0 else float(1.0 - observed / expected)
