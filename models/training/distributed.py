"""Several training processes as one: each does its part of every batch, gradients are averaged."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from ...extras import optional


@dataclass(frozen=True, slots=True)
class Workers:
    """This process among all: its number and how many there are."""

    rank: int = 0
    world: int = 1

    @classmethod
    def join(cls, device: str = "cpu") -> Workers:
        """Join the processes that ``torchrun`` or ``accelerate launch`` started; alone if neither did.

        From then on ``cuda`` is this process's own GPU.
        """
        if int(os.environ.get("WORLD_SIZE", "1")) == 1:
            return cls()
        with optional("accelerate", "training in several processes"):
            from accelerate import PartialState

        state = PartialState(cpu=device == "cpu")
        return cls(state.process_index, state.num_processes)

    @property
    def is_first(self) -> bool:
        """Whether this process writes files."""
        return self.rank == 0

    def average_gradients(self, parameters: Iterable[nn.Parameter]) -> None:
        """Replace every gradient by its mean over the processes, in one message."""
        gradients = [parameter.grad for parameter in parameters if parameter.grad is not None]
        if self.world == 1 or not gradients:
            return
        together = self.average(torch.cat([gradient.flatten() for gradient in gradients]))
        taken = 0
        for gradient in gradients:
            gradient.copy_(together[taken : taken + gradient.numel()].view_as(gradient))
            taken += gradient.numel()

    def average(self, value: Tensor) -> Tensor:
        """The mean of a tensor over the processes."""
        if self.world == 1:
            return value
        from accelerate.utils import reduce

        mean: Tensor = reduce(value.clone(), "mean")
        return mean

    def wait(self) -> None:
        """Wait for the others."""
        if self.world > 1:
            from accelerate import PartialState

            PartialState().wait_for_everyone()
