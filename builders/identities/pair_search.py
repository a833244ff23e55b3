"""All pairs of unit vectors under a cosine distance: exact, by an 8-bit first pass and a float64 second look.

A pair whose 8-bit product lies under the wanted similarity by more than the bound of `coarse` cannot be
wanted; all others are looked at in float64. Cost grows as N squared; beside the vectors, at most N D bytes
and one tile of products per thread are held.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from zipfile import BadZipFile

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from ...errors import RefbenchError
from ...faces.embeddings import Embeddings as Embeddings
from ...files import replacing, sha256_json
from ...progress import progress
from .prefilter import RUN, STRIPE, Coarse, coarsen

Indices = npt.NDArray[np.int64]
Distances = npt.NDArray[np.float64]

UNIT_TOLERANCE = 1e-3
ROWS, COLUMNS = 1024, 2048
SLACK = 3e-4
LOOK = 64  # rows at once: more would be fetched as fresh memory each time, seven times as slow
POOL = 200_000
MOST_PAIRS = 50_000_000
LONG = 200_000


@dataclass(frozen=True, slots=True)
class Pairs:
    """Pairs of rows nearer than a threshold, in order of ``(first, second)`` with ``first < second``.

    ``distance`` is one minus the float64 dot product, 0 to 2.
    """

    first: Indices
    second: Indices
    distance: Distances

    def __len__(self) -> int:
        return len(self.first)

    @classmethod
    def joined(cls, parts: list[Pairs]) -> Pairs:
        """The pairs of all parts in order."""
        none = np.empty(0, np.int64)
        first = np.concatenate([none, *(part.first for part in parts)])
        second = np.concatenate([none, *(part.second for part in parts)])
        distance = np.concatenate([np.empty(0), *(part.distance for part in parts)])
        order = np.lexsort((second, first))
        return cls(first[order], second[order], distance[order])


def find_pairs(
    vectors: Embeddings, threshold: float, journal: Path | None = None, *, most: int = MOST_PAIRS
) -> Pairs:
    """Every pair of rows whose cosine distance is less than ``threshold``.

    Args:
        vectors: (N, D) float32, each row of length 1.
        threshold: cosine distance, 0 to 2.
        journal: folder where finished stripes of rows are kept, so that a killed search goes on where it
            stopped; None keeps nothing.
        most: pairs beyond which the search gives up.

    Raises:
        RefbenchError: not unit vectors, a threshold out of range, or more than ``most`` pairs.
    """
    check_vectors(vectors)
    if not 0.0 <= threshold <= 2.0:
        raise RefbenchError(f"a cosine distance lies between 0 and 2; the threshold is {threshold}")
    count = len(vectors)
    coarse = coarsen(vectors, threshold)
    kept = None if journal is None else journal / sha256_json([fingerprint(vectors), threshold])[:16]
    parts: list[Pairs] = []
    found = 0

    def stripe(start: int, advance: Callable[[int], None]) -> None:
        nonlocal found
        part = _kept_stripe(kept, start)
        if part is None:
            part = _stripe(vectors, coarse, start, threshold=threshold, most=most - found)
            _keep_stripe(kept, start, part)
        found += len(part)
        parts.append(part)
        advance(min(STRIPE, count - start))

    if count < LONG:
        for start in range(0, count, STRIPE):
            stripe(start, lambda done: None)
    else:
        with progress("pairs", count) as advance:
            for start in range(0, count, STRIPE):
                stripe(start, advance)
    return Pairs.joined(parts)


def exact_distances(vectors: Embeddings, first: Indices, second: Indices) -> Distances:
    """One minus the dot product of rows ``first`` and ``second``, in float64."""
    distance = np.empty(len(first))
    for start in range(0, len(first), LOOK):
        part = slice(start, start + LOOK)
        left = vectors[first[part]].astype(np.float64)
        distance[part] = 1.0 - np.einsum("nd,nd->n", left, vectors[second[part]].astype(np.float64))
    return distance


def check_vectors(vectors: Embeddings) -> None:
    """Raise `RefbenchError` unless ``vectors`` is (N, D) float32 with rows of length 1."""
    if vectors.ndim != 2 or vectors.dtype != np.float32:
        raise RefbenchError(f"embeddings are (N, D) float32; got {vectors.dtype} {vectors.shape}")
    lengths = np.sqrt(np.einsum("nd,nd->n", vectors, vectors))
    wrong = np.flatnonzero(~(np.abs(lengths - 1.0) < UNIT_TOLERANCE))
    if len(wrong):
        raise RefbenchError(
            f"embeddings are of length 1; {len(wrong)} of {len(vectors)} are not, "
            f"the first is row {wrong[0]} of length {lengths[wrong[0]]:.6g}"
        )


def fingerprint(vectors: Embeddings) -> str:
    """Hash of an array's shape and content."""
    import hashlib

    digest = hashlib.sha256(repr(vectors.shape).encode())
    for start in range(0, len(vectors), STRIPE):
        digest.update(np.ascontiguousarray(vectors[start : start + STRIPE]).tobytes())
    return digest.hexdigest()


def _stripe(vectors: Embeddings, coarse: Coarse, start: int, *, threshold: float, most: int) -> Pairs:
    """The pairs whose first row is one of a stripe, a block of rows to each of torch's threads."""
    stop = min(start + STRIPE, len(vectors))
    parts: list[Pairs] = []
    found = 0

    def block(row: int) -> Pairs:
        return _block(vectors, coarse, slice(row, min(row + ROWS, stop)), threshold=threshold, most=most)

    with _threads() as pool:
        for part in pool.map(block, range(start, stop, ROWS)):
            parts.append(part)
            found += len(part)
            _require_few(found, most, threshold)
    return Pairs.joined(parts)


@contextmanager
def _threads() -> Iterator[ThreadPoolExecutor]:
    """As many threads as torch has, each with torch on one: none waits for another within a product."""
    count = torch.get_num_threads()
    pool = ThreadPoolExecutor(count, initializer=torch.set_num_threads, initargs=(1,))
    try:
        yield pool
    finally:
        pool.shutdown(cancel_futures=True)
        torch.set_num_threads(count)


def _block(vectors: Embeddings, coarse: Coarse, rows: slice, *, threshold: float, most: int) -> Pairs:
    """The pairs whose first row is one of a block."""
    parts: list[Pairs] = []
    likely: list[tuple[Indices, Indices]] = []
    whole = coarse.numbers.dtype == torch.int8
    products = torch.empty(ROWS * COLUMNS, dtype=torch.int32 if whole else torch.float32)
    found = waiting = 0
    for column in range(rows.start, len(vectors), COLUMNS):
        columns = slice(column, min(column + COLUMNS, len(coarse.numbers)))
        first, second = _near(coarse, rows, columns, threshold=threshold, memory=products)
        upper = (first < second) & (second < len(vectors))
        likely.append((first[upper], second[upper]))
        waiting += len(likely[-1][0])
        if waiting >= POOL or columns.stop >= len(vectors):
            parts.append(_sure(vectors, likely, threshold))
            found += len(parts[-1])
            _require_few(found, most, threshold)
            likely, waiting = [], 0
    return Pairs.joined(parts)


def _require_few(found: int, most: int, threshold: float) -> None:
    if found > most:
        raise RefbenchError(
            f"far too many pairs of images lie under the threshold {threshold:g}; "
            "choose a stricter one (a smaller distance)"
        )


def _sure(vectors: Embeddings, likely: list[tuple[Indices, Indices]], threshold: float) -> Pairs:
    """Those of the likely pairs that are pairs in float64."""
    first, second = (np.concatenate(side) for side in zip(*likely, strict=True))
    distance = exact_distances(vectors, first, second)
    wanted = distance < threshold
    return Pairs(first[wanted], second[wanted], distance[wanted])


def _near(
    coarse: Coarse, rows: slice, columns: slice, *, threshold: float, memory: Tensor
) -> tuple[Indices, Indices]:
    """Rows and columns of a tile whose pairs the 8-bit products cannot rule out."""
    left, right = coarse.numbers[rows], coarse.numbers[columns]
    here, there = float(coarse.lost[rows].max()), float(coarse.lost[columns].max())
    bound = (1.0 + here) * there + here + SLACK
    least = int(np.floor((1.0 - threshold - bound) / coarse.step**2))
    height, width = len(left), len(right)
    products = memory[: height * width].view(height, width)
    multiply = torch._int_mm if left.dtype == torch.int8 else torch.mm
    multiply(left, right.T, out=products)
    runs = products.view(-1, RUN)
    promising = (runs.amax(1) >= least).nonzero()[:, 0]
    hit = (runs[promising] >= least).nonzero()
    place = promising[hit[:, 0]] * RUN + hit[:, 1]
    first, second = place // width, place % width
    return first.numpy() + rows.start, second.numpy() + columns.start


def _kept_stripe(kept: Path | None, start: int) -> Pairs | None:
    if kept is None:
        return None
    try:
        with np.load(kept / f"{start:09d}.npz") as stored:
            return Pairs(stored["first"], stored["second"], stored["distance"])
    except (OSError, ValueError, KeyError, EOFError, BadZipFile):
        return None


def _keep_stripe(kept: Path | None, start: int, part: Pairs) -> None:
    if kept is None:
        return
    with replacing(kept / f"{start:09d}.npz") as partial, partial.open("wb") as stream:
        np.savez(stream, first=part.first, second=part.second, distance=part.distance)
