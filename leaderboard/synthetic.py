"""Made-up records, for looking at a board before there are any: plausible numbers, no model behind them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from ..files import sha256_json
from ..metrics.protocol import Protocol
from ..metrics.record import SCORE_COLUMNS, Benchmark, Card, Record, RecordInfo, SetScore
from .statistics import Floats


def make_records(
    protocols: Mapping[str, Protocol],
    models: int = 5,
    images: int = 60,
    identities: int = 20,
    recipes: Sequence[str] = ("refldm-moderate@1", "refldm-severe@1"),
    seed: int = 0,
) -> list[Record]:
    """Records of ``models`` made-up models on one made-up set, one per recipe.

    A model has a skill for quality and one for identity; an image has a difficulty that it shares, in part,
    with the other images of its identity. The later recipes are harder.
    """
    generator = np.random.default_rng(seed)
    people = np.sort(np.arange(images) % identities)
    keys = [f"p{person:04d}-{number:05d}" for number, person in enumerate(people)]
    shared = generator.normal(size=identities)[people]
    skills = np.sort(generator.normal(size=models))[::-1]
    tastes = generator.normal(size=models)
    records = []
    for hardness, recipe in enumerate(recipes):
        difficulty = 0.6 * shared + 0.8 * generator.normal(size=images) + hardness
        benchmark = Benchmark(
            name="synthetic",
            set_hash=sha256_json([images, identities, seed]),
            split="test",
            recipe=recipe,
            lq_hash=sha256_json([recipe, seed]),
            images=images,
            protocols=tuple(protocols),
        )
        for number in range(models):
            frames, set_scores = [], {}
            for protocol in protocols.values():
                likes_identity = "ids" in protocol.id
                skill = skills[number] + (tastes[number] if likes_identity else -tastes[number]) * 0.5
                gain = 0.45 * skill - 0.5 * difficulty + 0.35 * generator.normal(size=images)
                values = _on_scale(protocol, gain)
                if protocol.is_set_metric:
                    set_scores[protocol.id] = SetScore(value=float(40.0 * values.mean()), images=images)
                else:
                    rows = {"key": keys, "identity": [f"p{p:04d}" for p in people], "protocol": protocol.id}
                    frames.append(pd.DataFrame(rows | {"value": values, "reason": ""}))
            card = Card(
                model=f"Model {_letters(number)}",
                team=f"Team {1 + number % 7}",
                licence="Apache-2.0",
                parameters=int(10 ** generator.uniform(6, 9)),
                references_used=int(generator.integers(0, 6)),
                seconds_per_image=float(np.round(10 ** generator.uniform(-1.5, 1.5), 3)),
                training_data="none: this model does not exist",
            )
            info = RecordInfo(
                card=card,
                benchmark=benchmark,
                submission_hash=sha256_json([number, recipe, seed]),
                set_scores=set_scores,
                provenance={"made by": "refbench records example"},
            )
            records.append(Record(info, pd.concat(frames, ignore_index=True)[list(SCORE_COLUMNS)]))
    return records


def _on_scale(protocol: Protocol, gain: Floats) -> Floats:
    """Values of a protocol's unit from unitless gains; a higher gain is always the better value."""
    squeezed: Floats = 1.0 / (1.0 + np.exp(-gain))
    if protocol.unit == "dB":
        return np.add(20.0, 12.0 * squeezed)
    better = squeezed if protocol.higher_is_better else 1.0 - squeezed
    return np.add(0.05, 0.9 * better)


def _letters(number: int) -> str:
    letters = chr(ord("A") + number % 26)
    return letters if number < 26 else _letters(number // 26 - 1) + letters
