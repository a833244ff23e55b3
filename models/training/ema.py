"""Exponential moving averages of weights."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import torch
from torch import Tensor


class Ema:
    """Averages of weights: after each step, average += (1 - decay) (value - average).

    The decay grows to its value as (1 + n) / (10 + n), so that the first weights are soon forgotten. After
    n updates the average is the sum of all values, each weighted by its own (1 - decay) and the decays of
    all later updates.
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
        """Take the present weights into the averages."""
        self.updates += 1
        share = 1 - self.decay_at(self.updates)
        for name, average in self.averages.items():
            average.lerp_(weights[name], share)

    @contextmanager
    def in_place_of(self, weights: Mapping[str, Tensor]) -> Iterator[None]:
        """Put the averages into the weights for as long as the context lasts."""
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
