"""Features: what is computed once per image and shared by all metrics that need it; batches of images."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from ...deprecated import renamed, renamed_keywords, warn
from ...files import StrPath, paths_of
from ...images import RGB, to_uint8

Tensors = tuple[Tensor, ...]
"""What a feature gives for a batch of N images: tensors whose first axis has the length N."""

Landmarks = npt.NDArray[np.float64]


@renamed_keywords(true="hq")
class Batch:
    """Images, and where the faces in their HQ images are.

    Args:
        photos: RGB uint8 (H, W, 3).
        landmarks: (N, 5, 2) in pixels; NaN where the reference set knows none.
        device: where tensors are wanted.
        hq: the batch of the HQ images of the same faces; None where this is that batch.
        masks: files of the face masks of the HQ images, for metrics of the face alone.
    """

    def __init__(
        self,
        photos: Sequence[RGB],
        landmarks: Landmarks,
        device: torch.device,
        *,
        hq: Batch | None = None,
        masks: Sequence[StrPath] | StrPath = (),
    ) -> None:
        masks = paths_of(masks)
        self.photos, self.landmarks, self.device, self.masks = photos, landmarks, device, masks
        self.hq: Batch = hq or self
        self.shared: dict[str, Tensor] = {}

    @classmethod
    def of(cls, pixels: Tensor, landmarks: Landmarks | None = None, hq: Batch | None = None) -> Batch:
        """A batch of (N, 3, H, W) RGB images in [0, 1]; networks that take bytes see them rounded."""
        photos = list(to_uint8(pixels.detach().permute(0, 2, 3, 1).float().cpu().numpy()))
        unknown = np.full((len(photos), 5, 2), np.nan)
        batch = cls(photos, unknown if landmarks is None else landmarks, pixels.device, hq=hq)
        batch.__dict__["pixels"] = pixels.float()
        return batch

    @cached_property
    def pixels(self) -> Tensor:
        """The photos, all of one size, as RGB float32 in [0, 1], (N, 3, H, W) with channels last in memory.

        They go to the device once, as bytes.
        """
        levels = torch.from_numpy(np.stack(self.photos)).to(self.device)
        return levels.to(torch.float32).div_(255.0).permute(0, 3, 1, 2)

    def rows(self, rows: Sequence[int]) -> Batch:
        """The batch of some of the images, with their HQ images."""
        masks = [self.masks[row] for row in rows] if self.masks else ()
        hq = self.hq.rows(rows) if self.hq is not self else None
        some = Batch(
            [self.photos[row] for row in rows], self.landmarks[rows], self.device, hq=hq, masks=masks
        )
        if "pixels" in self.__dict__:
            some.__dict__["pixels"] = self.pixels[rows]
        return some

    @property
    def true(self) -> Batch:
        """`hq` by its name in 0.1."""
        warn("Batch.true", "Batch.hq")
        return self.hq


Extractor = Callable[[Batch], Tensors]


def _no_files() -> tuple[Path, ...]:
    return ()


@renamed_keywords(halves="bfloat16")
@dataclass(frozen=True, slots=True)
class Feature:
    """A network or transform of images, declared.

    Attributes:
        name: unique.
        weights: names in the weights table.
        load: makes the extractor on a device; raises RefbenchError where weights are absent.
        batch: images at a time on a CPU, where each network runs on one core: the number that was measured to
            be fastest at 512x512. With 1, a score cannot depend on an image's neighbours.
        wide_batch: the same on an accelerator.
        vector: whether the first tensor is one vector per image (N, D), fit for statistics of a set.
        compact: whether that vector is all there is, fit for a cache and for references.
        bfloat16: whether it is computed in bfloat16 where that precision is asked for; others stay float32.
        needs_landmarks: whether it crops the face by the landmarks of the HQ image, so that an image without
            them has no value.
        needs_masks: whether it needs the face masks of a reference set.
        needs_square: whether it needs square images.
        packages: optional packages that it needs.
        min_side: sides in pixels below which it cannot be computed.
        files: files that the loaded extractor read and the weights table does not name, for the provenance.
    """

    name: str
    weights: tuple[str, ...]
    load: Callable[[torch.device], Extractor]
    batch: int = 1
    wide_batch: int = 16
    vector: bool = False
    compact: bool = False
    bfloat16: bool = False
    needs_landmarks: bool = False
    needs_masks: bool = False
    needs_square: bool = False
    packages: tuple[str, ...] = ()
    min_side: int = 1
    files: Callable[[], Sequence[Path]] = _no_files


def _load_pixels(device: torch.device) -> Extractor:
    return lambda batch: (batch.pixels,)


PIXELS = Feature("pixels", (), _load_pixels)
"""The images themselves, (N, 3, H, W) RGB float32 in [0, 1]."""

__getattr__ = renamed(__name__, {"Bundle": "Tensors"})
