"""Prefilter of the pair search: shorter unit vectors in 8 bits, with an error bound for their products.

*Fewer entries.* In the basis of the principal directions of the embeddings, x = (u, w) with the first k
entries u and the rest w. By Cauchy and Schwarz, x . y <= u . v + |w| |z|, which is the product of (u, |w|)
and (v, |z|): unit vectors again, of k + 1 entries. The k of least cost is chosen on a sample; it affects the
time, never the result.

*Fewer bits.* These vectors are rotated at random, so that their entries are spread like a normal variable,
and rounded to x = s q + e with whole numbers q from -127 to 127. Then

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
CONFIRM_COST = 500_000.0
TYPICAL_BOUND = 0.025


@dataclass(frozen=True)
class QuantisedVectors:
    """Shortened vectors in 8 bits.

    Attributes:
        values: whole numbers from -127 to 127, (N, k + 1) padded with zeros to multiples of ``RUN`` rows and
            ``PADDING`` entries; int8, or float32 on a processor that multiplies those faster.
        step: what a value of 1 stands for.
        errors: length of the rounding error of every row, (N,) float64.
    """

    values: Tensor
    step: float
    errors: npt.NDArray[np.float64]


def quantise(vectors: Embeddings, threshold: float) -> QuantisedVectors:
    """Shorten, rotate and round unit vectors (N, D) float32, as the head of this module explains."""
    count, depth = vectors.shape
    directions = reduced_basis(vectors, threshold)
    length = directions.shape[1]
    rotation = torch.linalg.qr(torch.randn(length, length, generator=torch.Generator().manual_seed(0)))[0]
    to_short = (
        directions[:, : length - 1] @ rotation[: length - 1] if length < depth else directions @ rotation
    )
    step = SPREAD / (LEVELS * length**0.5)
    shape = (-(-count // RUN) * RUN, -(-length // PADDING) * PADDING)
    values = torch.zeros(shape, dtype=torch.int8 if _int8_is_faster() else torch.float32)
    errors = np.empty(count)
    for start in range(0, count, BLOCK):
        whole = torch.from_numpy(vectors[start : start + BLOCK])
        short = whole @ to_short
        if length < depth:
            rest = (whole.square().sum(1) - short.square().sum(1)).clamp_(min=0.0).add_(REST)
            short.addr_(rest.sqrt_(), rotation[-1])
        rounded = (short / step).round_().clamp_(-LEVELS, LEVELS)
        values[start : start + len(whole), :length] = rounded
        errors[start : start + BLOCK] = short.sub_(rounded, alpha=step).norm(dim=1).double().numpy()
    return QuantisedVectors(values, step, errors)


def reduced_basis(vectors: Embeddings, threshold: float) -> Tensor:
    """Principal directions as columns, (D, k + 1), the last one for the length of the rest; or all D.

    For every k, a sample tells how many pairs the bound does not rule out; each of them costs a product in
    float64.
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
        remaining = (products.addr(rest_left, rest_right) > 1.0 - threshold - TYPICAL_BOUND).float().mean()
        cost = short + CONFIRM_COST * float(remaining)
        if cost < least:
            best, least = short, cost
    return basis[:, :best]


@cache
def _int8_is_faster() -> bool:
    """Whether this processor multiplies 8-bit numbers correctly, and faster than float32 ones.

    Both are timed on one thread, in its own processor time, so that other load does not decide.
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
