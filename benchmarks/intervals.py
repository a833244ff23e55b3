"""Do 95 % intervals cover the truth in 95 % of worlds, and does the test at 5 % err in 5 %?

    python benchmarks/intervals.py [--worlds 4000] [--quick] [--json]

Worlds are simulated: people with two to seven images each, values that people share in part, normal or
skewed. Exit code 1 when a coverage lies more than 1.5 points from 95 % with 20 people or more, or the error
rate of the test of two equal models more than 1.5 points from 5 %.
"""

from __future__ import annotations

import argparse
import sys

import numpy as np
from refbench.leaderboard.statistics.permutation import permutation_test
from refbench.leaderboard.statistics.statistics import means_with_intervals, sum_by_identity
from report import Report, main

PEOPLE = (10, 20, 50, 100, 150)
SLACK = 0.015


def people_of(generator: np.random.Generator, people: int) -> np.ndarray:
    return np.repeat(np.arange(people), generator.integers(2, 8, people))


def coverage(people: int, skewed: bool, worlds: int, *, seed: int = 0) -> float:
    """Share of worlds whose interval holds the true mean."""
    generator = np.random.default_rng([seed, people, skewed])
    labels = people_of(generator, people)
    shared = generator.normal(size=(people, worlds))[labels]
    noise = 0.7 * shared + 0.7 * generator.normal(size=shared.shape)
    values = -np.exp(0.5 * noise) if skewed else noise
    truth = -np.exp(0.5 * 0.25 * 0.98) if skewed else 0.0
    found = means_with_intervals(values, labels, draws=1_999)
    return float(np.mean((found.low <= truth) & (truth <= found.high)))


def error_rate(people: int, worlds: int, seed: int = 0) -> float:
    """Share of worlds in which two equal models differ at p <= 0.05."""
    generator = np.random.default_rng([seed, people])
    labels = people_of(generator, people)
    wrong = 0
    for world in range(worlds):
        gap = generator.standard_t(4, people)[labels] + generator.normal(size=len(labels))
        totals = sum_by_identity(gap[:, None], labels).totals
        p = permutation_test(np.concatenate([totals, np.zeros_like(totals)], axis=1), world, draws=999)
        wrong += p[0, 1] <= 0.05
    return wrong / worlds


def measure(given: argparse.Namespace, report: Report) -> None:
    """Simulate worlds of each number of people."""
    worlds = 400 if given.quick else given.worlds
    report.workload["worlds"] = worlds
    for people in PEOPLE:
        for kind in ("normal", "skewed"):
            off = abs(coverage(people, kind == "skewed", worlds) - 0.95)
            report.add(
                f"95 % intervals, {kind}, {people} people: coverage is off by",
                unit="share",
                ours=off,
                goal=f"ours <= {SLACK}" if people >= 20 else None,
                judged_when_quick=False,
            )
        off = abs(error_rate(people, worlds // 2) - 0.05)
        report.add(
            f"test at 5 %, {people} people: error rate is off by",
            unit="share",
            ours=off,
            goal=f"ours <= {SLACK}",
            judged_when_quick=False,
        )


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--worlds", type=int, default=4_000, help="400 with --quick, too few to judge")


if __name__ == "__main__":
    sys.exit(main(measure, __doc__, arguments))
