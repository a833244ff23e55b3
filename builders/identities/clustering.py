"""Who is who: images joined into identities through the pairs under a threshold."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from ...faces.embeddings import Embeddings
from .pair_search import Pairs, find_pairs

Labels = npt.NDArray[np.int64]

LARGEST = 8000
STRICTER = 0.9


def components(count: int, pairs: Pairs) -> Labels:
    """Connected components of the graph of pairs over ``count`` images, as FFHQ-Ref defines identities.

    Labels are numbered in order of their first image.
    """
    from scipy.sparse import coo_matrix
    from scipy.sparse.csgraph import connected_components

    ones = np.ones(len(pairs), dtype=np.int8)
    graph = coo_matrix((ones, (pairs.first, pairs.second)), shape=(count, count))
    return relabel(connected_components(graph, directed=False)[1])


def guarded(vectors: Embeddings, labels: Labels, threshold: float) -> Labels:
    """Split every component where its parts are on average farther apart than ``threshold``.

    One wrong pair joins two people into one component. Here each component is clustered again by average
    linkage (UPGMA, Sokal and Michener 1958) over cosine distance and cut at ``threshold``, so that two
    groups stay joined only if their mean distance says so.

    Memory grows with the square of a component's size. One of more than ``LARGEST`` images, which only a
    threshold far too loose for the set gives, is first parted at nine tenths of the threshold.
    """
    result = labels.copy()
    fresh = int(labels.max(initial=-1)) + 1
    for members in groups(labels):
        if len(members) < 3:
            continue
        if len(members) > LARGEST:
            stricter = components(len(members), find_pairs(vectors[members], STRICTER * threshold))
            parts = guarded(vectors[members], stricter, STRICTER * threshold) + 1
        else:
            parts = _average_link(vectors[members], threshold)
        for part in range(2, int(parts.max()) + 1):
            result[members[parts == part]] = fresh
            fresh += 1
    return relabel(result)


def _average_link(vectors: Embeddings, threshold: float) -> Labels:
    """Parts 1, 2, ... of one component."""
    from scipy.cluster.hierarchy import fcluster, linkage
    from scipy.spatial.distance import squareform

    wide = vectors.astype(np.float64)
    distance = np.around(np.clip(1.0 - wide @ wide.T, 0.0, 2.0), 9)
    np.fill_diagonal(distance, 0.0)
    joined = linkage(squareform(distance, checks=False), method="average")
    return np.asarray(fcluster(joined, threshold, criterion="distance"), dtype=np.int64)


def groups(labels: Labels) -> list[npt.NDArray[np.int64]]:
    """The rows of every label from 0 on, each in order."""
    ends = np.cumsum(np.bincount(labels))
    return np.split(np.argsort(labels, kind="stable"), ends[:-1]) if len(labels) else []


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
