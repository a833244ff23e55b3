"""Distributed data-parallel training: each process computes part of every batch, gradients are averaged."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from ...extras import optional


@dataclass(frozen=True, slots=True)
class Distributed:
    """Rank of this process and number of processes (world size)."""

    rank: int = 0
    world_size: int = 1

    @classmethod
    def join(cls, device: str = "cpu") -> Distributed:
        """Join the process group of ``torchrun`` or ``accelerate launch``; without one, world size 1.

        Afterwards ``cuda`` is this process's own GPU.

        Raises:
            RefbenchError: several processes, and the package accelerate is absent.
        """
        if int(os.environ.get("WORLD_SIZE", "1")) == 1:
            return cls()
        with optional("accelerate", "training in several processes"):
            from accelerate import PartialState

        state = PartialState(cpu=device == "cpu")
        return cls(state.process_index, state.num_processes)

    @property
    def is_main(self) -> bool:
        """Whether this process, rank 0, writes files."""
        return self.rank == 0

    def average_gradients(self, parameters: Iterable[nn.Parameter]) -> None:
        """Replace every gradient by its mean over the processes, in one all-reduce."""
        gradients = [parameter.grad for parameter in parameters if parameter.grad is not None]
        if self.world_size == 1 or not gradients:
            return
        together = self.average(torch.cat([gradient.flatten() for gradient in gradients]))
        taken = 0
        for gradient in gradients:
            gradient.copy_(together[taken : taken + gradient.numel()].view_as(gradient))
            taken += gradient.numel()

    def average(self, value: Tensor) -> Tensor:
        """Mean of a tensor over the processes."""
        if self.world_size == 1:
            return value
        from accelerate.utils import reduce

        mean: Tensor = reduce(value.clone(), "mean")
        return mean

    def any(self, value: bool) -> bool:
        """Whether a value is true in any of the processes."""
        return value if self.world_size == 1 else bool(self.average(torch.tensor(float(value))) > 0)

    def wait(self) -> None:
        """Barrier: wait for the other processes."""
        if self.world_size > 1:
            from accelerate import PartialState

            PartialState().wait_for_everyone()
