"""Several training processes as one: each does its part of every batch, gradients are averaged."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass

import torch
from torch import Tensor, distributed, nn


@dataclass(frozen=True, slots=True)
class Workers:
    """This process among all: its number and how many there are."""

    rank: int = 0
    world: int = 1

    @classmethod
    def join(cls) -> Workers:
        """Join the processes that ``torchrun`` started; alone if it did not."""
        world = int(os.environ.get("WORLD_SIZE", "1"))
        if world == 1:
            return cls()
        if not distributed.is_initialized():
            distributed.init_process_group("nccl" if torch.cuda.is_available() else "gloo")
        return cls(distributed.get_rank(), world)

    @property
    def is_first(self) -> bool:
        """Whether this process writes files."""
        return self.rank == 0

    def average_gradients(self, parameters: Iterable[nn.Parameter]) -> None:
        """Replace every gradient by its mean over the processes, in one message."""
        gradients = [parameter.grad for parameter in parameters if parameter.grad is not None]
        if self.world == 1 or not gradients:
            return
        together = torch.cat([gradient.flatten() for gradient in gradients])
        distributed.all_reduce(together)
        together /= self.world
        taken = 0
        for gradient in gradients:
            gradient.copy_(together[taken : taken + gradient.numel()].view_as(gradient))
            taken += gradient.numel()

    def average(self, value: Tensor) -> Tensor:
        """The mean of a number over the processes."""
        if self.world > 1:
            value = value.clone()
            distributed.all_reduce(value)
            value /= self.world
        return value

    def wait(self) -> None:
        """Wait for the others."""
        if self.world > 1:
            distributed.barrier()
