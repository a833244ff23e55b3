"""All pairs of unit vectors under a cosine distance: exact, by an 8-bit first pass and a float64 second look.

*Fewer entries.* In a basis of the vectors' own main directions, x = (u, w) with the first k entries u and the
rest w. By Cauchy and Schwarz, x . y <= u . v + |w| |z|, which is the product of (u, |w|) and (v, |z|): unit
vectors again, of k + 1 entries. The k that costs least is chosen on a sample; it decides the time, never the
outcome.

*Fewer bits.* These are turned at random, so that their entries are spread like a normal variable, and rounded
to x = s q + e with whole numbers q from -127 to 127. Then

    |x . y - s^2 (q . r)|  =  |s q . f + e . y|  <=  (1 + |e|) |f| + |e|        for y = s r + f,

with the lengths |e| and |f| measured, not estimated. Products of whole numbers are exact.

So a pair whose 8-bit product lies under the threshold by more than that bound cannot be wanted; all others
are looked at in float64. Cost grows as N squared; beside the vectors, at most N D bytes and one tile of
products are held.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from time import perf_counter
from zipfile import BadZipFile

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from ..errors import RefbenchError
from ..files import replacing, sha256_json
from ..progress import progress

Vectors = npt.NDArray[np.float32]
Indices = npt.NDArray[np.int64]
Distances = npt.NDArray[np.float64]

UNIT_TOLERANCE = 1e-3
ROWS, COLUMNS, RUN = 1024, 2048, 64
STRIPE = 16 * ROWS
LEVELS = 127
SPREAD = 5.5
SLACK = 3e-4
REST = 4e-6
SAMPLE = 8192
STEP = 32
PADDING = 16
LOOK_COST = 500_000.0
TYPICAL_BOUND = 0.025
LOOK = 256
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


@dataclass(frozen=True)
class Coarse:
    """Short vectors in 8 bits: (N, k + 1) whole numbers, their step, and the length of what each row lost.

    Zeros fill them up to multiples of ``RUN`` rows and ``PADDING`` entries; that changes no product.

    The numbers are int8, or float32 on a processor that multiplies those faster.
    """

    numbers: Tensor
    step: float
    lost: npt.NDArray[np.float64]


def find_pairs(
    vectors: Vectors, threshold: float, journal: Path | None = None, most: int = MOST_PAIRS
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
            part = _stripe(vectors, coarse, start, threshold, most - found)
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


def exact_distances(vectors: Vectors, first: Indices, second: Indices) -> Distances:
    """One minus the dot product of rows ``first`` and ``second``, in float64."""
    distance = np.empty(len(first))
    for start in range(0, len(first), LOOK):
        part = slice(start, start + LOOK)
        left = vectors[first[part]].astype(np.float64)
        distance[part] = 1.0 - np.einsum("nd,nd->n", left, vectors[second[part]].astype(np.float64))
    return distance


def coarsen(vectors: Vectors, threshold: float) -> Coarse:
    """Shorten, turn and round vectors; see the head of this file."""
    count, depth = vectors.shape
    directions = shortening(vectors, threshold)
    length = directions.shape[1]
    turn = torch.linalg.qr(torch.randn(length, length, generator=torch.Generator().manual_seed(0)))[0]
    to_short = directions[:, : length - 1] @ turn[: length - 1] if length < depth else directions @ turn
    step = SPREAD / (LEVELS * length**0.5)
    shape = (-(-count // RUN) * RUN, -(-length // PADDING) * PADDING)
    numbers = torch.zeros(shape, dtype=torch.int8 if _int8_is_faster() else torch.float32)
    lost = np.empty(count)
    for start in range(0, count, STRIPE):
        whole = torch.from_numpy(vectors[start : start + STRIPE])
        short = whole @ to_short
        if length < depth:
            rest = (whole.square().sum(1) - short.square().sum(1)).clamp_(min=0.0).add_(REST)
            short.addr_(rest.sqrt_(), turn[-1])
        rounded = (short / step).round_().clamp_(-LEVELS, LEVELS)
        numbers[start : start + len(whole), :length] = rounded
        lost[start : start + STRIPE] = short.sub_(rounded, alpha=step).norm(dim=1).double().numpy()
    return Coarse(numbers, step, lost)


def shortening(vectors: Vectors, threshold: float) -> Tensor:
    """Main directions as columns of (D, k + 1), the last of them a place for the rest; or all D of them.

    A sample says for every k how many pairs the bound could not rule out; each of those costs a second look.
    """
    count, depth = vectors.shape
    if count < SAMPLE:
        return torch.eye(depth)
    sample = torch.from_numpy(vectors[:: count // SAMPLE])
    seen, unseen = sample[0::2], sample[1::2]
    basis: Tensor = torch.linalg.eigh(seen.T @ seen)[1].flip(1)
    left, right = unseen[0::4] @ basis, unseen[1::2] @ basis
    products = torch.zeros(len(left), len(right))
    best, least = depth, float("inf")
    for short in (*range(STEP, depth, STEP), depth):
        part = slice((short - 1) // STEP * STEP, short)
        products.addmm_(left[:, part], right[:, part].T)
        rest_left = (1.0 - left[:, :short].square().sum(1)).clamp_(min=0.0).sqrt_()
        rest_right = (1.0 - right[:, :short].square().sum(1)).clamp_(min=0.0).sqrt_()
        open_share = (products.addr(rest_left, rest_right) > 1.0 - threshold - TYPICAL_BOUND).float().mean()
        cost = short + LOOK_COST * float(open_share)
        if cost < least:
            best, least = short, cost
    return basis[:, :best]


@cache
def _int8_is_faster() -> bool:
    """Whether this processor multiplies 8-bit numbers faster than float32 ones, and rightly."""
    small = torch.randint(-LEVELS, LEVELS + 1, (512, 256), generator=torch.Generator().manual_seed(0))
    other = torch.randint(-LEVELS, LEVELS + 1, (2048, 256), generator=torch.Generator().manual_seed(1))
    bytes_, floats = (small.to(torch.int8), other.to(torch.int8)), (small.float(), other.float())
    try:
        right = torch.equal(torch._int_mm(bytes_[0], bytes_[1].T).float(), floats[0] @ floats[1].T)
    except (RuntimeError, AttributeError):
        return False

    def seconds(multiply: Callable[[], Tensor]) -> float:
        times = []
        for _ in range(4):
            start = perf_counter()
            multiply()
            times.append(perf_counter() - start)
        return min(times)

    faster = seconds(lambda: torch._int_mm(bytes_[0], bytes_[1].T)) < seconds(lambda: floats[0] @ floats[1].T)
    return right and faster


def check_vectors(vectors: Vectors) -> None:
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


def fingerprint(vectors: Vectors) -> str:
    """Hash of an array's shape and content."""
    import hashlib

    digest = hashlib.sha256(repr(vectors.shape).encode())
    for start in range(0, len(vectors), STRIPE):
        digest.update(np.ascontiguousarray(vectors[start : start + STRIPE]).tobytes())
    return digest.hexdigest()


def _stripe(vectors: Vectors, coarse: Coarse, start: int, threshold: float, most: int) -> Pairs:
    """The pairs whose first row is one of a stripe."""
    stop = min(start + STRIPE, len(vectors))
    parts: list[Pairs] = []
    whole = coarse.numbers.dtype == torch.int8
    products = torch.empty(ROWS * COLUMNS, dtype=torch.int32 if whole else torch.float32)
    found = 0
    for row in range(start, stop, ROWS):
        for column in range(row, len(vectors), COLUMNS):
            rows = slice(row, min(row + ROWS, stop))
            columns = slice(column, min(column + COLUMNS, len(coarse.numbers)))
            first, second = _near(coarse, rows, columns, threshold, products)
            upper = (first < second) & (second < len(vectors))
            first, second = first[upper], second[upper]
            distance = exact_distances(vectors, first, second)
            wanted = distance < threshold
            parts.append(Pairs(first[wanted], second[wanted], distance[wanted]))
            found += len(parts[-1])
            if found > most:
                raise RefbenchError(
                    f"far too many pairs of images lie under the threshold {threshold:g}; "
                    "choose a stricter one (a smaller distance)"
                )
    return Pairs.joined(parts)


def _near(
    coarse: Coarse, rows: slice, columns: slice, threshold: float, memory: Tensor
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
