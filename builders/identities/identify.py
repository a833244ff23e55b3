"""The identities of a build: pairs, components, the guard, duplicates dropped, decisions by hand."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import numpy as np
import numpy.typing as npt

from ...errors import FaultListError
from ...faces.embeddings import Embeddings
from ..photos.candidates import Candidate
from ..photos.report import Line
from ..settings.options import BuildOptions
from .clustering import Labels, components, guarded, relabel
from .faiss_search import find_pairs_by_faiss
from .pair_search import Pairs, find_pairs


@dataclass(frozen=True)
class People:
    """Who is on the images that stay.

    Attributes:
        rows: of the candidates that stay, in order; all else counts along these.
        labels: identity of each.
        units: unit of each; a unit never lies across splits.
        pairs: under the threshold, across identities too.
        found: number of identities by each way of joining images, before decisions by hand.
        warnings: what to beware of.
    """

    rows: npt.NDArray[np.int64]
    labels: Labels
    units: Labels
    pairs: Pairs
    found: dict[str, int]
    warnings: tuple[str, ...] = ()


def identify(
    chosen: Sequence[Candidate],
    vectors: Embeddings,
    threshold: float,
    *,
    options: BuildOptions,
    lines: list[Line],
    journal: Path | None = None,
) -> People:
    """Join candidates into identities; near duplicates leave and get a line each.

    Args:
        chosen: candidates in order of key.
        vectors: (N, D) float32, their embeddings.
        threshold: cosine distance under which two images are joined.
        options: of the build.
        lines: of its report.
        journal: folder where a long search for pairs keeps what is done, see `find_pairs`.
    """
    pairs, warnings = search(vectors, threshold, options, journal=journal)
    joined = components(len(chosen), pairs)
    parted = guarded(vectors, joined, threshold)
    found = {"components": _count(joined), "average-linkage": _count(parted)}
    if options.identities == "folders":
        labels = by_folder(chosen)
        found["folders"] = _count(labels)
    else:
        labels = parted if options.identities == "average-linkage" else joined
    decided = options.overrides.apply({c.key: int(label) for c, label in zip(chosen, labels, strict=True)})
    labels = relabel([decided[candidate.key] for candidate in chosen])
    rows = without_duplicates(chosen, pairs, labels, nearest=options.duplicate_distance, lines=lines)
    labels, pairs = relabel(labels[rows]), restrict(pairs, rows, len(chosen))
    parted_by_hand = {key for group in options.overrides.split for key in group}
    vouched = np.array([chosen[row].key in parted_by_hand for row in rows], dtype=bool)
    trusted = options.identities == "folders"
    units = labels if trusted else kept_together(labels, pairs, vouched)
    return People(rows, labels, units, pairs, found, warnings)


def search(
    vectors: Embeddings, threshold: float, options: BuildOptions, *, journal: Path | None = None
) -> tuple[Pairs, tuple[str, ...]]:
    """Pairs under the threshold, and what to beware of."""
    if options.pair_search == "exact":
        return find_pairs(vectors, threshold, journal), ()
    found = find_pairs_by_faiss(vectors, threshold)
    warning = (
        f"pairs were searched by FAISS: {found.recall:.2%} of {found.checked} pairs of a sample were found"
    )
    return found.pairs, (warning,)


def kept_together(labels: Labels, pairs: Pairs, vouched: npt.NDArray[np.bool_]) -> Labels:
    """Units for the splits: identities that any pair under the threshold joins stay on one side.

    The guard may part one person by mistake; then both parts are at least never trained and tested on.
    Pairs of ``vouched`` images do not count: somebody looked at them and parted them.
    """
    believed = ~(vouched[pairs.first] | vouched[pairs.second])
    first, second = labels[pairs.first[believed]], labels[pairs.second[believed]]
    joined = components(_count(labels), Pairs(first, second, pairs.distance[believed]))
    return joined[labels]


def by_folder(chosen: Sequence[Candidate]) -> Labels:
    """Identities by the folder of the photo.

    Raises:
        FaultListError: photos that lie in no folder.
    """
    folders = [PurePosixPath(candidate.source).parent.as_posix() for candidate in chosen]
    loose = [
        f"{candidate.source} lies in no person's folder"
        for candidate, folder in zip(chosen, folders, strict=True)
        if folder == "."
    ]
    if loose:
        raise FaultListError("identities by folder", loose, "give every person a folder of their own")
    return relabel(np.unique(folders, return_inverse=True)[1])


def without_duplicates(
    chosen: Sequence[Candidate], pairs: Pairs, labels: Labels, *, nearest: float, lines: list[Line]
) -> npt.NDArray[np.int64]:
    """Rows that stay when, of two images of one person nearer than ``nearest``, the later one leaves."""
    stays = np.ones(len(chosen), dtype=bool)
    close = (pairs.distance < nearest) & (labels[pairs.first] == labels[pairs.second])
    for first, second, distance in zip(
        pairs.first[close], pairs.second[close], pairs.distance[close], strict=True
    ):
        if stays[first] and stays[second]:
            stays[second] = False
            reason = f"a near duplicate of {chosen[first].key} (distance {distance:.4f})"
            lines.append(Line(chosen[second].source, reason, True, chosen[second].key))
    return np.flatnonzero(stays)


def restrict(pairs: Pairs, rows: npt.NDArray[np.int64], count: int) -> Pairs:
    """The pairs among ``rows`` (of ``count``), numbered along them."""
    place = np.full(count, -1, dtype=np.int64)
    place[rows] = np.arange(len(rows))
    first, second = place[pairs.first], place[pairs.second]
    kept = (first >= 0) & (second >= 0)
    return Pairs(first[kept], second[kept], pairs.distance[kept])


def _count(labels: Labels) -> int:
    return int(labels.max(initial=-1)) + 1
