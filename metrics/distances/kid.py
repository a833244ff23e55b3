"""KID (kernel inception distance): unbiased squared MMD of two feature sets with a cubic kernel.

Bińkowski et al., Demystifying MMD GANs, ICLR 2018, section 4.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from ...errors import RefbenchError
from ..core.metric import Vectors

SUBSETS = 100
SUBSET_SIZE = 1000
SEED = 2020
Array = npt.NDArray[np.float64]


def unbiased_mmd(first: Array, second: Array) -> float:
    """Unbiased MMD^2 of features (N, D) and (M, D), N and M at least 2; it may be a little below 0."""
    width = first.shape[1]

    def kernel(a: Array, b: Array) -> Array:
        base: Array = a @ b.T / width + 1.0
        return base * base * base

    within = []
    for features in (first, second):
        matrix = kernel(features, features)
        count = len(features)
        within.append((matrix.sum() - np.trace(matrix)) / (count * (count - 1)))
    return float(sum(within) - 2.0 * kernel(first, second).mean())


def kernel_distance(restored: Vectors, hq: Vectors) -> float:
    """KID of two streams of (n, D) batches, in float64.

    The mean over 100 subsets of 1000 images, drawn as torch-fidelity draws them (seed 2020); where either
    side has no more than 1000 images, all of them at once, with nothing drawn.

    Raises:
        RefbenchError: fewer than two images on a side.
    """
    first, second = (np.concatenate([np.asarray(b, np.float64) for b in side]) for side in (restored, hq))
    if min(len(first), len(second)) < 2:
        raise RefbenchError(f"KID needs two images or more on each side; got {len(first)} and {len(second)}")
    if min(len(first), len(second)) <= SUBSET_SIZE:
        return unbiased_mmd(first, second)
    generator = np.random.RandomState(SEED)
    distances = []
    for _ in range(SUBSETS):
        rows = generator.choice(len(first), SUBSET_SIZE, replace=False)
        columns = generator.choice(len(second), SUBSET_SIZE, replace=False)
        distances.append(unbiased_mmd(first[rows], second[columns]))
    return float(np.mean(distances))
