"""A `torch.utils.data.Dataset` of (LQ, HQ, references) for training, degraded and augmented as it is read."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from multiprocessing import Value
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from ...errors import FaultListError, RefbenchError
from ...images import RGB, Photo, read_photo, read_rgb
from ..engine.degrade import degrade
from ..lq.pairs import read_opaque
from ..recipes.draws import Draw
from ..recipes.recipe import Recipe
from .augment import Augmentation, mirrored

STREAM = "training-augmentation@1"


class TrainingPairs(Dataset[dict[str, Any]]):
    """One entry per HQ image: ``key``, ``hq`` and ``lq`` (3, H, W), ``references`` (N, 3, H, W); in [0, 1].

    What is drawn for an entry depends on (recipe id, seed, epoch, key) alone, so that it is the same for any
    number of `DataLoader` workers, any order, and after a restart; `set_epoch` draws anew.

    As in ReF-LDM, references come in a new order each time, are repeated in turn up to ``count``, are
    augmented one by one, and HQ, LQ and references are mirrored together with probability 0.5. Pictures that
    were read are kept for the next pass, in each worker up to ``keep_bytes``.
    """

    def __init__(
        self,
        hq: Mapping[str, Path],
        references: Mapping[str, Sequence[Path]],
        recipe: Recipe,
        *,
        seed: int = 0,
        count: int = 5,
        lq: Mapping[str, Path] | None = None,
        augmentation: Augmentation | None = None,
        mirror_probability: float = 0.5,
        own_share: float = 0.0,
        keep_bytes: int = 2**29,
    ) -> None:
        """Describe the entries; nothing is read yet.

        Args:
            hq: HQ files by key, all of one size if they are to form batches.
            references: files of the same person, by key; none is allowed, and gives N = 0.
            recipe: of LQ.
            seed: of all draws.
            count: N, for every entry that has a reference.
            lq: fixed LQ files by key, instead of the recipe's draws.
            augmentation: of the references; ReF-LDM's where None.
            mirror_probability: of mirroring a whole entry.
            own_share: probability that the target itself, augmented, takes a reference's place. No paper does
                it; a model that is trained briefly learns to look at references by it.
            keep_bytes: of decoded pictures; 0 decodes them in every pass.

        Raises:
            FaultListError: keys without references or without LQ, all at once.
        """
        absent = [f"{key}: no entry in references" for key in sorted(hq.keys() - references.keys())]
        absent += [f"{key}: no LQ image" for key in sorted(hq.keys() - lq.keys())] if lq is not None else []
        if absent:
            raise FaultListError("training pairs", absent)
        if not hq or count < 1:
            raise RefbenchError(
                f"training takes one HQ image and one reference or more; got {len(hq)}, {count}"
            )
        self.keys = sorted(hq)
        self.hq, self.references, self.lq = dict(hq), dict(references), lq
        self.recipe, self.seed, self.count = recipe, seed, count
        self.augmentation = augmentation or Augmentation()
        self.mirror_probability, self.own_share = mirror_probability, own_share
        self._kept, self._room = dict[Path, RGB](), keep_bytes
        self._epoch = Value("q", 0)

    def __len__(self) -> int:
        return len(self.keys)

    def __getitem__(self, index: int) -> dict[str, Any]:
        key = self.keys[index]
        epoch_key = f"{key}#{self.epoch}"
        draw = Draw(STREAM, self.seed, epoch_key)
        hq = self._picture(self.hq[key], lambda path: read_opaque(path)[0])
        lq = read_rgb(self.lq[key]) if self.lq else degrade(hq, self.recipe, self.seed, key=epoch_key).pixels
        chosen = self._chosen(key, draw)
        references = [self._augmented(path, number, draw) for number, path in enumerate(chosen)]
        if draw.unit("mirror") < self.mirror_probability:
            hq, lq, references = mirrored(hq), mirrored(lq), [mirrored(reference) for reference in references]
        tensors = [_tensor(reference) for reference in references]
        stacked = torch.stack(tensors) if tensors else torch.empty(0, *_tensor(hq).shape)
        return {"key": key, "hq": _tensor(hq), "lq": _tensor(lq), "references": stacked}

    @property
    def epoch(self) -> int:
        """The pass through the data that draws are for; shared with running workers."""
        return int(self._epoch.value)

    def set_epoch(self, epoch: int) -> None:
        """Draw anew from now on, in running `DataLoader` workers too."""
        self._epoch.value = epoch

    def _chosen(self, key: str, draw: Draw) -> list[Path]:
        paths = self.references[key]
        if not paths:
            return []
        shuffled = sorted(range(len(paths)), key=lambda number: draw.unit(f"place {number}"))
        others = [paths[shuffled[number % len(paths)]] for number in range(self.count)]
        return [
            self.hq[key] if draw.unit(f"own {number}") < self.own_share else path
            for number, path in enumerate(others)
        ]

    def _augmented(self, path: Path, number: int, draw: Draw) -> RGB:
        own = Draw(draw.stream, draw.seed, f"{draw.key}/{number}")
        return self.augmentation.apply(self._picture(path, read_photo), own)

    def _picture(self, path: Path, read: Callable[[Path], Photo]) -> RGB:
        """Read a picture or take it from memory, where only those are that needed no conversion."""
        if path in self._kept:
            return self._kept[path]
        photo = read(path)
        if not photo.notes and photo.pixels.nbytes <= self._room:
            self._room -= photo.pixels.nbytes
            self._kept[path] = photo.pixels
        return photo.pixels


def _tensor(pixels: RGB) -> Tensor:
    planes = np.ascontiguousarray(pixels.transpose(2, 0, 1))
    return torch.from_numpy(planes).float() / 255.0
