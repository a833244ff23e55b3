"""What a restorer is: LQ images and references in, restored images out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

import torch
from torch import Tensor

from ...images import RGB
from ...records.run_manifest import Job, RestorerCard


@runtime_checkable
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


@runtime_checkable
class FileRestorer(Protocol):
    """Restores one face from its files: a program outside of Python, or results that exist already."""

    @property
    def card(self) -> RestorerCard:
        """Facts for the submission card."""

    def restore_file(self, job: Job, seed: int) -> RGB:
        """Restore one face: RGB uint8 HWC of the size of the LQ image."""


AnyRestorer = Restorer | FileRestorer
