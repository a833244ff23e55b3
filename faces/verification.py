"""Face verification metrics over pairs of photos: thresholds, accuracy, EER, TAR at FAR."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from ..errors import RefbenchError

Distances = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]


def best_threshold(distances: npt.ArrayLike, same: npt.ArrayLike) -> float:
    """The distance threshold with the highest accuracy.

    Among equally good thresholds, the middle of the widest gap between two measured distances.

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
    """Share of correctly classified pairs, 0 to 1, where a distance below ``threshold`` means one person.

    Raises:
        RefbenchError: as `best_threshold`.
    """
    d, s = _pairs(distances, same)
    return float(((d < threshold) == s).mean())


def ten_fold(distances: npt.ArrayLike, same: npt.ArrayLike, folds: npt.ArrayLike) -> npt.NDArray[np.float64]:
    """Accuracy on each fold at the threshold that is best on the other folds (LFW's protocol).

    Args:
        distances, same: (N,), as `best_threshold`.
        folds: (N,) number of the fold of each pair.

    Raises:
        RefbenchError: as `best_threshold`.
    """
    d, s = _pairs(distances, same)
    f = np.asarray(folds)
    return np.array(
        [accuracy(d[f == k], s[f == k], best_threshold(d[f != k], s[f != k])) for k in np.unique(f)]
    )


def equal_error_rate(distances: npt.ArrayLike, same: npt.ArrayLike) -> float:
    """Equal error rate, 0 to 1: where false accept rate and false reject rate are equal.

    Raises:
        RefbenchError: as `best_threshold`.
    """
    d, s = _pairs(distances, same)
    steps = np.unique(d)
    refused = 1.0 - np.searchsorted(np.sort(d[s]), steps, side="right") / s.sum()
    accepted = np.searchsorted(np.sort(d[~s]), steps, side="right") / (~s).sum()
    best = int(np.argmin(np.abs(refused - accepted)))
    return float((refused[best] + accepted[best]) / 2)


def accepted_at(distances: npt.ArrayLike, same: npt.ArrayLike, false_rate: float) -> tuple[float, float]:
    """True accept rate at a false accept rate of ``false_rate``, and the distance threshold there.

    Raises:
        RefbenchError: as `best_threshold`.
    """
    d, s = _pairs(distances, same)
    others = np.sort(d[~s])
    threshold = float(others[int(false_rate * len(others))])
    return float((d[s] < threshold).mean()), threshold


def _pairs(distances: npt.ArrayLike, same: npt.ArrayLike) -> tuple[Distances, Flags]:
    d, s = np.asarray(distances, dtype=np.float64), np.asarray(same, dtype=np.bool_)
    if d.shape != s.shape or d.ndim != 1:
        raise RefbenchError(f"distances and same must have one shape (N,); got {d.shape} and {s.shape}")
    if s.all() or not s.any():
        raise RefbenchError("pairs of one person and pairs of two people are needed; got only one of the two")
    return d, s
