"""Votes on pairs into scores: Bradley-Terry, with intervals over people and images, and agreement."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ..arrays import Floats
from .statistics import compact_letters, holm_pairs

Indices = npt.NDArray[np.intp]
DRAWS = 999
RIDGE = 0.01
STEPS = 50


@dataclass(frozen=True)
class Ballots:
    """All votes in force, one entry each.

    ``first`` and ``second`` are the models compared; ``share`` is 1 where the first was chosen, 0 where the
    second was, 0.5 for a tie. ``participant`` and ``item`` number the people and the images.
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
    """Scores of models in log-odds (mean 0), with 95 % intervals, chances to be chosen, and rank groups.

    ``won`` is the share of a model's comparisons that it won, a tie counting half; ``comparisons`` is their
    number. ``corrected`` holds p values of all pairs after Holm's correction.
    """

    score: Floats
    low: Floats
    high: Floats
    won: Floats
    comparisons: npt.NDArray[np.int64]
    corrected: Floats
    groups: tuple[str, ...]


def bradley_terry(wins: Floats, ridge: float = RIDGE) -> Floats:
    """Scores that make ``wins`` (models, models; row over column) most likely, with mean 0.

    P(i over j) = 1 / (1 + exp(s_j - s_i)) (Bradley and Terry, 1952), by Newton's method. A ridge of
    ``ridge`` keeps the score of a model that won or lost every comparison finite.
    """
    models = len(wins)
    met = wins + wins.T
    scores = np.zeros(models)
    for _ in range(STEPS):
        chance = 1.0 / (1.0 + np.exp(scores[None, :] - scores[:, None]))
        slope = (wins - met * chance).sum(axis=1) - ridge * scores
        weight = met * chance * (1.0 - chance)
        bend = np.diag(weight.sum(axis=1) + ridge) - weight
        step = np.clip(np.linalg.solve(bend, slope), -2.0, 2.0)
        scores = scores + step
        if np.abs(step).max(initial=0.0) < 1e-10:
            break
    return np.asarray(scores - scores.mean(), dtype=np.float64)


def count_wins(ballots: Ballots, models: int, weights: Floats | None = None) -> Floats:
    """Wins of row over column (models, models); a tie is half a win each."""
    weight = np.ones(len(ballots)) if weights is None else weights
    wins = np.zeros((models, models))
    np.add.at(wins, (ballots.first, ballots.second), weight * ballots.share)
    np.add.at(wins, (ballots.second, ballots.first), weight * (1.0 - ballots.share))
    return wins


def fit_preferences(ballots: Ballots, models: int, seed: int = 0, *, draws: int = DRAWS) -> Preferences:
    """Scores with intervals from drawing both participants and images with replacement.

    A vote drawn a times by its participant and b times by its image counts a * b times (the pigeonhole
    bootstrap; Owen, 2007), so that neither people nor images are taken for fixed.
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
    met = (wins + wins.T).sum(axis=1)
    with np.errstate(invalid="ignore"):
        won = wins.sum(axis=1) / met
    order = sorted(range(models), key=lambda i: (-score[i], i))
    groups = tuple(compact_letters(corrected, order))
    return Preferences(score, low, high, won, np.rint(met).astype(np.int64), corrected, groups)


def _pigeonhole(ballots: Ballots, generator: np.random.Generator) -> Floats:
    def counts(labels: Indices) -> Floats:
        size = int(labels.max()) + 1
        drawn = generator.multinomial(size, np.full(size, 1.0 / size)).astype(np.float64)
        return np.asarray(drawn[labels], dtype=np.float64)

    return counts(ballots.participant) * counts(ballots.item)


def agreement_with(
    ballots: Ballots, prefers: Floats, seed: int = 0, *, draws: int = DRAWS
) -> tuple[float, float, float]:
    """How often a metric would have voted as people did, with its 95 % interval over people and images.

    ``prefers`` is positive where the metric prefers the first model on that image; ties of people are left
    out, ties of the metric count half.
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

    ``ratings`` holds, unit by unit, whatever ratings the unit got (Krippendorff, "Content Analysis"). NaN if
    no unit got two.
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
