"""Exponential moving average (EMA) of the weights during training."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import torch
from torch import Tensor


class Ema:
    """EMA of weights: after each step, average += (1 - decay) (value - average).

    In update n the decay is min(decay, (1 + n) / (10 + n)), as in TensorFlow's ExponentialMovingAverage, so
    that the initial weights soon lose their influence. After n updates the average is the sum of all values,
    each weighted by its own (1 - decay) and the decays of all later updates.
    """

    def __init__(self, weights: Mapping[str, Tensor], decay: float) -> None:
        self.decay = decay
        self.updates = 0
        self.averages = {name: value.detach().clone() for name, value in weights.items()}

    def decay_at(self, update: int) -> float:
        """The decay of an update, counted from 1."""
        return min(self.decay, (1 + update) / (10 + update))

    @torch.no_grad()
    def update(self, weights: Mapping[str, Tensor]) -> None:
        """Update the averages with the current weights."""
        self.updates += 1
        share = 1 - self.decay_at(self.updates)
        for name, average in self.averages.items():
            average.lerp_(weights[name], share)

    @contextmanager
    def in_place_of(self, weights: Mapping[str, Tensor]) -> Iterator[None]:
        """Replace the weights by their averages inside the ``with`` block."""
        kept = {name: value.detach().clone() for name, value in weights.items()}
        try:
            with torch.no_grad():
                for name, average in self.averages.items():
                    weights[name].copy_(average)
            yield
        finally:
            with torch.no_grad():
                for name, value in kept.items():
                    weights[name].copy_(value)
