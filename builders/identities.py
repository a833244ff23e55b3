"""Who is who: images joined into identities through the pairs under a threshold."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from .pairs import Pairs, Vectors

Labels = npt.NDArray[np.int64]


def components(count: int, pairs: Pairs) -> Labels:
    """Connected components of the graph of pairs over ``count`` images, as FFHQ-Ref defines identities.

    Labels are numbered in order of their first image.
    """
    from scipy.sparse import coo_matrix
    from scipy.sparse.csgraph import connected_components

    ones = np.ones(len(pairs), dtype=np.int8)
    graph = coo_matrix((ones, (pairs.first, pairs.second)), shape=(count, count))
    return relabel(connected_components(graph, directed=False)[1])


def guarded(vectors: Vectors, labels: Labels, threshold: float) -> Labels:
    """Split every component where its parts are on average farther apart than ``threshold``.

    One wrong pair joins two people into one component. Here each component is clustered again by average
    linkage (UPGMA, Sokal and Michener 1958) over cosine distance and cut at ``threshold``, so that two
    groups stay joined only if their mean distance says so.
    """
    from scipy.cluster.hierarchy import fcluster, linkage
    from scipy.spatial.distance import squareform

    result = labels.copy()
    fresh = int(labels.max(initial=-1)) + 1
    for label, size in enumerate(np.bincount(labels)):
        if size < 3:
            continue
        members = np.flatnonzero(labels == label)
        near = vectors[members].astype(np.float64)
        distance = np.round(np.clip(1.0 - near @ near.T, 0.0, 2.0), 9)
        np.fill_diagonal(distance, 0.0)
        joined = linkage(squareform(distance, checks=False), method="average")
        parts = fcluster(joined, threshold, criterion="distance")
        for part in range(2, int(parts.max()) + 1):
            result[members[parts == part]] = fresh
            fresh += 1
    return relabel(result)


def relabel(labels: npt.ArrayLike) -> Labels:
    """The same partition with labels 0, 1, ... in order of their first image."""
    _, first, inverse = np.unique(np.asarray(labels), return_index=True, return_inverse=True)
    rank = np.empty(len(first), dtype=np.int64)
    rank[np.argsort(first)] = np.arange(len(first))
    return rank[inverse]


def names(labels: Labels) -> list[str]:
    """Names of identities for labels: ``p0000``, ``p0001``, ..."""
    digits = max(4, len(str(int(labels.max(initial=0)))))
    return [f"p{label:0{digits}d}" for label in labels]
