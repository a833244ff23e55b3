"""Toy records and boards for the tests: synthetic scores on four protocols, edited row by row."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
from refbench.leaderboard.examples.synthetic import SyntheticImages, make_synthetic_records
from refbench.leaderboard.statistics.ranking import make_board
from refbench.leaderboard.store.settings import BoardSettings
from refbench.leaderboard.tables.board import Board
from refbench.metrics.catalogue import PROTOCOLS
from refbench.records.record import Record
from toys import store_of

CHOSEN = ("psnr/rgb", "lpips/alex-v0.1", "ids/mobilefacenet-5pt-v1", "fd/alexnet-relu5-v1")
DECLARED = {name: PROTOCOLS[name] for name in CHOSEN}


def some_records(models: int = 3, **options: Any) -> list[Record]:
    return make_synthetic_records(
        DECLARED, models, SyntheticImages.make(24, 8), recipes=("refldm-severe@1",), **options
    )


def with_scores(record: Record, edit: Callable[[pd.DataFrame], None]) -> Record:
    scores = record.scores.copy()
    edit(scores)
    return replace(record, scores=scores)


def uneven_records(models: int = 3) -> list[Record]:
    """Records of 24 images of six people, of whom one has nine images and the others three."""

    def join(scores: pd.DataFrame) -> None:
        first, second, third = sorted(scores["identity"].unique())[:3]
        scores["identity"] = scores["identity"].replace({second: first, third: first})

    return [with_scores(record, join) for record in some_records(models)]


def board_of(tmp_path: Path, records: list[Record], settings: BoardSettings | None = None) -> Board:
    store = store_of(tmp_path / "store", records)
    return make_board(store.stored(), PROTOCOLS, settings or BoardSettings())
