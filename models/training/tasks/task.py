"""Training task: a network, its losses on a batch, sample sheets, validation and export."""

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
    """Losses of a batch, scalars.

    Attributes:
        network: loss that the network minimises.
        logged: losses by name, for the log.
        adversary: loss that the discriminator minimises, if it is trained in this step.
    """

    network: Tensor
    logged: Mapping[str, Tensor]
    adversary: Tensor | None = None


class Task(ABC):
    """A training task.

    Attributes:
        network: network that is trained and exported; parameters without gradients are not trained.
        adversary: discriminator, if there is one.
        config: configuration of the network.
        image_size: side of its images, in pixels.
        needs_references: whether every image must have a reference.
    """

    network: nn.Module
    adversary: nn.Module | None = None
    config: BaseModel
    image_size: int
    needs_references: bool

    @abstractmethod
    def losses(self, batch: Batch, step: int) -> Losses:
        """Losses of a batch in step ``step``, counted from 1: means over the images."""

    @abstractmethod
    def sheet(self, batch: Batch) -> list[Tensor]:
        """Columns of a sample sheet, each (B, 3, H, W) in [0, 1]."""

    @abstractmethod
    def validation(self) -> Callable[[], dict[str, float]]:
        """A function that scores the network, in its state at the call, on the validation split.

        Raises:
            RefbenchError, InvalidInputError: absent weights, or an absent split.
        """

    def export_network(self, batch: Batch) -> nn.Module:
        """The network to export; ``batch`` has images for statistics such as those of the latents."""
        return self.network

    def write_extra_files(self, exported: nn.Module, out: Path) -> None:  # noqa: B027
        """Write the exported network in other formats too; nothing by default."""
