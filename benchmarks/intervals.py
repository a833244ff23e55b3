"""Do 95 % intervals cover the truth, does the test at 5 % err in 5 %, and do the two ever contradict?

    python benchmarks/intervals.py [--worlds 2000] [--quick] [--json]

Worlds are simulated: people with two to seven images each, or with heavy-tailed sizes (Pareto, 2 to 100, so
that few people hold most images). People explain 0.7 of the variance of a normal score, which is taken as it
is, as its exponential (lognormal, skewness 6), or as whether it is among the highest 10 % (ones and zeros).
Both means are judged, over images and over people with equal weights, and both intervals: of a model's mean,
and of a paired difference, whose correction of skew is smaller. "Sizes go with scores" adds a standard
deviation to people with many images, so that the two means have different truths. The test is of two equal
models: the difference of two independent scores of that kind.

Goals, each less two standard errors of the simulation: normal scores are covered in 93 to 97 % from 10 people
on with 2 to 7 images, and never under 93 % with heavy-tailed sizes; lognormal ones in at least 90 % (over
people) and 87 % (over images) from 15 people on; ones and zeros in at least 90 % from 50 people on (over
people); the test errs in 2.5 to 6 % (normal, 2 to 7 images, from 10 people on); no contradiction of interval
and test in 10,000 comparisons. Exit code 1 when one falls short; ``--quick`` draws 500 worlds and 1,000
comparisons, with wider standard errors.
"""

from __future__ import annotations

import argparse
import itertools
import sys

import numpy as np
from refbench.leaderboard.estimands import OVER, MeanOver
from refbench.leaderboard.statistics.cluster_robust import Sums, estimate_means, interval_of, p_of
from refbench.leaderboard.statistics.statistics import paired_difference
from report import Report, main
from scipy.special import ndtri

PEOPLE = (5, 10, 15, 20, 50, 100)
SCORES = {"normal": 0.0, "lognormal": float(np.exp(0.5)), "10 % ones": 0.1}
KINDS = ("interval of a model", "interval of a difference")
SIZES = ("2-7 images", "heavy-tailed sizes")
SHARED = 0.7
COMPARISONS = 10_000


def draw_sizes(generator: np.random.Generator, sizes: str, *, people: int, worlds: int) -> np.ndarray:
    """Numbers of images, (worlds, people)."""
    if sizes == SIZES[0]:
        return generator.integers(2, 8, (worlds, people))
    return np.minimum(np.ceil(2 / generator.random((worlds, people))), 100).astype(np.int64)


def draw_totals(generator: np.random.Generator, scores: str, counts: np.ndarray) -> np.ndarray:
    """Sums of the scores of each person, (worlds, people)."""
    sizes = counts.ravel()
    people = np.repeat(generator.normal(size=sizes.size), sizes)
    normal = np.sqrt(SHARED) * people + np.sqrt(1 - SHARED) * generator.normal(size=people.size)
    values = {"normal": normal, "lognormal": np.exp(normal), "10 % ones": normal > ndtri(0.9)}[scores]
    starts = np.concatenate([[0], np.cumsum(sizes)[:-1]])
    return np.add.reduceat(values.astype(np.float64), starts).reshape(counts.shape)


def coverage(
    totals: np.ndarray,
    counts: np.ndarray,
    truth: np.ndarray | float,
    *,
    over: MeanOver,
    is_paired: bool = False,
) -> float:
    """Percentage of worlds whose 95 % interval holds the truth."""
    sums = Sums(totals.T, counts.T.astype(np.float64))
    low, high = interval_of(estimate_means(sums, over, is_paired=is_paired), 0.95)
    slack = 1e-12
    return 100 * float(np.mean((low <= truth + slack) & (truth - slack <= high)))


def error_rate(gaps: np.ndarray, counts: np.ndarray, over: MeanOver) -> float:
    """Percentage of worlds in which two equal models differ at p < 0.05."""
    found = estimate_means(Sums(gaps.T, counts.T.astype(np.float64)), over, is_paired=True)
    return 100 * float(np.mean(p_of(found) < 0.05))


def contradictions(count: int, over: MeanOver) -> int:
    """Of comparisons near p = 0.05 those whose p and interval say different things."""
    wrong = 0
    for world in range(count):
        generator = np.random.default_rng([61, world])
        people = int(generator.integers(2, 40))
        counts = draw_sizes(generator, SIZES[world % 2], people=people, worlds=1)[0]
        labels = np.repeat(np.arange(len(counts)), counts)
        gaps = generator.normal(size=len(counts))[labels] + generator.normal(size=len(labels))
        a = np.exp(gaps) if world % 3 == 0 else (gaps > 1.5) * 1.0 if world % 3 == 1 else gaps
        a = a - a.mean() + generator.choice([-1, 1]) * 2 * a.std() / np.sqrt(len(counts))
        found = paired_difference(a, np.zeros(len(a)), labels, over=over)
        wrong += (found.p < 0.05) != (found.low > 0 or found.high < 0)
    return wrong


def spread(percent: float, worlds: int) -> float:
    """Two standard errors of a simulated percentage."""
    return 200 * float(np.sqrt(percent / 100 * (1 - percent / 100) / worlds))


def coverage_goal(scores: str, sizes: str, people: int, *, over: MeanOver, worlds: int) -> str | None:
    """The goal of a row; None for a figure that is only told."""
    least = most = None
    if scores == "normal":
        if sizes == SIZES[1]:
            least = 93
        elif people >= 10:
            least, most = 93, 97
    elif scores == "lognormal" and people >= 15:
        least = 90 if over == "people" else 87
    elif scores == "10 % ones" and people >= 50 and over == "people":
        least = 90
    if least is None:
        return None
    low = least - spread(least, worlds)
    return f"ours >= {low:.2f}" if most is None else f"ours in {low:.2f} to {most + spread(most, worlds):.2f}"


def measure(given: argparse.Namespace, report: Report) -> None:
    """Simulate worlds of each kind of scores, sizes and number of people."""
    worlds = 500 if given.quick else given.worlds
    report.workload |= {"worlds": worlds, "standard_errors": 2}
    for scores, truth in SCORES.items():
        for sizes in SIZES:
            for people in PEOPLE:
                generator = np.random.default_rng([len(scores), len(sizes), people])
                counts = draw_sizes(generator, sizes, people=people, worlds=worlds)
                totals = draw_totals(generator, scores, counts)
                for over, kind in itertools.product(OVER, KINDS):
                    report.add(
                        f"{kind}, mean over {over}, {scores}, {sizes}, {people} people: covered",
                        unit="%",
                        ours=coverage(totals, counts, truth, over=over, is_paired=kind == KINDS[1]),
                        goal=coverage_goal(scores, sizes, people, over=over, worlds=worlds),
                    )
    for people in (20, 50):
        add_sizes_with_scores(report, people, worlds)
    for scores in SCORES:
        for sizes in SIZES:
            for people in PEOPLE:
                generator = np.random.default_rng([1, len(scores), len(sizes), people])
                counts = draw_sizes(generator, sizes, people=people, worlds=worlds)
                gaps = draw_totals(generator, scores, counts) - draw_totals(generator, scores, counts)
                is_judged = scores == "normal" and sizes == SIZES[0] and people >= 10
                low, high = 2.5 - spread(2.5, worlds), 6 + spread(6, worlds)
                for over in OVER:
                    name = f"test of equal models, mean over {over}, {scores}, {sizes}, {people} people"
                    report.add(
                        f"{name}: p < 0.05",
                        unit="%",
                        ours=error_rate(gaps, counts, over),
                        goal=f"ours in {low:.2f} to {high:.2f}" if is_judged else None,
                    )
    count = COMPARISONS // 10 if given.quick else COMPARISONS
    for over in OVER:
        name = f"contradictions of interval and test, mean over {over}, of {count:,}"
        report.add(name, unit="", ours=contradictions(count, over), goal="ours <= 0")


def add_sizes_with_scores(report: Report, people: int, worlds: int) -> None:
    """Rows of worlds where people with more images than half of the others score higher."""
    generator = np.random.default_rng([2, people])
    counts = draw_sizes(generator, SIZES[1], people=people, worlds=worlds)
    gain = (counts > np.median(counts, axis=1, keepdims=True)).astype(np.float64)
    totals = draw_totals(generator, "normal", counts) + gain * counts
    truths = {"images": (gain * counts).sum(axis=1) / counts.sum(axis=1), "people": gain.mean(axis=1)}
    for over in OVER:
        name = f"{KINDS[0]}, mean over {over}, sizes go with scores, {people} people: covered"
        report.add(name, unit="%", ours=coverage(totals, counts, truths[over], over=over))


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--worlds", type=int, default=2_000, help="500 with --quick")


if __name__ == "__main__":
    sys.exit(main(measure, __doc__, arguments))
