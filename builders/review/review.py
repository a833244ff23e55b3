"""A sheet to check identities by eye: every person's faces, and the pairs that are most in doubt."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from html import escape
from pathlib import Path

import numpy as np

from ...errors import RefbenchError
from ...faces.embeddings import Embeddings
from ...files import write_text
from ...records.reference_set import ReferenceSet, Target
from ..identities.clustering import groups, relabel
from ..identities.pair_search import Distances, Pairs, find_pairs
from . import html as page
from .sides import person_threshold, side_of

MOST_EDGES = 60
MOST_PEOPLE = 400
MOST_FACES = 24
MOST_PAIRS = 5_000_000
BEYOND = 1.3


def write_review(root: Path, path: Path, most_edges: int = MOST_EDGES) -> None:
    """Write one HTML file that shows the identities of a set and the decisions most likely to be wrong.

    - *Joined, but far apart*: the longest links of the tree that holds an identity together; where two people
      became one, the link between them is among these.
    - *Parted, but near*: pairs of different identities under, or a little above, the threshold.
    - *One photo, one person*: two faces of one photo that were taken for one person.
    - *Identities*: the faces of each, the least coherent first.

    Every picture stands over its key, which is what a file of overrides asks for.

    Args:
        root: folder of the set.
        path: the HTML file; it links the pictures of the set where they lie.
        most_edges: pairs shown of each kind.

    Raises:
        RefbenchError: not a set, or one without embeddings.
    """
    found = ReferenceSet.read(root)
    vectors = side_of(found).vectors
    if vectors is None:
        raise RefbenchError(f"{root} has no embeddings.npy, so no pair can be called doubtful")
    near = _near(vectors, person_threshold(found.info))
    labels = relabel(np.unique([target.identity for target in found.targets], return_inverse=True)[1])
    base = Path(os.path.relpath(root.resolve(), path.resolve().parent))
    sheet = _Sheet(found.targets, base)
    lead = (
        "Look for two people in one row, and for one person in two rows. Decisions go into a YAML file with "
        "merge, split and drop, each a list of keys, which a build takes as its overrides."
    )
    parts = [
        sheet.edges("Joined, but far apart", loosest(vectors, labels)[:most_edges]),
        sheet.edges("Parted, but near", parted(near, labels)[:most_edges]),
        sheet.edges("One photo, one person", same_photo(found.targets, near, labels)[:most_edges]),
        sheet.people(vectors, labels),
    ]
    write_text(path, page.page(f"{found.info.name}: identities to check", lead, parts))


Edge = tuple[int, int, float]


def _near(vectors: Embeddings, threshold: float) -> Pairs:
    """Pairs under the threshold or a little above it; only the former where a large set has too many."""
    try:
        return find_pairs(vectors, min(2.0, threshold * BEYOND), most=MOST_PAIRS)
    except RefbenchError:
        return find_pairs(vectors, threshold)


def loosest(vectors: Embeddings, labels: np.ndarray) -> list[Edge]:
    """The links of each identity's shortest spanning tree, the longest of all first."""
    edges: list[Edge] = []
    for rows in groups(labels):
        members = vectors[rows].astype(np.float64)
        for one, other, distance in _spanning_tree(1.0 - members @ members.T):
            first, second = sorted((int(rows[one]), int(rows[other])))
            edges.append((first, second, distance))
    return sorted(edges, key=lambda edge: (-edge[2], edge[0], edge[1]))


def _spanning_tree(distance: Distances) -> Iterator[tuple[int, int, float]]:
    """The links of the shortest tree over all points of a symmetric (N, N) matrix, by Prim's algorithm."""
    nearest, to = distance[0].copy(), np.zeros(len(distance), dtype=np.int64)
    nearest[0], to[0] = np.inf, -1
    for _ in range(len(distance) - 1):
        new = int(nearest.argmin())
        yield int(to[new]), new, float(nearest[new])
        closer = (distance[new] < nearest) & (to >= 0)
        nearest[closer], to[closer] = distance[new][closer], new
        nearest[new], to[new] = np.inf, -1


def parted(near: Pairs, labels: np.ndarray) -> list[Edge]:
    """Pairs of different identities, the nearest first, one for every two identities."""
    apart = labels[near.first] != labels[near.second]
    nearest: dict[tuple[int, int], Edge] = {}
    for first, second, distance in zip(
        near.first[apart].tolist(), near.second[apart].tolist(), near.distance[apart].tolist(), strict=True
    ):
        people = (int(min(labels[first], labels[second])), int(max(labels[first], labels[second])))
        if people not in nearest or distance < nearest[people][2]:
            nearest[people] = (first, second, distance)
    return sorted(nearest.values(), key=lambda edge: (edge[2], edge[0], edge[1]))


def same_photo(targets: Sequence[Target], near: Pairs, labels: np.ndarray) -> list[Edge]:
    """Pairs of faces of one photo in one identity: mirrors, collages, or mistakes."""
    return [
        (first, second, distance)
        for first, second, distance in zip(
            near.first.tolist(), near.second.tolist(), near.distance.tolist(), strict=True
        )
        if labels[first] == labels[second] and targets[first].source == targets[second].source
    ]


class _Sheet:
    """The faces of a set as HTML; pictures are found below ``base``."""

    def __init__(self, targets: Sequence[Target], base: Path) -> None:
        self.targets, self.base = targets, base

    def edges(self, title: str, edges: Sequence[Edge]) -> str:
        """Pairs side by side, with their distance and identities."""
        if not edges:
            return page.section(title, note="None.")
        shown = "".join(self._edge(*edge) for edge in edges)
        return page.section(title, f"<div class=edges>{shown}</div>")

    def people(self, vectors: Embeddings, labels: np.ndarray) -> str:
        """One row of faces per identity, the least coherent first."""
        people = [(self._spread(vectors, rows), rows.tolist()) for rows in groups(labels)]
        ordered = sorted(people, key=lambda person: (-person[0], person[1]))
        rows = [self._person(rows, spread) for spread, rows in ordered[:MOST_PEOPLE]]
        note = f"{len(ordered):,} identities; shown are {len(rows):,}, the least coherent first."
        return page.section("Identities", f"<div class=people>{''.join(rows)}</div>", note=note)

    @staticmethod
    def _spread(vectors: Embeddings, rows: np.ndarray) -> float:
        middle = vectors[rows].mean(axis=0, dtype=np.float64)
        return round(1.0 - float(middle @ middle), 9)

    def _person(self, rows: Sequence[int], spread: float) -> str:
        target = self.targets[rows[0]]
        title = f"{target.identity}, {target.split}, {len(rows)} images, spread {spread:.3f}"
        faces = "".join(self._face(row) for row in rows[:MOST_FACES])
        return f"<div><h3>{escape(title)}</h3><div class=faces>{faces}</div></div>"

    def _face(self, row: int) -> str:
        return (
            f"<figure>{self._picture(row)}<figcaption>{escape(self.targets[row].key)}</figcaption></figure>"
        )

    def _edge(self, first: int, second: int, distance: float) -> str:
        one, two = self.targets[first], self.targets[second]
        people = one.identity if one.identity == two.identity else f"{one.identity} / {two.identity}"
        caption = _lines((f"{distance:.3f}  {people}", one.key, two.key))
        pictures = self._picture(first) + self._picture(second)
        return f"<figure><div>{pictures}</div><figcaption>{caption}</figcaption></figure>"

    def _picture(self, row: int) -> str:
        target = self.targets[row]
        link = escape((self.base / target.hq).as_posix(), quote=True)
        return f'<img src="{link}" alt="{escape(target.key, quote=True)}" loading=lazy width=160 height=160>'


def _lines(lines: Iterable[str]) -> str:
    return "<br>".join(escape(line) for line in lines)
