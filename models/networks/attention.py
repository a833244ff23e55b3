"""Self-attention with a reference key-value cache (CacheKV, ReF-LDM), as memories of a U-Net pass.

Each pass of the U-Net is given one *memory*. Every self-attention layer passes its queries, keys and values
to the memory, which returns the attended values. All state is in the memory, so that passes over different
images, or in different threads, are independent.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol

import torch
from torch import Tensor

from .scaled_dot_product import attend

KeyValue = tuple[Tensor, Tensor]


class Memory(Protocol):
    """What the self-attention layers of one U-Net pass attend to."""

    def attend(self, q: Tensor, k: Tensor, v: Tensor, *, layer: int) -> Tensor:
        """Attention in self-attention layer ``layer``, counted from 0 in the order of the pass.

        All tensors are (B, heads, tokens, channels); the result may have a multiple of the batch size.
        """


@dataclass(frozen=True, slots=True)
class SelfAttention:
    """Ordinary self-attention."""

    def attend(self, q: Tensor, k: Tensor, v: Tensor, *, layer: int) -> Tensor:
        """Attend to the image's own tokens."""
        return attend(q, k, v)


@dataclass(slots=True)
class KeyValueRecorder:
    """Ordinary self-attention that records the keys and values of every layer."""

    layers: dict[int, KeyValue] = field(default_factory=dict)

    def attend(self, q: Tensor, k: Tensor, v: Tensor, *, layer: int) -> Tensor:
        """Attend to the image's own tokens and record them."""
        self.layers[layer] = (k, v)
        return attend(q, k, v)

    def cache(self) -> CacheKV:
        """The recorded keys and values."""
        return CacheKV(tuple(self.layers[layer] for layer in sorted(self.layers)))


@dataclass(frozen=True, slots=True)
class CacheKV:
    """Keys and values of references, attended to beside the image's own (ReF-LDM, section 3.2).

    Attributes:
        layers: per self-attention layer the keys and the values, each (B, heads, tokens, channels).
        copies: how many times the tokens count. N equal references weigh as one whose scores have log N
            added, because exp(s + log N) = N exp(s): they need not be stored N times.
    """

    layers: tuple[KeyValue, ...]
    copies: int = 1

    def attend(self, q: Tensor, k: Tensor, v: Tensor, *, layer: int) -> Tensor:
        """Attend to [own, references]: one softmax over all."""
        keys, values = self.layers[layer]
        bias = None
        if self.copies != 1:
            bias = q.new_zeros(1, 1, 1, k.shape[2] + keys.shape[2])
            bias[..., k.shape[2] :] = math.log(self.copies)
        return attend(q, _append_tokens(k, keys), _append_tokens(v, values), bias=bias)

    def gather(self, batch: int) -> CacheKV:
        """The cache of ``batch`` images from that of their references, given image by image."""

        def gathered(tensor: Tensor) -> Tensor:
            count, heads, tokens, channels = tensor.shape
            split = tensor.view(batch, count // batch, heads, tokens, channels)
            return split.transpose(1, 2).reshape(batch, heads, -1, channels)

        return replace(self, layers=tuple((gathered(k), gathered(v)) for k, v in self.layers))

    def times(self, copies: int) -> CacheKV:
        """The same tokens with ``copies`` times the weight."""
        return replace(self, copies=self.copies * copies)

    @property
    def nbytes(self) -> int:
        """Size of the keys and values, in bytes."""
        return sum(tensor.nbytes for layer in self.layers for tensor in layer)

    @staticmethod
    def join(caches: Sequence[CacheKV]) -> CacheKV:
        """One cache of several references of the same image or images (along the tokens)."""
        return CacheKV._cat(caches, dim=2)

    @staticmethod
    def stack(caches: Sequence[CacheKV]) -> CacheKV:
        """One cache of a batch from the caches of its images, which have equally many tokens."""
        return CacheKV._cat(caches, dim=0)

    @staticmethod
    def _cat(caches: Sequence[CacheKV], dim: int) -> CacheKV:
        if len(caches) == 1:
            return caches[0]
        if any(cache.copies != 1 for cache in caches):
            raise ValueError("caches that count several times cannot be concatenated")
        layers = zip(*(cache.layers for cache in caches), strict=True)
        joined = (tuple(torch.cat(tensors, dim) for tensors in zip(*layer, strict=True)) for layer in layers)
        return CacheKV(tuple((keys, values) for keys, values in joined))


@dataclass(frozen=True, slots=True)
class GuidanceBranches:
    """Several memories in one U-Net pass: the branches of classifier-free guidance.

    The input is one batch. Up to the first self-attention all branches are equal and computed once; from
    there on the batch is repeated once per memory, in order, and each part attends to its own memory.
    """

    memories: tuple[Memory, ...]

    def attend(self, q: Tensor, k: Tensor, v: Tensor, *, layer: int) -> Tensor:
        """Attend in each branch to its own memory."""
        count = len(self.memories)
        branches = [(q, k, v)] * count
        if layer > 0:
            branches = list(zip(q.chunk(count), k.chunk(count), v.chunk(count), strict=True))
        answers = zip(self.memories, branches, strict=True)
        return torch.cat([memory.attend(*branch, layer=layer) for memory, branch in answers])


def _append_tokens(own: Tensor, remembered: Tensor) -> Tensor:
    return torch.cat([own, remembered.expand(len(own), -1, -1, -1)], 2)
