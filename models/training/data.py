"""Training batches of HQ, LQ and reference images; a step's batch depends on the seed and the step alone."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.utils.data import DataLoader

from ...degradations.recipes.lookup import load_recipe
from ...degradations.training.dataset import TrainingPairs
from ...errors import InvalidInputError, RefbenchError
from ...records.reference_set import ReferenceSet, Target
from .config import DataSettings
from .distributed import Distributed


@dataclass(frozen=True, slots=True)
class Batch:
    """Images of one step: RGB float32 in [0, 1].

    Attributes:
        keys: keys of the images in the reference set.
        hq, lq: (B, 3, H, W).
        references: (B, N, 3, H, W).
        generators: random generator of each image, seeded by the step and the image's index in the batch.
    """

    keys: tuple[str, ...]
    hq: Tensor
    lq: Tensor
    references: Tensor
    generators: tuple[torch.Generator, ...]

    def __len__(self) -> int:
        return len(self.keys)

    def parts(self, count: int) -> Iterator[Batch]:
        """Split the batch into ``count`` equal parts, for gradient accumulation."""
        size = len(self) // count
        for first in range(0, len(self), size):
            part = slice(first, first + size)
            yield Batch(
                self.keys[part], self.hq[part], self.lq[part], self.references[part], self.generators[part]
            )

    def to(self, device: torch.device) -> Batch:
        """Copy the images to another device; generators stay on the CPU."""
        hq, lq, references = (tensor.to(device) for tensor in (self.hq, self.lq, self.references))
        return Batch(self.keys, hq, lq, references, self.generators)


class Batches:
    """Batches of a training run, shuffled in every epoch.

    Args:
        settings: where the images come from and how references are augmented.
        batch: images per step and process.
        image_size: side of the images in pixels; images of another size are refused.
        seed: of order, degradations, augmentation and noise.
        distributed: rank and world size; None for one process.
        with_references: whether every image needs a reference.

    Raises:
        InvalidInputError: no image, or images of another size.
        RefbenchError: people who are in another split too.
    """

    def __init__(
        self,
        settings: DataSettings,
        batch: int,
        image_size: int,
        *,
        seed: int,
        distributed: Distributed | None = None,
        with_references: bool = True,
    ) -> None:
        self.settings, self.batch, self.seed = settings, batch, seed
        self.distributed = distributed or Distributed()
        chosen = ReferenceSet.read(settings.reference_set)
        targets = chosen.select(settings.split, with_references)
        _check(chosen, targets, settings, image_size=image_size)
        hq = {target.key: chosen.hq_path(target.key) for target in targets}
        references = {
            target.key: chosen.reference_paths(target.key) if with_references else () for target in targets
        }
        recipe = load_recipe(settings.recipe)
        self.pairs, self._first_pass = (
            TrainingPairs(
                hq,
                references,
                recipe,
                seed=seed,
                references_per_entry=settings.references,
                augmentation=settings.augmentation,
                target_as_reference=settings.target_as_reference,
            )
            for _ in range(2)
        )

    @property
    def per_epoch(self) -> int:
        """Steps per epoch; an incomplete last batch is dropped."""
        return max(1, len(self.pairs) // (self.batch * self.distributed.world_size))

    def since(self, step: int) -> Iterator[Batch]:
        """Yield the batches from a step on (counted from 0), without end."""
        while True:
            epoch, first = divmod(step, self.per_epoch)
            self.pairs.set_epoch(epoch)
            order = self._order(epoch)
            mine = [self._mine(order, within) for within in range(first, self.per_epoch)]
            loader = DataLoader(
                self.pairs, batch_sampler=mine, num_workers=self.settings.workers, collate_fn=list
            )
            for entries in loader:
                places = range(self.distributed.rank * self.batch, (self.distributed.rank + 1) * self.batch)
                yield _collate(entries, [hashed_seed(self.seed, "step", step, place) for place in places])
                step += 1

    def first(self, count: int) -> Batch:
        """The first images of the split, as in the first epoch; for sample sheets and validation."""
        return self.of(self.pairs.keys[:count])

    def of(self, keys: Sequence[str]) -> Batch:
        """Images by key, as in the first epoch."""
        entries = [self._first_pass[self.pairs.keys.index(key)] for key in keys]
        return _collate(entries, [hashed_seed(self.seed, "sheet", key) for key in keys])

    def _order(self, epoch: int) -> list[int]:
        generator = torch.Generator().manual_seed(hashed_seed(self.seed, "order", epoch))
        order = torch.randperm(len(self.pairs), generator=generator).tolist()
        needed = self.batch * self.distributed.world_size
        return (order * -(-needed // len(order))) if len(order) < needed else order

    def _mine(self, order: list[int], within: int) -> list[int]:
        first = (within * self.distributed.world_size + self.distributed.rank) * self.batch
        return order[first : first + self.batch]


def hashed_seed(*parts: object) -> int:
    """A seed from a hash: 63 bits of the SHA-256 of ``parts``."""
    digest = hashlib.sha256(":".join(map(str, parts)).encode()).digest()
    return int.from_bytes(digest[:8], "big") >> 1


def _collate(entries: Sequence[Mapping[str, Any]], seeds: Sequence[int]) -> Batch:
    hq, lq, references = (
        torch.stack([entry[name] for entry in entries]) for name in ("hq", "lq", "references")
    )
    keys = tuple(str(entry["key"]) for entry in entries)
    return Batch(keys, hq, lq, references, tuple(torch.Generator().manual_seed(seed) for seed in seeds))


def _check(
    chosen: ReferenceSet, targets: Sequence[Target], settings: DataSettings, *, image_size: int
) -> None:
    if not targets:
        some = any(target.split == settings.split for target in chosen.targets)
        fix = (
            "build it from people with two photos or more, or train what needs none (autoencoder, ldm)"
            if some
            else f"its splits are {', '.join(sorted({target.split for target in chosen.targets}))}"
        )
        raise InvalidInputError(
            f"{chosen.root}: no image with references in the split {settings.split!r}; {fix}"
        )
    sizes = {(target.width, target.height) for target in targets} - {(image_size, image_size)}
    if sizes:
        width, height = min(sizes)
        raise InvalidInputError(
            f"{chosen.root}: images are {width}x{height}, the model takes {image_size}x{image_size}; "
            f"build the set with --size {image_size}"
        )
    people = {target.identity for target in targets}
    both = people & {target.identity for target in chosen.targets if target.split != settings.split}
    if both and not settings.shared_identities:
        raise RefbenchError(
            f"{chosen.root}: {len(both)} people are in {settings.split!r} and in another split, "
            f"such as {min(both)}; validation scores would measure memorisation "
            "(data.shared_identities=true allows it)"
        )
