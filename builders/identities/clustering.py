"""Clustering of images into identities: connected components, and average linkage within them."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from ...faces.embeddings import Embeddings
from .cosine_distance import distance_matrix
from .pair_search import Pairs, find_pairs

Labels = npt.NDArray[np.int64]

LARGEST = 8000
STRICTER = 0.9


def components(count: int, pairs: Pairs) -> Labels:
    """Connected components of the graph of pairs, as FFHQ-Ref defines identities.

    Args:
        count: number of images.
        pairs: of images under the threshold.

    Returns:
        Label of every image, (count,) int64, numbered from 0 in order of the first image.
    """
    from scipy.sparse import coo_matrix
    from scipy.sparse.csgraph import connected_components

    ones = np.ones(len(pairs), dtype=np.int8)
    graph = coo_matrix((ones, (pairs.first, pairs.second)), shape=(count, count))
    return relabel(connected_components(graph, directed=False)[1])


def average_linkage(vectors: Embeddings, labels: Labels, threshold: float) -> Labels:
    """Split every component by average linkage, so that one wrong pair does not merge two people.

    Each component is clustered again by average linkage (UPGMA) over cosine distance and cut at
    ``threshold``: two groups stay joined only if their mean distance is below it.

    Memory grows with the square of a component's size. A component of more than ``LARGEST`` images, which
    only a far too large threshold gives, is first split at nine tenths of the threshold.

    Args:
        vectors: embeddings, (N, D) float32 of length 1.
        labels: component of every image, (N,) int64.
        threshold: cosine distance, 0 to 2.

    Returns:
        Label of every image, (N,) int64, numbered from 0 in order of the first image.

    Source: Sokal and Michener, "A statistical method for evaluating systematic relationships", 1958.
    """
    result = labels.copy()
    fresh = int(labels.max(initial=-1)) + 1
    for members in rows_by_label(labels):
        if len(members) < 3:
            continue
        if len(members) > LARGEST:
            stricter = components(len(members), find_pairs(vectors[members], STRICTER * threshold))
            parts = average_linkage(vectors[members], stricter, STRICTER * threshold) + 1
        else:
            parts = _cut_dendrogram(vectors[members], threshold)
        for part in range(2, int(parts.max()) + 1):
            result[members[parts == part]] = fresh
            fresh += 1
    return relabel(result)


def _cut_dendrogram(vectors: Embeddings, threshold: float) -> Labels:
    """Clusters 1, 2, ... of one component."""
    from scipy.cluster.hierarchy import fcluster, linkage
    from scipy.spatial.distance import squareform

    distance = np.around(np.clip(distance_matrix(vectors), 0.0, 2.0), 9)
    np.fill_diagonal(distance, 0.0)
    joined = linkage(squareform(distance, checks=False), method="average")
    return np.asarray(fcluster(joined, threshold, criterion="distance"), dtype=np.int64)


def rows_by_label(labels: Labels) -> list[npt.NDArray[np.int64]]:
    """Rows of every label from 0 on, each (n,) int64 in order."""
    ends = np.cumsum(np.bincount(labels))
    return np.split(np.argsort(labels, kind="stable"), ends[:-1]) if len(labels) else []


def relabel(labels: npt.ArrayLike) -> Labels:
    """The same partition with labels 0, 1, ... in order of their first image, (N,) int64."""
    _, first, inverse = np.unique(np.asarray(labels), return_index=True, return_inverse=True)
    rank = np.empty(len(first), dtype=np.int64)
    rank[np.argsort(first)] = np.arange(len(first))
    return rank[inverse]


def identity_names(labels: Labels) -> list[str]:
    """Names of identities for labels: ``p0000``, ``p0001``, ..."""
    digits = max(4, len(str(int(labels.max(initial=0)))))
    return [f"p{label:0{digits}d}" for label in labels]


def __getattr__(name: str) -> Any:
    """`average_linkage` by its name in 0.1."""
    if name != "guarded":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from ...deprecated import warn

    warn(f"{__name__}.guarded", f"{__name__}.average_linkage")
    return average_linkage
