"""What a training task is: a network, the losses of one batch, and what there is to see and to measure."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from pydantic import BaseModel
from torch import Tensor, nn

from ..data import Batch


@dataclass(frozen=True, slots=True)
class Losses:
    """The losses of a batch: what the network and its adversary descend, and what is logged."""

    network: Tensor
    logged: Mapping[str, Tensor]
    adversary: Tensor | None = None


class Task(ABC):
    """A training task.

    Attributes:
        network: what is trained and exported; its frozen parameters stay as they are.
        adversary: what is trained against it, if anything.
        config: of the network.
        image_size: sides of its images.
        needs_references: whether images without references are of no use.
    """

    network: nn.Module
    adversary: nn.Module | None = None
    config: BaseModel
    image_size: int
    needs_references: bool

    @abstractmethod
    def losses(self, batch: Batch, step: int) -> Losses:
        """The losses of a batch in a step, counted from 1: means over its images."""

    @abstractmethod
    def sheet(self, batch: Batch) -> list[Tensor]:
        """Columns of a sample sheet, each (B, 3, H, W) in [0, 1]."""

    @abstractmethod
    def validation(self) -> Callable[[], dict[str, float]]:
        """What scores the network, as it is when called, on the people of the validation split.

        Raises:
            RefbenchError, InvalidInputError: a split or weights that are absent.
        """

    def exported(self, batch: Batch) -> nn.Module:
        """The network as it is handed on, given some images."""
        return self.network

    def also_write(self, handed_on: nn.Module, out: Path) -> None:  # noqa: B027
        """Write the exported network in other forms too, where there are any."""
