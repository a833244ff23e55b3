"""Attention and what it may look at: its own tokens, or those of references too (CacheKV).

A pass of the U-Net is given one *memory*. Every self-attention layer hands its queries, keys and values to
the memory, which answers with the attended values. There is no state outside the memory, so passes over
different images, or in different threads, cannot mix.
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
    """What the self-attention layers of one pass look at."""

    def attend(self, q: Tensor, k: Tensor, v: Tensor, *, layer: int) -> Tensor:
        """Attend in the self-attention layer of that number, counted from 0 as the pass goes.

        All tensors are (B, heads, tokens, channels); the answer may be several times the batch.
        """


@dataclass(frozen=True, slots=True)
class OwnTokens:
    """Ordinary self-attention."""

    def attend(self, q: Tensor, k: Tensor, v: Tensor, *, layer: int) -> Tensor:
        """Attend to the image's own tokens."""
        return attend(q, k, v)


@dataclass(slots=True)
class Recorder:
    """Ordinary self-attention that keeps every layer's keys and values."""

    layers: dict[int, KeyValue] = field(default_factory=dict)

    def attend(self, q: Tensor, k: Tensor, v: Tensor, *, layer: int) -> Tensor:
        """Attend to the image's own tokens and keep them."""
        self.layers[layer] = (k, v)
        return attend(q, k, v)

    def cache(self) -> CacheKV:
        """What was kept."""
        return CacheKV(tuple(self.layers[layer] for layer in sorted(self.layers)))


@dataclass(frozen=True, slots=True)
class CacheKV:
    """Keys and values of references, to be looked at beside the image's own (ReF-LDM, section 3.2).

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
        return attend(q, _beside(k, keys), _beside(v, values), bias=bias)

    def gather(self, batch: int) -> CacheKV:
        """The cache of ``batch`` images from that of their references, given image by image."""

        def gathered(tensor: Tensor) -> Tensor:
            count, heads, tokens, channels = tensor.shape
            split = tensor.view(batch, count // batch, heads, tokens, channels)
            return split.transpose(1, 2).reshape(batch, heads, -1, channels)

        return replace(self, layers=tuple((gathered(k), gathered(v)) for k, v in self.layers))

    def times(self, copies: int) -> CacheKV:
        """The same tokens, counted ``copies`` times as often."""
        return replace(self, copies=self.copies * copies)

    @property
    def nbytes(self) -> int:
        """Memory of the keys and values."""
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
            raise ValueError("caches that count several times cannot be put together")
        layers = zip(*(cache.layers for cache in caches), strict=True)
        joined = (tuple(torch.cat(tensors, dim) for tensors in zip(*layer, strict=True)) for layer in layers)
        return CacheKV(tuple((keys, values) for keys, values in joined))


@dataclass(frozen=True, slots=True)
class Branches:
    """Several memories in one pass: the branches of guidance, which part at the first attention.

    The pass is given the batch once. Until the first self-attention all branches are the same and are
    computed once; its answer is the batch once for each memory, in order, and each part looks at its own
    memory from there on.
    """

    memories: tuple[Memory, ...]

    def attend(self, q: Tensor, k: Tensor, v: Tensor, *, layer: int) -> Tensor:
        """Let each branch attend to its own memory."""
        count = len(self.memories)
        branches = [(q, k, v)] * count
        if layer > 0:
            branches = list(zip(q.chunk(count), k.chunk(count), v.chunk(count), strict=True))
        answers = zip(self.memories, branches, strict=True)
        return torch.cat([memory.attend(*branch, layer=layer) for memory, branch in answers])


def _beside(own: Tensor, remembered: Tensor) -> Tensor:
    return torch.cat([own, remembered.expand(len(own), -1, -1, -1)], 2)
