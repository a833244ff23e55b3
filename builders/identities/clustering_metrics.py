"""Clustering metrics: pairwise and B-cubed precision, recall and F1 of found identities against true ones."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from ...errors import RefbenchError
from ...faces.embeddings import Embeddings
from .clustering import Labels, average_linkage, components
from .pair_search import Pairs, find_pairs


@dataclass(frozen=True, slots=True)
class PrecisionRecall:
    """Precision and recall, each 0 to 1."""

    precision: float
    recall: float

    @property
    def f1(self) -> float:
        """Harmonic mean of precision and recall."""
        total = self.precision + self.recall
        return 2.0 * self.precision * self.recall / total if total else 0.0


@dataclass(frozen=True, slots=True)
class ClusteringScores:
    """Agreement of found identities with the true ones.

    Attributes:
        pairwise: over pairs of images: precision is the share of joined pairs that are one person, recall the
            share of pairs of one person that are joined. Large identities weigh by the square of their size.
        bcubed: precision and recall of the identity of each image, averaged over images.
        images: number of images.
        found: number of found identities.
        true: number of true identities.
        pure: number of found identities with images of one person only.
        whole: number of people whose images are all in one found identity.

    Source: Bagga and Baldwin, "Algorithms for scoring coreference chains", 1998 (B-cubed).
    """

    pairwise: PrecisionRecall
    bcubed: PrecisionRecall
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


def score_clustering(found: Sequence[Hashable], true: Sequence[Hashable]) -> ClusteringScores:
    """Clustering metrics of found identities against the true ones.

    Where no pair is joined, pairwise precision is 1; where no person has two images, pairwise recall is 1.

    Args:
        found: found identity of every image; labels of any kind.
        true: true identity of every image, in the same order.

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
    pairwise = PrecisionRecall(right / joined if joined else 1.0, right / same if same else 1.0)
    count = len(ours)
    bcubed = PrecisionRecall(
        float((both * both / by_found[us]).sum()) / count, float((both * both / by_true[them]).sum()) / count
    )
    pure = int((np.bincount(us) == 1).sum())
    whole = int((np.bincount(them) == 1).sum())
    return ClusteringScores(pairwise, bcubed, count, len(by_found), len(by_true), pure, whole)


def score_thresholds(
    vectors: Embeddings, true: Sequence[Hashable], thresholds: Sequence[float]
) -> pd.DataFrame:
    """Clustering metrics at several thresholds, by connected components and by average linkage.

    Args:
        vectors: embeddings, (N, D) float32 of length 1.
        true: true identity of every image.
        thresholds: cosine distances, 0 to 2.

    Returns:
        One row per threshold and way of grouping images (``identities``), with the numbers of
        `ClusteringScores.row`.

    Raises:
        RefbenchError: not unit vectors, labels of another number, or far too many pairs.
    """
    widest = find_pairs(vectors, max(thresholds))
    rows = []
    for threshold in thresholds:
        kept = widest.distance < threshold
        pairs = Pairs(widest.first[kept], widest.second[kept], widest.distance[kept])
        joined = components(len(vectors), pairs)
        ways: dict[str, Labels] = {
            "components": joined,
            "average-linkage": average_linkage(vectors, joined, threshold),
        }
        for way, labels in ways.items():
            rows.append(
                {"threshold": threshold, "identities": way} | score_clustering(labels.tolist(), true).row()
            )
    return pd.DataFrame(rows)


def _pairs(sizes: np.ndarray) -> float:
    return float((sizes * (sizes - 1)).sum()) / 2.0
