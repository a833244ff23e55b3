"""PyTorch dataset of (LQ, HQ, references) for training, degraded and augmented while it is read."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from multiprocessing import Value
from pathlib import Path
from typing import Any, Unpack

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from ...errors import FaultListError, RefbenchError
from ...files import StrPath, paths_by_key, paths_of
from ...images import RGB, Photo, read_photo, read_rgb
from ..engine.degrade import degrade_image
from ..lq.pairs import read_opaque
from ..operations.blurring import sharpened
from ..recipes.draws import Draw
from ..recipes.recipe import Recipe
from .augment import Augmentation, mirrored
from .options import TrainingPairsKeywords, TrainingPairsOptions

STREAM = "training-augmentation@1"


class TrainingPairs(Dataset[dict[str, Any]]):
    """One entry per HQ image: ``key`` (str), ``hq`` and ``lq`` (3, H, W), ``references`` (N, 3, H, W).

    Tensors are RGB float32 in [0, 1]. The draws of an entry depend on (recipe id, seed, epoch, key) alone:
    they are the same for any number of `DataLoader` workers, any order, and after a restart; `set_epoch`
    changes them.

    As in ReF-LDM, references are shuffled, repeated up to N, augmented one by one, and HQ, LQ and references
    are flipped together with probability 0.5. Decoded images are kept for the next epoch, in each worker up
    to ``cache_bytes``.
    """

    def __init__(
        self,
        hq: Mapping[str, StrPath],
        references: Mapping[str, Sequence[StrPath] | StrPath],
        recipe: Recipe,
        *,
        lq: Mapping[str, StrPath] | None = None,
        options: TrainingPairsOptions | None = None,
        **given: Unpack[TrainingPairsKeywords],
    ) -> None:
        """Describe the entries; no image is read yet.

        Args:
            hq: HQ files by key, all of one size if they are to form batches.
            references: files of the same person, by key; an empty list gives N = 0.
            recipe: recipe of the LQ images.
            lq: LQ files by key, instead of LQ images drawn from the recipe.
            options: None for the defaults.
            given: single options by name, which take precedence.

        Raises:
            FaultListError: keys without an entry in ``references`` or without an LQ image, all at once.
            RefbenchError: no HQ images, or options out of range, all at once.
        """
        hq = paths_by_key(hq)
        lq = None if lq is None else paths_by_key(lq)
        lists = {key: paths_of(paths) for key, paths in references.items()}
        absent = [f"{key}: no entry in references" for key in sorted(hq.keys() - lists.keys())]
        absent += [f"{key}: no LQ image" for key in sorted(hq.keys() - lq.keys())] if lq is not None else []
        if absent:
            raise FaultListError("training pairs", absent)
        if not hq:
            raise RefbenchError("training takes one HQ image or more; got none")
        self.options = TrainingPairsOptions.merged(options, given)
        self.keys = sorted(hq)
        self.hq, self.references, self.lq, self.recipe = dict(hq), lists, lq, recipe
        self.augmentation = self.options.augmentation or Augmentation()
        self._cache, self._free_bytes = dict[Path, RGB](), self.options.cache_bytes
        self._epoch = Value("q", 0)

    def __len__(self) -> int:
        return len(self.keys)

    def __getitem__(self, index: int) -> dict[str, Any]:
        key = self.keys[index]
        epoch_key = f"{key}#{self.epoch}"
        draw = Draw(STREAM, self.options.seed, epoch_key)
        hq = self._image(self.hq[key], lambda path: read_opaque(path)[0])
        lq = (
            read_rgb(self.lq[key])
            if self.lq
            else degrade_image(hq, self.recipe, self.options.seed, key=epoch_key).pixels
        )
        if self.options.sharpen_truth:
            hq = sharpened(hq)
        chosen = self._chosen(key, draw)
        references = [self._augmented(path, number, draw) for number, path in enumerate(chosen)]
        if draw.unit("mirror") < self.options.mirror_probability:
            hq, lq, references = mirrored(hq), mirrored(lq), [mirrored(reference) for reference in references]
        tensors = [_tensor(reference) for reference in references]
        stacked = torch.stack(tensors) if tensors else torch.empty(0, *_tensor(hq).shape)
        return {"key": key, "hq": _tensor(hq), "lq": _tensor(lq), "references": stacked}

    @property
    def epoch(self) -> int:
        """The epoch of the draws; shared with running workers."""
        return int(self._epoch.value)

    def set_epoch(self, epoch: int) -> None:
        """Use the draws of that epoch from now on, in running `DataLoader` workers too."""
        self._epoch.value = epoch

    def _chosen(self, key: str, draw: Draw) -> list[Path]:
        paths = self.references[key]
        if not paths:
            return []
        shuffled = sorted(range(len(paths)), key=lambda number: draw.unit(f"place {number}"))
        others = [paths[shuffled[number % len(paths)]] for number in range(self.options.references_per_entry)]
        return [
            self.hq[key] if draw.unit(f"own {number}") < self.options.target_as_reference else path
            for number, path in enumerate(others)
        ]

    def _augmented(self, path: Path, number: int, draw: Draw) -> RGB:
        own = Draw(draw.stream, draw.seed, f"{draw.key}/{number}")
        return self.augmentation.apply(self._image(path, read_photo), own)

    def _image(self, path: Path, read: Callable[[Path], Photo]) -> RGB:
        """Decode an image or take it from the cache, which holds images that needed no conversion."""
        if path in self._cache:
            return self._cache[path]
        photo = read(path)
        if not photo.notes and photo.pixels.nbytes <= self._free_bytes:
            self._free_bytes -= photo.pixels.nbytes
            self._cache[path] = photo.pixels
        return photo.pixels


def _tensor(pixels: RGB) -> Tensor:
    planes = np.ascontiguousarray(pixels.transpose(2, 0, 1))
    return torch.from_numpy(planes).float() / 255.0
