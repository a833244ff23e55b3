"""The first pass of the pair search: unit vectors in fewer entries of 8 bits, with a bound on what is lost.

*Fewer entries.* In a basis of the vectors' own main directions, x = (u, w) with the first k entries u and the
rest w. By Cauchy and Schwarz, x . y <= u . v + |w| |z|, which is the product of (u, |w|) and (v, |z|): unit
vectors again, of k + 1 entries. The k that costs least is chosen on a sample; it decides the time, never the
outcome.

*Fewer bits.* These are turned at random, so that their entries are spread like a normal variable, and rounded
to x = s q + e with whole numbers q from -127 to 127. Then

    |x . y - s^2 (q . r)|  =  |s q . f + e . y|  <=  (1 + |e|) |f| + |e|        for y = s r + f,

with the lengths |e| and |f| measured, not estimated. Products of whole numbers are exact.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from time import thread_time

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from ...faces.embeddings import Embeddings

RUN = 64
STRIPE = 16_384
BLOCK = 1024
LEVELS = 127
SPREAD = 5.5
REST = 4e-6
SAMPLE = 8192
STEP = 32
PADDING = 16
LOOK_COST = 500_000.0
TYPICAL_BOUND = 0.025


@dataclass(frozen=True)
class Coarse:
    """Short vectors in 8 bits: (N, k + 1) whole numbers, their step, and the length of what each row lost.

    Zeros fill them up to multiples of ``RUN`` rows and ``PADDING`` entries; that changes no product.

    The numbers are int8, or float32 on a processor that multiplies those faster.
    """

    numbers: Tensor
    step: float
    lost: npt.NDArray[np.float64]


def coarsen(vectors: Embeddings, threshold: float) -> Coarse:
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
    for start in range(0, count, BLOCK):
        whole = torch.from_numpy(vectors[start : start + BLOCK])
        short = whole @ to_short
        if length < depth:
            rest = (whole.square().sum(1) - short.square().sum(1)).clamp_(min=0.0).add_(REST)
            short.addr_(rest.sqrt_(), turn[-1])
        rounded = (short / step).round_().clamp_(-LEVELS, LEVELS)
        numbers[start : start + len(whole), :length] = rounded
        lost[start : start + BLOCK] = short.sub_(rounded, alpha=step).norm(dim=1).double().numpy()
    return Coarse(numbers, step, lost)


def shortening(vectors: Embeddings, threshold: float) -> Tensor:
    """Main directions as columns of (D, k + 1), the last of them a place for the rest; or all D of them.

    A sample says for every k how many pairs the bound could not rule out; each of those costs a second look.
    """
    count, depth = vectors.shape
    if count < SAMPLE:
        return torch.eye(depth)
    sample = torch.from_numpy(vectors[:: count // SAMPLE])
    seen, unseen = sample[0::2], sample[1::2]
    basis: Tensor = torch.linalg.eigh(seen.T @ seen)[1].flip(1)
    left, right = unseen[0::8] @ basis, unseen[1::2] @ basis
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
    """Whether this processor multiplies 8-bit numbers rightly, and faster than float32 ones.

    Both are tried on one thread, by its own processor time, so that other work on the machine sways nothing.
    """
    small = torch.randint(-LEVELS, LEVELS + 1, (512, 256), generator=torch.Generator().manual_seed(0))
    other = torch.randint(-LEVELS, LEVELS + 1, (2048, 256), generator=torch.Generator().manual_seed(1))
    bytes_, floats = (small.to(torch.int8), other.to(torch.int8)), (small.float(), other.float())
    try:
        right = torch.equal(torch._int_mm(bytes_[0], bytes_[1].T).float(), floats[0] @ floats[1].T)
    except (RuntimeError, AttributeError):
        return False

    def seconds(multiply: Callable[[], object]) -> float:
        start = thread_time()
        multiply()
        return thread_time() - start

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        whole = min(seconds(lambda: torch._int_mm(bytes_[0], bytes_[1].T)) for _ in range(4))
        single = min(seconds(lambda: floats[0] @ floats[1].T) for _ in range(4))
    finally:
        torch.set_num_threads(threads)
    return right and whole < single
