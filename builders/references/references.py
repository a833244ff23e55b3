"""Reference lists: which images of a person may guide the restoration of another, and in what order."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from ...faces.embeddings import Embeddings
from ..identities.pair_search import Pairs

Start = Literal["nearest", "farthest", "medoid"]
Matrix = npt.NDArray[np.float64]
DECIMALS = 6


@dataclass(frozen=True, slots=True)
class Reference:
    """One entry of a reference list: the row of the image and its cosine distance to the target."""

    row: int
    distance: float


def candidates(count: int, pairs: Pairs, labels: npt.NDArray[np.int64]) -> list[list[Reference]]:
    """Per image, every image of the same identity that is under the threshold to *that* image, nearest first.

    Lists are pairwise, as in FFHQ-Ref: two images of one identity may be too far apart to guide each other.
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


def ordered(
    found: list[Reference],
    vectors: Embeddings,
    min_distance: float,
    *,
    order: Literal["farthest-point", "nearest"],
    start: Start,
    most: int,
) -> list[Reference]:
    """The reference list of one image from its candidates (nearest first)."""
    kept = [reference for reference in found if reference.distance >= min_distance]
    if order == "nearest" or len(kept) < 2:
        return kept[:most]
    rows = vectors[[reference.row for reference in kept]].astype(np.float64)
    products: Matrix = rows @ rows.T
    between: Matrix = np.around(1.0 - products, DECIMALS)
    to_target = np.array([reference.distance for reference in kept], dtype=np.float64)
    return [kept[index] for index in farthest_point_order(between, to_target, start, most=most)]


def farthest_point_order(between: Matrix, to_target: Matrix, start: Start, *, most: int) -> list[int]:
    """Indices so that each next one is as far as possible from all before it (Gonzalez 1985).

    Args:
        between: (n, n) distances among the candidates.
        to_target: (n,) distances to the target.
        start: the first one: nearest to or farthest from the target, or the medoid of the candidates.
        most: how many to choose.

    Ties go to the lower index, so the order is stable.
    """
    first = {
        "nearest": lambda: int(np.argmin(to_target)),
        "farthest": lambda: int(np.argmax(to_target)),
        "medoid": lambda: int(np.argmin(between.sum(axis=1))),
    }[start]()
    chosen = [first]
    gap = between[first].copy()
    gap[first] = -1.0
    while len(chosen) < min(most, len(to_target)):
        farthest = int(np.argmax(gap))
        chosen.append(farthest)
        gap = np.minimum(gap, between[farthest])
        gap[chosen] = -1.0
    return chosen
