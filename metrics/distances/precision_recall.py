"""Precision, recall, density and coverage of two feature sets, from nearest-neighbour balls.

Kynkäänniemi et al., Improved Precision and Recall, NeurIPS 2019; Naeem et al., Reliable Fidelity and
Diversity Metrics, ICML 2020.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from ...errors import RefbenchError
from ..core.metric import Vectors

Array = npt.NDArray[np.float64]
BLOCK = 1024
ROUNDING = 1e-12
"""Share of the squared lengths within which squared distances in float64 count as equal."""


def _gather(vectors: Vectors, neighbours: int) -> Array:
    batches = [np.asarray(batch, dtype=np.float64) for batch in vectors]
    features = np.concatenate(batches) if batches else np.zeros((0, 1))
    if len(features) <= neighbours:
        raise RefbenchError(f"{len(features)} images have no {neighbours} neighbours each; score more images")
    return features


def _distances(first: Array, second: Array) -> Iterator[Array]:
    """Squared distances of (N, D) and (M, D), (n, M) at a time."""
    lengths = np.square(second).sum(axis=1)
    for start in range(0, len(first), BLOCK):
        rows = first[start : start + BLOCK]
        yield np.square(rows).sum(axis=1)[:, None] + lengths - 2.0 * rows @ second.T


def _radii(features: Array, neighbours: int) -> Array:
    """Squared distance of each feature to its k-th neighbour, itself not counted."""
    blocks = []
    for index, block in enumerate(_distances(features, features)):
        rows = np.arange(len(block))
        block[rows, index * BLOCK + rows] = -np.inf
        blocks.append(np.partition(block, neighbours, axis=1)[:, neighbours])
    return np.concatenate(blocks)


def _inside(
    points: Vectors, centres: Vectors, neighbours: int, *, open_balls: bool = False
) -> tuple[int, Iterator[npt.NDArray[np.bool_]]]:
    """How many points there are, and which lie in the ball of which centre, (n, M) at a time.

    A point at the radius lies in a closed ball and outside an open one; distances that are equal up to
    rounding count as equal there.
    """
    middle = _gather(centres, neighbours)
    batches = [np.asarray(batch, dtype=np.float64) for batch in points]
    tested = np.concatenate(batches) if batches else np.zeros((0, middle.shape[1]))
    if not len(tested):
        raise RefbenchError("no image to compare; score one or more")
    radii = _radii(middle, neighbours)
    if open_balls:
        radii = radii - ROUNDING * (radii + np.square(middle).sum(axis=1))
        return len(tested), (block < radii for block in _distances(tested, middle))
    return len(tested), (block <= radii for block in _distances(tested, middle))


def precision(restored: Vectors, hq: Vectors, neighbours: int = 3) -> float:
    """Share of restored images that lie in the k-th-neighbour ball of a HQ image."""
    count, blocks = _inside(restored, hq, neighbours)
    return sum(int(block.any(axis=1).sum()) for block in blocks) / count


def recall(restored: Vectors, hq: Vectors, neighbours: int = 3) -> float:
    """Share of HQ images that lie in the k-th-neighbour ball of a restored image."""
    return precision(hq, restored, neighbours)


def density(restored: Vectors, hq: Vectors, neighbours: int = 5, *, open_balls: bool = True) -> float:
    """Mean number of open HQ balls that a restored image lies in, over k; it may be above 1.

    A set has a density of 1 with itself, as in the code of Naeem et al.
    """
    count, blocks = _inside(restored, hq, neighbours, open_balls=open_balls)
    return sum(int(block.sum()) for block in blocks) / (neighbours * count)


def coverage(restored: Vectors, hq: Vectors, neighbours: int = 5, *, open_balls: bool = True) -> float:
    """Share of HQ images whose open k-th-neighbour ball holds a restored image."""
    covered: npt.NDArray[np.bool_] | None = None
    for block in _inside(restored, hq, neighbours, open_balls=open_balls)[1]:
        held: npt.NDArray[np.bool_] = np.asarray(block.any(axis=0))
        covered = held if covered is None else covered | held
    return float(covered.mean()) if covered is not None else 0.0
