"""Several processes that score together, on several GPUs or machines that see one folder.

Each takes every n-th chunk and leaves its parts in the common work folder; when all are there, every process
reads them all and returns the same records. Under ``torchrun`` call `from_torchrun`.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass

from ...errors import RefbenchError


def _nothing() -> None:
    return None


@dataclass(frozen=True)
class Shard:
    """This process's number, how many there are, and how to wait for the others."""

    index: int
    count: int
    wait: Callable[[], None] = _nothing

    def __post_init__(self) -> None:
        if not 0 <= self.index < self.count:
            raise RefbenchError(f"there is no shard {self.index} of {self.count}; they count from 0")

    def takes(self, number: int) -> bool:
        """Whether the work of that number falls to this process."""
        return number % self.count == self.index


ALONE = Shard(0, 1)


def from_torchrun() -> tuple[Shard, str]:
    """The shard and the device of this process under ``torchrun``; alone on the best device without it.

    The processes meet over gloo, which needs no GPU.

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
