"""Exact search for all pairs of embeddings under a cosine distance: an 8-bit prefilter, then float64.

A pair whose 8-bit similarity is below the wanted one by more than the error bound of `prefilter` is ruled
out; all others are computed in float64. Time grows with the square of N; besides the embeddings, memory holds
at most N D bytes and one tile of products per thread.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from zipfile import BadZipFile

import numpy as np
import torch
from torch import Tensor

from ...errors import RefbenchError
from ...faces.embeddings import Embeddings
from ...files import StrPath, replacing, sha256_json
from ...progress import progress
from .cosine_distance import Distances, Indices, check_embeddings, paired_distances
from .prefilter import RUN, STRIPE, QuantisedVectors, quantise

ROWS, COLUMNS = 1024, 2048
SLACK = 3e-4
CONFIRM_AT = 200_000
MAX_PAIRS = 50_000_000
SHOW_PROGRESS_FROM = 200_000


@dataclass(frozen=True, slots=True)
class Pairs:
    """Pairs of rows under a threshold, in order of ``(first, second)`` with ``first < second``.

    Attributes:
        first: row of the first image of each pair, (P,) int64.
        second: row of the second image, (P,) int64.
        distance: cosine distance, one minus the float64 dot product, (P,) float64, 0 to 2.
    """

    first: Indices
    second: Indices
    distance: Distances

    def __len__(self) -> int:
        return len(self.first)

    @classmethod
    def joined(cls, parts: list[Pairs]) -> Pairs:
        """All pairs of several parts, in order."""
        none = np.empty(0, np.int64)
        first = np.concatenate([none, *(part.first for part in parts)])
        second = np.concatenate([none, *(part.second for part in parts)])
        distance = np.concatenate([np.empty(0), *(part.distance for part in parts)])
        order = np.lexsort((second, first))
        return cls(first[order], second[order], distance[order])


def find_pairs(
    vectors: Embeddings, threshold: float, journal: StrPath | None = None, *, max_pairs: int = MAX_PAIRS
) -> Pairs:
    """All pairs of rows whose cosine distance is less than ``threshold``.

    Args:
        vectors: embeddings, (N, D) float32 of length 1.
        threshold: cosine distance, 0 to 2.
        journal: folder where finished stripes of rows are stored, so that an interrupted search resumes from
            them; None stores nothing.
        max_pairs: number of pairs beyond which the search is given up.

    Raises:
        RefbenchError: not unit vectors, a threshold out of range, or more than ``max_pairs`` pairs.
    """
    journal = None if journal is None else Path(journal)
    check_embeddings(vectors)
    if not 0.0 <= threshold <= 2.0:
        raise RefbenchError(f"a cosine distance lies between 0 and 2; the threshold is {threshold}")
    count = len(vectors)
    quantised = quantise(vectors, threshold)
    kept = None if journal is None else journal / sha256_json([fingerprint(vectors), threshold])[:16]
    parts: list[Pairs] = []
    found = 0

    def stripe(start: int, advance: Callable[[int], None]) -> None:
        nonlocal found
        part = _load_stripe(kept, start)
        if part is None:
            part = _stripe(vectors, quantised, start, threshold=threshold, max_pairs=max_pairs - found)
            _store_stripe(kept, start, part)
        found += len(part)
        parts.append(part)
        advance(min(STRIPE, count - start))

    if count < SHOW_PROGRESS_FROM:
        for start in range(0, count, STRIPE):
            stripe(start, lambda done: None)
    else:
        with progress("pairs", count) as advance:
            for start in range(0, count, STRIPE):
                stripe(start, advance)
    return Pairs.joined(parts)


def fingerprint(vectors: Embeddings) -> str:
    """SHA-256 of the shape and content of an array."""
    import hashlib

    digest = hashlib.sha256(repr(vectors.shape).encode())
    for start in range(0, len(vectors), STRIPE):
        digest.update(np.ascontiguousarray(vectors[start : start + STRIPE]).tobytes())
    return digest.hexdigest()


def _stripe(
    vectors: Embeddings, quantised: QuantisedVectors, start: int, *, threshold: float, max_pairs: int
) -> Pairs:
    """The pairs whose first row is in a stripe, computed in blocks of rows, one per thread of torch."""
    stop = min(start + STRIPE, len(vectors))
    parts: list[Pairs] = []
    found = 0

    def block(row: int) -> Pairs:
        return _block(
            vectors, quantised, slice(row, min(row + ROWS, stop)), threshold=threshold, max_pairs=max_pairs
        )

    with _threads() as pool:
        for part in pool.map(block, range(start, stop, ROWS)):
            parts.append(part)
            found += len(part)
            _check_number(found, max_pairs, threshold)
    return Pairs.joined(parts)


@contextmanager
def _threads() -> Iterator[ThreadPoolExecutor]:
    """As many threads as torch uses, each with torch on one thread, so that no product waits for another."""
    count = torch.get_num_threads()
    pool = ThreadPoolExecutor(count, initializer=torch.set_num_threads, initargs=(1,))
    try:
        yield pool
    finally:
        pool.shutdown(cancel_futures=True)
        torch.set_num_threads(count)


def _block(
    vectors: Embeddings, quantised: QuantisedVectors, rows: slice, *, threshold: float, max_pairs: int
) -> Pairs:
    """The pairs whose first row is in a block."""
    parts: list[Pairs] = []
    candidates: list[tuple[Indices, Indices]] = []
    whole = quantised.values.dtype == torch.int8
    products = torch.empty(ROWS * COLUMNS, dtype=torch.int32 if whole else torch.float32)
    found = waiting = 0
    for column in range(rows.start, len(vectors), COLUMNS):
        columns = slice(column, min(column + COLUMNS, len(quantised.values)))
        first, second = _candidates(quantised, rows, columns, threshold=threshold, memory=products)
        upper = (first < second) & (second < len(vectors))
        candidates.append((first[upper], second[upper]))
        waiting += len(candidates[-1][0])
        if waiting >= CONFIRM_AT or columns.stop >= len(vectors):
            parts.append(_confirmed(vectors, candidates, threshold))
            found += len(parts[-1])
            _check_number(found, max_pairs, threshold)
            candidates, waiting = [], 0
    return Pairs.joined(parts)


def _check_number(found: int, max_pairs: int, threshold: float) -> None:
    if found > max_pairs:
        raise RefbenchError(
            f"far too many pairs of images lie under the threshold {threshold:g}; "
            "choose a stricter one (a smaller distance)"
        )


def _confirmed(vectors: Embeddings, candidates: list[tuple[Indices, Indices]], threshold: float) -> Pairs:
    """Those of the candidates whose distance in float64 is under the threshold."""
    first, second = (np.concatenate(side) for side in zip(*candidates, strict=True))
    distance = paired_distances(vectors, first, second)
    wanted = distance < threshold
    return Pairs(first[wanted], second[wanted], distance[wanted])


def _candidates(
    quantised: QuantisedVectors, rows: slice, columns: slice, *, threshold: float, memory: Tensor
) -> tuple[Indices, Indices]:
    """Rows and columns of a tile whose pairs the error bound of the 8-bit products does not rule out."""
    left, right = quantised.values[rows], quantised.values[columns]
    left_error, right_error = float(quantised.errors[rows].max()), float(quantised.errors[columns].max())
    bound = (1.0 + left_error) * right_error + left_error + SLACK
    least = int(np.floor((1.0 - threshold - bound) / quantised.step**2))
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


def _load_stripe(kept: Path | None, start: int) -> Pairs | None:
    if kept is None:
        return None
    try:
        with np.load(kept / f"{start:09d}.npz") as stored:
            return Pairs(stored["first"], stored["second"], stored["distance"])
    except (OSError, ValueError, KeyError, EOFError, BadZipFile):
        return None


def _store_stripe(kept: Path | None, start: int, part: Pairs) -> None:
    if kept is None:
        return
    with replacing(kept / f"{start:09d}.npz") as partial, partial.open("wb") as stream:
        np.savez(stream, first=part.first, second=part.second, distance=part.distance)
