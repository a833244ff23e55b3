"""Identity similarity: the cosine between face embeddings, of a restored image and of what it should be."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor


def cosine(first: Tensor, second: Tensor) -> Tensor:
    """Cosines, (N,) float64 in [-1, 1], of two batches of embeddings (N, D)."""
    a = torch.nn.functional.normalize(first.double(), dim=1)
    b = torch.nn.functional.normalize(second.double(), dim=1)
    return (a * b).sum(dim=1).clamp(-1.0, 1.0)


def _to_references(restored: Tensor, references: Sequence[Tensor]) -> list[Tensor]:
    return [cosine(one.expand_as(group), group) for one, group in zip(restored, references, strict=True)]


def mean_cosine(restored: Tensor, references: Sequence[Tensor]) -> Tensor:
    """Mean cosine of each embedding (N, D) to its own group of N_i >= 1 reference embeddings (N_i, D)."""
    return torch.stack([cosines.mean() for cosines in _to_references(restored, references)])


def max_cosine(restored: Tensor, references: Sequence[Tensor]) -> Tensor:
    """Greatest cosine of each embedding (N, D) to its own group of N_i >= 1 reference embeddings (N_i, D)."""
    return torch.stack([cosines.max() for cosines in _to_references(restored, references)])


def first_cosine(restored: Tensor, references: Sequence[Tensor]) -> Tensor:
    """Cosine of each embedding (N, D) to the first of its group of N_i >= 1 reference embeddings (N_i, D)."""
    return torch.stack([cosines[0] for cosines in _to_references(restored, references)])
