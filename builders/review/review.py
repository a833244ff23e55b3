"""Review sheet: an HTML page of every identity's faces and of the most doubtful pairs, to check by eye."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import numpy as np

from ...errors import RefbenchError
from ...faces.embeddings import Embeddings
from ...files import StrPath, write_text
from ...records.reference_set import ReferenceSet, Target
from ..identities.clustering import Labels, relabel, rows_by_label
from ..identities.cosine_distance import Distances, distance_matrix
from ..identities.pair_search import Pairs, find_pairs
from .audit_inputs import audit_input_of, person_threshold
from .html import render

MAX_LINKS = 60
MAX_PEOPLE = 400
MAX_FACES = 24
MAX_PAIRS = 5_000_000
BEYOND = 1.3

Link = tuple[int, int, float]
"""Rows of two images and their cosine distance."""


@dataclass(frozen=True, slots=True)
class Face:
    """An image on the sheet: its key, and the relative URL of its file."""

    key: str
    link: str


@dataclass(frozen=True, slots=True)
class ShownLink:
    """Two images on the sheet, and a caption with their distance and identities."""

    first: Face
    second: Face
    caption: str


@dataclass(frozen=True, slots=True)
class Section:
    """A section of the sheet with pairs of images."""

    title: str
    links: tuple[ShownLink, ...]


@dataclass(frozen=True, slots=True)
class Person:
    """An identity on the sheet, with some of its images."""

    title: str
    faces: tuple[Face, ...]


def write_review(root: StrPath, path: StrPath, max_links: int = MAX_LINKS) -> None:
    """Write one HTML file that shows the identities of a set and the decisions most likely to be wrong.

    - *Joined, but far apart*: the longest links of the spanning tree of each identity; where two people were
      merged, the link between them is among these.
    - *Separate, but near*: pairs of different identities under, or a little above, the threshold.
    - *One photo, one person*: two faces of one photo in one identity.
    - *Identities*: the faces of each, the least coherent first.

    Each picture is shown above its key, which a file of overrides refers to.

    Args:
        root: folder of the set.
        path: the HTML file; it refers to the images of the set by relative paths.
        max_links: pairs shown of each kind.

    Raises:
        RefbenchError: not a set, or one without embeddings.
    """
    root = Path(root)
    path = Path(path)
    found = ReferenceSet.read(root)
    vectors = audit_input_of(found).vectors
    if vectors is None:
        raise RefbenchError(f"{root} has no embeddings.npy, which the review sheet is made from")
    near = _near(vectors, person_threshold(found.info))
    labels = relabel(np.unique([target.identity for target in found.targets], return_inverse=True)[1])
    sheet = _Sheet(found.targets, Path(os.path.relpath(root.resolve(), path.resolve().parent)))
    kinds = {
        "Joined, but far apart": longest_links(vectors, labels),
        "Separate, but near": nearest_across_identities(near, labels),
        "One photo, one person": links_within_photos(found.targets, near, labels),
    }
    text = render(
        "review.html",
        title=f"{found.info.name}: identities to check",
        lead=(
            "Look for two people in one row, and for one person in two rows. Decisions go into a YAML file "
            "with merge, split and drop, each a list of keys, which a build takes as its overrides. "
            f"Content {found.info.content_hash[:12]}."
        ),
        content_hash=found.info.content_hash,
        sections=[sheet.section(title, links[:max_links]) for title, links in kinds.items()],
        identities=len(np.unique(labels)),
        people=sheet.people(vectors, labels),
    )
    write_text(path, text)


def _near(vectors: Embeddings, threshold: float) -> Pairs:
    """Pairs under the threshold or a little above it; only those under it where there would be too many."""
    try:
        return find_pairs(vectors, min(2.0, threshold * BEYOND), max_pairs=MAX_PAIRS)
    except RefbenchError:
        return find_pairs(vectors, threshold)


def longest_links(vectors: Embeddings, labels: Labels) -> list[Link]:
    """Links of the minimum spanning trees of all identities, the longest first."""
    edges: list[Link] = []
    for rows in rows_by_label(labels):
        for one, other, distance in _spanning_tree(distance_matrix(vectors[rows])):
            first, second = sorted((int(rows[one]), int(rows[other])))
            edges.append((first, second, distance))
    return sorted(edges, key=lambda edge: (-edge[2], edge[0], edge[1]))


def _spanning_tree(distance: Distances) -> Iterator[tuple[int, int, float]]:
    """Links of the minimum spanning tree of a symmetric (N, N) distance matrix, by Prim's algorithm."""
    nearest, to = distance[0].copy(), np.zeros(len(distance), dtype=np.int64)
    nearest[0], to[0] = np.inf, -1
    for _ in range(len(distance) - 1):
        new = int(nearest.argmin())
        yield int(to[new]), new, float(nearest[new])
        closer = (distance[new] < nearest) & (to >= 0)
        nearest[closer], to[closer] = distance[new][closer], new
        nearest[new], to[new] = np.inf, -1


def nearest_across_identities(near: Pairs, labels: Labels) -> list[Link]:
    """The nearest pair of images of every two identities among ``near``, the nearest first."""
    apart = labels[near.first] != labels[near.second]
    nearest: dict[tuple[int, int], Link] = {}
    for first, second, distance in zip(
        near.first[apart].tolist(), near.second[apart].tolist(), near.distance[apart].tolist(), strict=True
    ):
        people = (int(min(labels[first], labels[second])), int(max(labels[first], labels[second])))
        if people not in nearest or distance < nearest[people][2]:
            nearest[people] = (first, second, distance)
    return sorted(nearest.values(), key=lambda edge: (edge[2], edge[0], edge[1]))


def links_within_photos(targets: Sequence[Target], near: Pairs, labels: Labels) -> list[Link]:
    """Pairs of faces of one photo in one identity: mirrors, collages or mistakes."""
    return [
        (first, second, distance)
        for first, second, distance in zip(
            near.first.tolist(), near.second.tolist(), near.distance.tolist(), strict=True
        )
        if labels[first] == labels[second] and targets[first].source == targets[second].source
    ]


class _Sheet:
    """The images of a set as shown on the sheet; their files are below ``base``."""

    def __init__(self, targets: Sequence[Target], base: Path) -> None:
        self.targets, self.base = targets, base

    def section(self, title: str, links: Sequence[Link]) -> Section:
        """Pairs side by side, with their distances and identities."""
        return Section(title, tuple(self._link(*link) for link in links))

    def people(self, vectors: Embeddings, labels: Labels) -> list[Person]:
        """Identities with their faces, the least coherent first."""
        people = [(_spread(vectors[rows]), rows.tolist()) for rows in rows_by_label(labels)]
        ordered = sorted(people, key=lambda person: (-person[0], person[1]))
        return [self._person(rows, spread) for spread, rows in ordered[:MAX_PEOPLE]]

    def _person(self, rows: Sequence[int], spread: float) -> Person:
        target = self.targets[rows[0]]
        title = f"{target.identity}, {target.split}, {len(rows)} images, spread {spread:.3f}"
        return Person(title, tuple(self._face(row) for row in rows[:MAX_FACES]))

    def _link(self, first: int, second: int, distance: float) -> ShownLink:
        one, two = self.targets[first], self.targets[second]
        people = one.identity if one.identity == two.identity else f"{one.identity} / {two.identity}"
        return ShownLink(self._face(first), self._face(second), f"{distance:.3f}  {people}")

    def _face(self, row: int) -> Face:
        target = self.targets[row]
        return Face(target.key, quote((self.base / target.hq).as_posix()))


def _spread(vectors: Embeddings) -> float:
    """One minus the squared length of the mean embedding: 0 where all are equal."""
    mean = vectors.mean(axis=0, dtype=np.float64)
    return round(1.0 - float(mean @ mean), 9)
