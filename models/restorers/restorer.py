"""Restorer interfaces: LQ images and references in, restored images out; on tensors or on files."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

import torch
from torch import Tensor

from ...images import RGB
from ...records.card import RestorerCard as RestorerCard
from ...records.run_manifest import Job as Job


@runtime_checkable
class Restorer(Protocol):
    """Protocol of restorers that work on batches of tensors.

    Any object with ``card`` and ``restore`` is one; no base class is needed. See docs/add_a_restorer.md.
    """

    @property
    def card(self) -> RestorerCard:
        """Description of the restorer for the submission card."""

    def restore(
        self, lq: Tensor, references: Sequence[Tensor], generators: Sequence[torch.Generator]
    ) -> Tensor:
        """Restore one batch.

        Args:
            lq: LQ images (B, 3, H, W), RGB float32 in [0, 1]; files that are smaller were enlarged (bicubic).
            references: B entries (N_i, 3, H, W), RGB float32 in [0, 1], N_i >= 0, in order of preference.
            generators: one seeded CPU generator per image. All random numbers of an image must come from its
                own, so that a result does not depend on the other images of the batch.

        Returns:
            Restored images (B, 3, H, W) in [0, 1]. Values outside are clipped; beyond [-0.5, 1.5], NaN and
            infinity the image fails.

        Raises:
            InvalidInputError: an image that this restorer cannot restore; it is reported as failed.
        """


@runtime_checkable
class FileRestorer(Protocol):
    """Protocol of restorers that work on files: an external program, or a folder of finished images."""

    @property
    def card(self) -> RestorerCard:
        """Description of the restorer for the submission card."""

    def restore_file(self, job: Job, seed: int) -> RGB:
        """Restore one face.

        Args:
            job: key and paths of the LQ image and the references.
            seed: seed of this image, in [0, 2^63).

        Returns:
            RGB uint8 (H, W, 3) of the size of the LQ image.

        Raises:
            InvalidInputError: this image cannot be restored; it is reported as failed.
        """


AnyRestorer = Restorer | FileRestorer
