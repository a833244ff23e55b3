"""Holm's correction for multiple comparisons, and a paired permutation test within identities.

The tables of a board use the test of `statistics.paired_difference`; the permutation test is there for those
who want p values of sums over images without a working model.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from ..arrays import Floats

PERMUTATIONS = 9_999
EXACT_IDENTITIES = 14
BLOCK = 2_048
TOLERANCE = 1e-9


def permutation_test(totals: Floats, seed: int = 0, draws: int = PERMUTATIONS) -> Floats:
    """Two-sided p values of the paired permutation test within identities, for all pairs of models.

    Under the null hypothesis the outputs of two models are exchangeable; all images of an identity are
    exchanged together, which keeps their dependence. Up to 14 identities all exchanges are enumerated and p
    is exact; above, p is (1 + hits) / (1 + draws), which keeps the level of the test (Phipson and Smyth,
    2010).

    Args:
        totals: (identities, models), sums over images that every model has.
        seed: of the draws.
        draws: number of exchanges above 14 identities.

    Returns:
        p, (models, models), symmetric, 1 on the diagonal.
    """
    groups, models = totals.shape
    sums = totals.sum(axis=0)
    seen = np.abs(sums[:, None] - sums) - TOLERANCE * np.abs(totals).sum(axis=0).max(initial=0.0)
    hits = np.zeros((models, models))
    tried = 0
    for signs in _sign_blocks(groups, draws, seed):
        drawn = signs @ totals
        for i in range(models - 1):
            gaps = np.abs(drawn[:, i + 1 :] - drawn[:, i : i + 1])
            hits[i, i + 1 :] += np.count_nonzero(gaps >= seen[i, i + 1 :], axis=0)
        tried += len(signs)
    exact = groups <= EXACT_IDENTITIES
    p = np.triu(hits / tried if exact else (1 + hits) / (1 + tried), 1)
    return np.asarray(p + p.T + np.eye(models), dtype=np.float64)


def _sign_blocks(groups: int, draws: int, seed: int) -> Iterator[Floats]:
    if groups <= EXACT_IDENTITIES:
        masks = np.arange(1 << groups)[:, None] >> np.arange(groups) & 1
        for start in range(0, len(masks), BLOCK):
            yield (1 - 2 * masks[start : start + BLOCK]).astype(np.float64)
        return
    generator = np.random.default_rng([seed, groups, 1])
    for start in range(0, draws, BLOCK):
        count = min(BLOCK, draws - start)
        bits = np.unpackbits(generator.integers(0, 256, (count, -(-groups // 8)), dtype=np.uint8), axis=1)
        yield (1 - 2 * bits[:, :groups].astype(np.int8)).astype(np.float64)


def holm(p: Floats) -> Floats:
    """Holm's step-down correction of p values (Holm, 1979), of any shape; NaN stays and does not count."""
    flat = p.ravel()
    kept = np.flatnonzero(np.isfinite(flat))
    order = kept[np.argsort(flat[kept], kind="stable")]
    steps = flat[order] * np.arange(len(order), 0, -1)
    corrected = np.full_like(flat, np.nan)
    corrected[order] = np.minimum(np.maximum.accumulate(steps), 1.0) if len(order) else steps
    return corrected.reshape(p.shape)


def holm_pairs(p: Floats) -> Floats:
    """Holm over the pairs of a symmetric (models, models) matrix of p values; the diagonal stays 1."""
    first, second = np.triu_indices(len(p), 1)
    matrix = np.ones_like(p)
    matrix[first, second] = matrix[second, first] = holm(p[first, second])
    return matrix
