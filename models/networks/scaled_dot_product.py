"""Scaled dot product attention: PyTorch's fused kernels, or blocks of queries where those are slow."""

from __future__ import annotations

from functools import cache

import torch
from torch import Tensor
from torch.nn import functional as F

QUERIES_AT_ONCE = 512


def attend(q: Tensor, k: Tensor, v: Tensor, *, bias: Tensor | None = None) -> Tensor:
    """softmax(q k^T / sqrt(channels) + bias) v, for tensors (B, heads, tokens, channels).

    ``bias`` is added to the scores of the keys: (B or 1, heads or 1, 1, keys).
    """
    slow = q.dtype == torch.bfloat16 and q.device.type == "cpu" and not has_matrix_unit()
    if slow and not torch.is_grad_enabled():
        return attend_in_blocks(q, k, v, bias=bias)
    return F.scaled_dot_product_attention(q, k, v, bias)


def attend_in_blocks(q: Tensor, k: Tensor, v: Tensor, *, bias: Tensor | None = None) -> Tensor:
    """`attend` by plain products, `QUERIES_AT_ONCE` queries at a time, counted over all heads.

    On a processor that multiplies bfloat16 but has no matrix unit, the fused kernel is no faster in
    bfloat16 than in float32, and plain products are up to three times as fast as it is.
    """
    batch, heads, _, channels = q.shape
    rows = max(1, QUERIES_AT_ONCE // (batch * heads))
    keys = k.transpose(-1, -2)
    answers = []
    for block in (q * channels**-0.5).split(rows, 2):
        scores = block @ keys
        if bias is not None:
            scores = scores + bias
        answers.append(scores.softmax(-1) @ v)
    return torch.cat(answers, 2)


@cache
def has_matrix_unit() -> bool:
    """Whether the CPU has a matrix unit for bfloat16 (AMX)."""
    known = getattr(torch.cpu, "get_capabilities", None)
    return bool(known is not None and known().get("amx_bf16", False))
