"""What a restorer is: LQ images and references in, restored images out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor


@dataclass(frozen=True, slots=True)
class RestorerCard:
    """Facts about a restorer that go into its submission card."""

    model: str
    version: str
    references_used: int
    parameters: int
    licence: str
    training_data: str
    paper: str = ""


class Restorer(Protocol):
    """Restores a batch of faces.

    ``lq`` is (B, 3, H, W), RGB float32 in [0, 1]; ``references`` has B entries, each (N_i, 3, H, W) of the
    same kind with N_i >= 0, in order of preference; ``generators`` has one seeded generator per image, so
    that a result never depends on its neighbours in the batch. Returns (B, 3, H, W) in [0, 1].
    """

    @property
    def card(self) -> RestorerCard:
        """Facts for the submission card."""

    def restore(
        self, lq: Tensor, references: Sequence[Tensor], generators: Sequence[torch.Generator]
    ) -> Tensor:
        """Restore one batch."""
