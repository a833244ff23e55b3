"""Synthetic records: plausible scores without a model, for examples, tests and benchmarks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from ...files import names_of, sha256_json
from ...records.card import Card
from ...records.protocol import Protocol, ProtocolId
from ...records.record import SCORE_COLUMNS, Benchmark, Record, RecordInfo, SetScore
from ..arrays import Floats

RECIPES = ("refldm-moderate@1", "refldm-severe@1")


@dataclass(frozen=True)
class SyntheticImages:
    """Synthetic images: the identity of each key, the hash of their set and its name."""

    identity_of: Mapping[str, str]
    set_hash: str
    name: str = "made-up"

    @classmethod
    def make(cls, images: int, identities: int, seed: int = 0) -> SyntheticImages:
        """``images`` keys spread evenly over ``identities``."""
        people = np.sort(np.arange(images) % identities)
        keys = {f"p{person:04d}-{number:05d}": f"p{person:04d}" for number, person in enumerate(people)}
        return cls(keys, sha256_json([images, identities, seed]))


def make_synthetic_records(
    protocols: Mapping[str, Protocol],
    models: int = 5,
    people: SyntheticImages | None = None,
    *,
    recipes: Sequence[str] | str = RECIPES,
    seed: int = 0,
) -> list[Record]:
    """Synthetic records of ``models`` models, one per recipe; the later recipes are harder.

    A model has a skill for quality and one for identity; an image has a difficulty that is partly that of its
    identity.

    Args:
        protocols: of the records, by id.
        models: number of models.
        people: the images; None for 60 images of 20 people.
        recipes: ids of the recipes.
        seed: of the scores.
    """
    recipes = names_of(recipes)
    people = people or SyntheticImages.make(60, 20, seed)
    keys = list(people.identity_of)
    labels = list(people.identity_of.values())
    generator = np.random.default_rng(seed)
    shared = dict(zip(dict.fromkeys(labels), generator.normal(size=len(set(labels))), strict=True))
    ease = np.array([shared[label] for label in labels])
    skills = np.sort(generator.normal(size=models))[::-1]
    tastes = generator.normal(size=models)
    cards = [_card(number, generator) for number in range(models)]
    records = []
    for hardness, recipe in enumerate(recipes):
        difficulty = 0.6 * ease + 0.8 * generator.normal(size=len(keys)) + hardness
        benchmark = Benchmark(
            name=people.name,
            set_hash=people.set_hash,
            split="test",
            recipe=recipe,
            lq_hash=sha256_json([recipe, seed]),
            images=len(keys),
            protocols=tuple(protocols),
        )
        for number in range(models):
            frames, set_scores = [], {}
            for protocol in protocols.values():
                taste = tastes[number] * (0.5 if ProtocolId.parse(protocol.id).family == "ids" else -0.5)
                gain = 0.45 * (skills[number] + taste) - 0.5 * difficulty
                values = _on_scale(protocol, gain + 0.35 * generator.normal(size=len(keys)))
                if protocol.is_set_metric:
                    set_scores[protocol.id] = SetScore(value=float(40.0 * values.mean()), images=len(keys))
                else:
                    rows = {
                        "key": keys,
                        "identity": labels,
                        "protocol": protocol.id,
                        "value": values,
                        "reason": "",
                    }
                    frames.append(pd.DataFrame(rows)[list(SCORE_COLUMNS)])
            info = RecordInfo(
                card=cards[number],
                benchmark=benchmark,
                submission_hash=sha256_json([number, recipe, seed]),
                set_scores=set_scores,
                provenance={"made by": "refbench records example"},
            )
            records.append(Record(info, pd.concat(frames, ignore_index=True)))
    return records


def _card(number: int, generator: np.random.Generator) -> Card:
    return Card(
        model=f"Model {_letters(number)}",
        team=f"Team {1 + number % 7}",
        licence="Apache-2.0",
        parameters=int(10 ** generator.uniform(6, 9)),
        references_used=int(generator.integers(0, 6)),
        seconds_per_image=float(f"{10 ** generator.uniform(-1.5, 1.5):.3g}"),
        training_data="none: this model does not exist",
    )


def _on_scale(protocol: Protocol, gain: Floats) -> Floats:
    """Values of a protocol's unit from unitless gains; a higher gain is always the better value."""
    squeezed: Floats = 1.0 / (1.0 + np.exp(-gain))
    if protocol.unit == "dB":
        return np.add(20.0, 12.0 * squeezed)
    better = squeezed if protocol.higher_is_better else 1.0 - squeezed
    return np.add(0.05, 0.9 * better)


def _letters(number: int) -> str:
    return chr(ord("A") + number) if number < 26 else _letters(number // 26 - 1) + _letters(number % 26)
