"""Training batches and the EMA of the weights."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from refbench.degradations.training.augment import Augmentation
from refbench.models.training.data import Batches
from refbench.models.training.distributed import Distributed
from refbench.models.training.ema import Ema
from refbench.models.training.settings import make_config
from toy_training import SIZE, STILL, settings


def test_average_equals_its_closed_form() -> None:
    values = torch.randn(40, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    weight = {"w": values[0].clone()}
    ema = Ema(weight, decay=0.8)
    for value in values[1:]:
        weight["w"].copy_(value)
        ema.update(weight)
    decays = [min(0.8, (1 + n) / (10 + n)) for n in range(1, 40)]
    shares = [1 - decay for decay in decays]
    closed = values[0] * np.prod(decays)
    for n, share in enumerate(shares):
        closed = closed + values[n + 1] * share * np.prod(decays[n + 1 :])
    assert torch.allclose(ema.averages["w"], closed)
    with ema.in_place_of(weight):
        assert torch.equal(weight["w"], ema.averages["w"])
    assert torch.equal(weight["w"], values[-1])


def test_batches_depend_on_seed_and_step_alone(people: Path) -> None:
    data = make_config(settings(people, "autoencoder", steps=1)).data

    def batches(first: int, workers: int, **more: Any) -> list[Any]:
        stream = Batches(data.model_copy(update={"workers": workers}), 3, SIZE, **{"seed": 1} | more).since(
            first
        )
        return [next(stream) for _ in range(4)]

    whole, later = batches(0, 0), batches(2, 1)
    for left, right in zip(whole[2:], later[:2], strict=True):
        assert left.keys == right.keys
        assert torch.equal(left.lq, right.lq)
        assert torch.rand(3, generator=left.generators[0]).equal(torch.rand(3, generator=right.generators[0]))
    assert batches(0, 0, seed=2)[0].keys != whole[0].keys
    assert not torch.equal(whole[0].lq[:1], whole[2].lq[:1])
    halves = [Batches(data, 1, SIZE, seed=1, distributed=Distributed(rank, 3)).since(0) for rank in range(3)]
    assert [next(half).keys[0] for half in halves] == list(whole[0].keys)


def test_references_are_augmented_as_the_settings_say(people: Path) -> None:
    data = make_config(settings(people, "autoencoder", steps=1)).data
    left = data.model_copy(update={"augmentation": STILL, "target_as_reference": 1.0})
    for given, same in ((left, True), (left.model_copy(update={"augmentation": Augmentation()}), False)):
        batch = next(Batches(given, 3, SIZE, seed=1).since(0))
        assert torch.equal(batch.references[:, 0], batch.hq) == same


def test_first_images_do_not_depend_on_what_was_read(people: Path) -> None:
    data = make_config(settings(people, "ldm", steps=1, autoencoder="a")).data
    batches = Batches(data, 2, 24, seed=0)
    before = batches.first(3)
    next(batches.since(5))
    after = batches.first(3)
    assert torch.equal(before.lq, after.lq)
