"""Found identities against the true ones: pairwise and B-cubed precision, recall and F1."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from ...errors import RefbenchError
from ...faces.embeddings import Embeddings
from .clustering import Labels, components, guarded
from .pair_search import Pairs, find_pairs


@dataclass(frozen=True, slots=True)
class Score:
    """Precision, recall and their harmonic mean, each 0 to 1."""

    precision: float
    recall: float

    @property
    def f1(self) -> float:
        """Harmonic mean of precision and recall."""
        total = self.precision + self.recall
        return 2.0 * self.precision * self.recall / total if total else 0.0


@dataclass(frozen=True, slots=True)
class Judgement:
    """How well found identities fit the true ones.

    Attributes:
        pairwise: over pairs of images: precision is the share of joined pairs that are one person, recall the
            share of pairs of one person that are joined. Large identities weigh by the square of their size.
        bcubed: the same per image, then averaged over images (Bagga and Baldwin 1998).
        images, found, true: numbers of images, found identities and true ones.
        pure: found identities that hold one person alone.
        whole: people whose images are all in one identity.
    """

    pairwise: Score
    bcubed: Score
    images: int
    found: int
    true: int
    pure: int
    whole: int

    def row(self) -> dict[str, float]:
        """All numbers by name, for a table."""
        return {
            "pair_precision": self.pairwise.precision,
            "pair_recall": self.pairwise.recall,
            "pair_f1": self.pairwise.f1,
            "bcubed_precision": self.bcubed.precision,
            "bcubed_recall": self.bcubed.recall,
            "bcubed_f1": self.bcubed.f1,
            "found": self.found,
            "true": self.true,
            "pure": self.pure,
            "whole": self.whole,
        }


def judge(found: Sequence[Hashable], true: Sequence[Hashable]) -> Judgement:
    """Compare two partitions of the same images, given as one label per image.

    Where nothing is joined, precision is 1: no pair is wrong. Where nobody is seen twice, recall is 1.

    Raises:
        RefbenchError: lists of different lengths, or empty ones.
    """
    if len(found) != len(true) or not len(found):
        raise RefbenchError(
            f"one found and one true label per image wanted; got {len(found)} and {len(true)}"
        )
    ours = pd.factorize(np.array([repr(label) for label in found]))[0]
    names = pd.factorize(np.array([repr(label) for label in true]))[0]
    (us, them), both = np.unique(np.stack([ours, names]), axis=1, return_counts=True)
    by_found, by_true = np.bincount(ours), np.bincount(names)
    joined, same = _pairs(by_found), _pairs(by_true)
    right = _pairs(both)
    pairwise = Score(right / joined if joined else 1.0, right / same if same else 1.0)
    count = len(ours)
    bcubed = Score(
        float((both * both / by_found[us]).sum()) / count, float((both * both / by_true[them]).sum()) / count
    )
    pure = int((np.bincount(us) == 1).sum())
    whole = int((np.bincount(them) == 1).sum())
    return Judgement(pairwise, bcubed, count, len(by_found), len(by_true), pure, whole)


def judge_thresholds(
    vectors: Embeddings, true: Sequence[Hashable], thresholds: Sequence[float]
) -> pd.DataFrame:
    """One row per threshold and way of joining images, with every number of `Judgement`."""
    widest = find_pairs(vectors, max(thresholds))
    rows = []
    for threshold in thresholds:
        kept = widest.distance < threshold
        pairs = Pairs(widest.first[kept], widest.second[kept], widest.distance[kept])
        joined = components(len(vectors), pairs)
        ways: dict[str, Labels] = {"components": joined, "guarded": guarded(vectors, joined, threshold)}
        for way, labels in ways.items():
            rows.append({"threshold": threshold, "identities": way} | judge(labels.tolist(), true).row())
    return pd.DataFrame(rows)


def _pairs(sizes: np.ndarray) -> float:
    return float((sizes * (sizes - 1)).sum()) / 2.0
