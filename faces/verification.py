"""How well distances tell people apart: thresholds, verification rates, and partitions against the truth."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ..errors import RefbenchError

Distances = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class PartitionScores:
    """A partition against the true one; all 0 to 1.

    Attributes:
        precision: share of the pairs that were joined that are of one person (1 where none was joined).
        recall: share of the pairs of one person that were joined (1 where there are none).
        b_precision, b_recall: the same seen from each item and averaged over items (B-cubed).
    """

    precision: float
    recall: float
    b_precision: float
    b_recall: float

    @property
    def f1(self) -> float:
        """Harmonic mean of ``precision`` and ``recall``."""
        return _harmonic(self.precision, self.recall)

    @property
    def b_f1(self) -> float:
        """Harmonic mean of ``b_precision`` and ``b_recall``."""
        return _harmonic(self.b_precision, self.b_recall)


def best_threshold(distances: npt.ArrayLike, same: npt.ArrayLike) -> float:
    """The distance under which calling a pair the same person is right most often.

    Where several are as good, the middle of the widest gap between two measured distances.

    Args:
        distances: (N,), one per pair.
        same: (N,), whether the pair shows one person.

    Raises:
        RefbenchError: lists of different lengths, or pairs of one kind only.
    """
    d, s = _pairs(distances, same)
    order = np.argsort(d, kind="stable")
    d, s = d[order], s[order]
    right = np.concatenate([[0], np.cumsum(np.where(s, 1, -1))]) + int((~s).sum())
    edges = np.concatenate([[d[0] - 1e-9], d, [d[-1] + 1e-9]])
    gaps = np.diff(edges)
    right = np.where(gaps > 0, right, -1)
    candidates = np.flatnonzero(right == right.max())
    widest = candidates[np.argmax(gaps[candidates])]
    return float((edges[widest] + edges[widest + 1]) / 2)


def accuracy(distances: npt.ArrayLike, same: npt.ArrayLike, threshold: float) -> float:
    """Share of pairs judged rightly when a pair under ``threshold`` is called the same person."""
    d, s = _pairs(distances, same)
    return float(((d < threshold) == s).mean())


def ten_fold(distances: npt.ArrayLike, same: npt.ArrayLike, folds: npt.ArrayLike) -> npt.NDArray[np.float64]:
    """Accuracy on each fold with the threshold that is best on all others (LFW's protocol)."""
    d, s = _pairs(distances, same)
    f = np.asarray(folds)
    return np.array(
        [accuracy(d[f == k], s[f == k], best_threshold(d[f != k], s[f != k])) for k in np.unique(f)]
    )


def equal_error_rate(distances: npt.ArrayLike, same: npt.ArrayLike) -> float:
    """The rate at which as many different people are accepted as photos of one person are refused."""
    d, s = _pairs(distances, same)
    steps = np.unique(d)
    refused = 1.0 - np.searchsorted(np.sort(d[s]), steps, side="right") / s.sum()
    accepted = np.searchsorted(np.sort(d[~s]), steps, side="right") / (~s).sum()
    best = int(np.argmin(np.abs(refused - accepted)))
    return float((refused[best] + accepted[best]) / 2)


def accepted_at(distances: npt.ArrayLike, same: npt.ArrayLike, false_rate: float) -> tuple[float, float]:
    """Share of same-person pairs under the distance that lets ``false_rate`` of the others pass, and it."""
    d, s = _pairs(distances, same)
    others = np.sort(d[~s])
    threshold = float(others[int(false_rate * len(others))])
    return float((d[s] < threshold).mean()), threshold


def partition_scores(truth: npt.ArrayLike, found: npt.ArrayLike) -> PartitionScores:
    """Compare two partitions, each given as a label per item.

    Source of B-cubed: Bagga and Baldwin, "Entity-based cross-document coreferencing", 1998.

    Raises:
        RefbenchError: lists of different lengths, or empty ones.
    """
    _, t = np.unique(np.asarray(truth), return_inverse=True)
    _, f = np.unique(np.asarray(found), return_inverse=True)
    if t.shape != f.shape or t.ndim != 1 or not len(t):
        raise RefbenchError(f"two lists of labels of the same items wanted; got {t.shape} and {f.shape}")
    _, cell, shared = np.unique(t * (f.max() + 1) + f, return_inverse=True, return_counts=True)
    true_sizes, found_sizes = np.bincount(t), np.bincount(f)
    both, joined, real = (_pair_count(sizes) for sizes in (shared, found_sizes, true_sizes))
    mine = shared[cell]
    return PartitionScores(
        precision=both / joined if joined else 1.0,
        recall=both / real if real else 1.0,
        b_precision=float((mine / found_sizes[f]).mean()),
        b_recall=float((mine / true_sizes[t]).mean()),
    )


def _pair_count(sizes: npt.NDArray[np.intp]) -> int:
    return int((sizes.astype(np.int64) * (sizes - 1) // 2).sum())


def _harmonic(first: float, second: float) -> float:
    return 2 * first * second / (first + second) if first + second else 0.0


def _pairs(distances: npt.ArrayLike, same: npt.ArrayLike) -> tuple[Distances, Flags]:
    d, s = np.asarray(distances, dtype=np.float64), np.asarray(same, dtype=np.bool_)
    if d.shape != s.shape or d.ndim != 1:
        raise RefbenchError(f"one distance and one answer per pair wanted; got {d.shape} and {s.shape}")
    if s.all() or not s.any():
        raise RefbenchError("pairs of one person and pairs of two people are wanted; there is one kind only")
    return d, s
