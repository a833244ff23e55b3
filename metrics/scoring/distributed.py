"""Distributed scoring: several processes, on several GPUs or on machines that share a folder.

Each process scores every n-th chunk and writes its parts into the common work folder. When all parts are
there, every process reads them and returns the same records. Under ``torchrun`` call `from_torchrun`.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass

from ...errors import RefbenchError


def _no_wait() -> None:
    return None


@dataclass(frozen=True)
class Shard:
    """The share of one process.

    Attributes:
        index: number of this process, from 0.
        count: number of processes.
        wait: returns when all processes have called it.
    """

    index: int
    count: int
    wait: Callable[[], None] = _no_wait

    def __post_init__(self) -> None:
        if not 0 <= self.index < self.count:
            raise RefbenchError(f"there is no shard {self.index} of {self.count}; they count from 0")

    def takes(self, number: int) -> bool:
        """Whether this process does the chunk of that number."""
        return number % self.count == self.index


ALONE = Shard(0, 1)


def from_torchrun() -> tuple[Shard, str]:
    """The share and the device of this process under ``torchrun``; without it, a single process.

    The processes synchronise through gloo, which needs no GPU.

    Raises:
        RefbenchError: torch was built without distributed support.
    """
    import torch
    from torch import distributed

    count = int(os.environ.get("WORLD_SIZE", "1"))
    local = int(os.environ.get("LOCAL_RANK", "0"))
    device = f"cuda:{local % torch.cuda.device_count()}" if torch.cuda.is_available() else "cpu"
    if count == 1:
        return ALONE, device
    if not distributed.is_available():
        raise RefbenchError(
            "this torch cannot run several processes together; install a build with distributed"
        )
    if not distributed.is_initialized():
        distributed.init_process_group("gloo")

    def wait() -> None:
        distributed.barrier()

    return Shard(distributed.get_rank(), count, wait), device
