"""Identities of a build: pair search, clustering, near duplicates, overrides, and groups for the splits."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from ...faces.embeddings import Embeddings
from ..photos.candidates import Candidate
from ..photos.report import ReportLine
from ..settings.options import BuildOptions
from .clustering import Labels, average_linkage, components, relabel
from .faiss_search import find_pairs_by_faiss
from .given_people import check_given_people
from .pair_search import Pairs, find_pairs


@dataclass(frozen=True)
class IdentityAssignment:
    """Identities of the candidates that are kept; all arrays but ``rows`` have one entry per kept candidate.

    Attributes:
        rows: indices of the kept candidates among all, (N,) int64, in order.
        labels: identity of each, (N,) int64 from 0 on.
        split_groups: group of each, (N,) int64 from 0 on; all images of a group go into one split.
        pairs: kept candidates under the threshold, of different identities too.
        found: number of identities by each way of grouping images, before overrides.
        warnings: of the pair search, in words.
    """

    rows: npt.NDArray[np.int64]
    labels: Labels
    split_groups: Labels
    pairs: Pairs
    found: dict[str, int]
    warnings: tuple[str, ...] = ()


def identify(
    chosen: Sequence[Candidate],
    vectors: Embeddings,
    threshold: float,
    *,
    options: BuildOptions,
    lines: list[ReportLine],
    journal: Path | None = None,
) -> IdentityAssignment:
    """Group candidates into identities and leave out near duplicates, each with a line of the report.

    Args:
        chosen: candidates in order of key.
        vectors: their embeddings, (N, D) float32 of length 1.
        threshold: cosine distance, 0 to 2, under which two images are joined.
        options: of the build.
        lines: of the report; near duplicates are added.
        journal: folder from which an interrupted pair search resumes, see `find_pairs`.

    Raises:
        RefbenchError: far too many pairs, or FAISS is wanted and not installed.
    """
    pairs, warnings = search_pairs(vectors, threshold, options, journal=journal)
    joined = components(len(chosen), pairs)
    averaged = average_linkage(vectors, joined, threshold)
    found = {"components": _count(joined), "average-linkage": _count(averaged)}
    is_given = all(candidate.person for candidate in chosen)
    if is_given:
        labels = relabel(np.unique([c.person for c in chosen], return_inverse=True)[1])
        found["folders" if options.people is None else "people"] = _count(labels)
    else:
        labels = averaged if options.identities == "average-linkage" else joined
    decided = options.overrides.apply({c.key: int(label) for c, label in zip(chosen, labels, strict=True)})
    labels = relabel([decided[candidate.key] for candidate in chosen])
    labels, told = one_split_each(chosen, labels)
    rows = without_near_duplicates(chosen, pairs, labels, nearest=options.duplicate_distance, lines=lines)
    labels, pairs = relabel(labels[rows]), restrict_pairs(pairs, rows, len(chosen))
    split_by_hand = {key for group in options.overrides.split for key in group}
    reviewed = np.array([chosen[row].key in split_by_hand for row in rows], dtype=bool)
    if not is_given:
        split_groups = find_split_groups(labels, pairs, reviewed)
        return IdentityAssignment(rows, labels, split_groups, pairs, found, (*warnings, *told))
    unsure = np.flatnonzero(~reviewed)
    checked = check_given_people(
        labels[unsure],
        averaged[rows][unsure],
        names=[chosen[row].person for row in rows[unsure]],
        keys=[chosen[row].key for row in rows[unsure]],
    )
    split_groups = _linked(labels, checked.links)
    return IdentityAssignment(rows, labels, split_groups, pairs, found, (*warnings, *told, *checked.warnings))


def search_pairs(
    vectors: Embeddings, threshold: float, options: BuildOptions, *, journal: Path | None = None
) -> tuple[Pairs, tuple[str, ...]]:
    """Pairs under the threshold, and warnings on the recall of an approximate search."""
    if options.pair_search == "exact":
        return find_pairs(vectors, threshold, journal), ()
    found = find_pairs_by_faiss(vectors, threshold)
    warning = (
        f"pairs were searched by FAISS: {found.recall:.2%} of {found.checked} pairs of a sample were found"
    )
    return found.pairs, (warning,)


def find_split_groups(labels: Labels, pairs: Pairs, reviewed: npt.NDArray[np.bool_]) -> Labels:
    """Groups of identities that must go into one split: those linked by any pair under the threshold.

    Clustering may separate images of one person by mistake; they are then at least never in two splits.

    Args:
        labels: identity of every image, (N,) int64.
        pairs: under the threshold.
        reviewed: (N,) bool; pairs of these images are ignored, because somebody split them off by eye.

    Returns:
        Group of every image, (N,) int64.
    """
    counted = ~(reviewed[pairs.first] | reviewed[pairs.second])
    first, second = labels[pairs.first[counted]], labels[pairs.second[counted]]
    joined = components(_count(labels), Pairs(first, second, pairs.distance[counted]))
    return joined[labels]


def _linked(labels: Labels, links: Sequence[tuple[int, int]]) -> Labels:
    """Group of every image, (N,) int64: identities that are linked are in one group."""
    first, second = np.array(links, dtype=np.int64).reshape(-1, 2).T
    return components(_count(labels), Pairs(first, second, np.zeros(len(first), dtype=np.float64)))[labels]


def one_split_each(chosen: Sequence[Candidate], labels: Labels) -> tuple[Labels, tuple[str, ...]]:
    """Identities of which each lies in one given split, (N,) int64, and warnings on those that did not.

    Given splits are believed: an identity that clustering finds in several of them is taken apart, and told.
    """
    splits: dict[int, list[str]] = {}
    for candidate, label in zip(chosen, labels.tolist(), strict=True):
        if candidate.split and candidate.split not in splits.setdefault(label, []):
            splits[label].append(candidate.split)
    several = {label: found for label, found in splits.items() if len(found) > 1}
    if not several:
        return labels, ()
    first = {label: found[0] for label, found in splits.items()}
    parts = [
        (label, candidate.split or first.get(label, ""))
        for candidate, label in zip(chosen, labels.tolist(), strict=True)
    ]
    keys: dict[int, list[str]] = {label: [] for label in several}
    for candidate, label in zip(chosen, labels.tolist(), strict=True):
        if label in keys:
            keys[label].append(candidate.key)
    warnings = tuple(
        f"one person seems to be in the given splits {' and '.join(found)}: {', '.join(keys[label][:4])}"
        for label, found in several.items()
    )
    return relabel(np.unique([f"{a}/{b}" for a, b in parts], return_inverse=True)[1]), warnings


def without_near_duplicates(
    chosen: Sequence[Candidate], pairs: Pairs, labels: Labels, *, nearest: float, lines: list[ReportLine]
) -> npt.NDArray[np.int64]:
    """Rows kept when, of two images of one identity nearer than ``nearest``, the later one is left out."""
    kept = np.ones(len(chosen), dtype=bool)
    close = (pairs.distance < nearest) & (labels[pairs.first] == labels[pairs.second])
    for first, second, distance in zip(
        pairs.first[close], pairs.second[close], pairs.distance[close], strict=True
    ):
        if kept[first] and kept[second]:
            kept[second] = False
            reason = f"a near duplicate of {chosen[first].key} (distance {distance:.4f})"
            lines.append(ReportLine(chosen[second].source, reason, True, chosen[second].key))
    return np.flatnonzero(kept)


def restrict_pairs(pairs: Pairs, rows: npt.NDArray[np.int64], count: int) -> Pairs:
    """The pairs among ``rows`` of ``count`` images, renumbered by their places in ``rows``."""
    place = np.full(count, -1, dtype=np.int64)
    place[rows] = np.arange(len(rows))
    first, second = place[pairs.first], place[pairs.second]
    kept = (first >= 0) & (second >= 0)
    return Pairs(first[kept], second[kept], pairs.distance[kept])


def _count(labels: Labels) -> int:
    return int(labels.max(initial=-1)) + 1
