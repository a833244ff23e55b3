"""Reference lists: which images of a person may guide the restoration of a target, and in what order."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from ...faces.embeddings import Embeddings
from ..identities.cosine_distance import Distances, distance_matrix
from ..identities.pair_search import Pairs

Start = Literal["nearest", "farthest", "medoid"]
DECIMALS = 6


@dataclass(frozen=True, slots=True)
class Reference:
    """One entry of a reference list: row of the image, and its cosine distance to the target, 0 to 2."""

    row: int
    distance: float


def reference_candidates(count: int, pairs: Pairs, labels: npt.NDArray[np.int64]) -> list[list[Reference]]:
    """Per image, the images of its identity that are under the threshold to *this* image, nearest first.

    Candidacy is pairwise, as in FFHQ-Ref: two images of one identity may be too far apart to be references of
    each other.

    Args:
        count: number of images.
        pairs: of images under the threshold.
        labels: identity of every image, (count,) int64.

    Returns:
        One list per image; distances are rounded to six decimals.
    """
    lists: list[list[Reference]] = [[] for _ in range(count)]
    same = labels[pairs.first] == labels[pairs.second]
    rounded = np.round(np.maximum(pairs.distance, 0.0), DECIMALS)
    for first, second, distance in zip(
        pairs.first[same].tolist(), pairs.second[same].tolist(), rounded[same].tolist(), strict=True
    ):
        lists[first].append(Reference(second, distance))
        lists[second].append(Reference(first, distance))
    return [sorted(found, key=lambda reference: (reference.distance, reference.row)) for found in lists]


def order_references(
    found: list[Reference],
    vectors: Embeddings,
    min_distance: float,
    *,
    order: Literal["farthest-point", "nearest"],
    start: Start,
    max_references: int,
) -> list[Reference]:
    """The reference list of one target from its candidates.

    Args:
        found: candidates, nearest first.
        vectors: embeddings of all images, (N, D) float32 of length 1.
        min_distance: least cosine distance of a reference from the target.
        order: ``nearest``, or ``farthest-point`` (`farthest_point_order`).
        start: first reference in farthest-point order.
        max_references: greatest length of the list.
    """
    kept = [reference for reference in found if reference.distance >= min_distance]
    if order == "nearest" or len(kept) < 2:
        return kept[:max_references]
    between = np.around(distance_matrix(vectors[[reference.row for reference in kept]]), DECIMALS)
    to_target = np.array([reference.distance for reference in kept], dtype=np.float64)
    return [kept[index] for index in farthest_point_order(between, to_target, start, count=max_references)]


def farthest_point_order(between: Distances, to_target: Distances, start: Start, *, count: int) -> list[int]:
    """Farthest-point order: each next candidate is as far as possible from all before it.

    Args:
        between: distances among the candidates, (n, n) float64.
        to_target: distances of the candidates to the target, (n,) float64.
        start: the first one: nearest to or farthest from the target, or the medoid of the candidates.
        count: how many to choose.

    Returns:
        Indices of at most ``count`` candidates; ties go to the lower index.

    Source: Gonzalez, "Clustering to minimize the maximum intercluster distance", 1985.
    """
    first = {
        "nearest": lambda: int(np.argmin(to_target)),
        "farthest": lambda: int(np.argmax(to_target)),
        "medoid": lambda: int(np.argmin(between.sum(axis=1))),
    }[start]()
    chosen = [first]
    gap = between[first].copy()
    gap[first] = -1.0
    while len(chosen) < min(count, len(to_target)):
        farthest = int(np.argmax(gap))
        chosen.append(farthest)
        gap = np.minimum(gap, between[farthest])
        gap[chosen] = -1.0
    return chosen
