"""Ranking of records: full precision, directions, missing scores, controls, the composite, comparisons."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from refbench.errors import RefbenchError
from refbench.leaderboard.examples.synthetic import SyntheticImages, make_synthetic_records
from refbench.leaderboard.rendering.downloads import export_table, pairs_csv
from refbench.leaderboard.statistics.comparison import compare_models, comparison_text
from refbench.leaderboard.statistics.ranking import make_board
from refbench.leaderboard.store.settings import BoardSettings
from refbench.leaderboard.store.store import Store
from refbench.metrics.catalogue import PROTOCOLS
from toy_boards import CHOSEN, DECLARED, board_of, some_records, with_scores
from toys import store_of, with_card

pytestmark = pytest.mark.core


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return store_of(tmp_path / "store", some_records())


def test_tracks_never_share_a_table(tmp_path: Path) -> None:
    records = make_synthetic_records(DECLARED, 2, SyntheticImages.make(24, 8))
    records += make_synthetic_records(DECLARED, 2, SyntheticImages.make(24, 8, seed=5))
    board = board_of(tmp_path, records)
    assert len(board.tables) == 4
    assert all({row.record.info.benchmark.track for row in t.rows} == {t.track} for t in board.tables)


def test_ranking_is_on_full_precision(tmp_path: Path) -> None:
    records = some_records(2)

    def constant(value: float) -> Callable[[pd.DataFrame], None]:
        def edit(scores: pd.DataFrame) -> None:
            scores.loc[scores["protocol"] == "psnr/rgb", "value"] = value

        return edit

    pair = [with_scores(records[0], constant(30.0)), with_scores(records[1], constant(30.0 + 1e-9))]
    table = board_of(tmp_path, pair).tables[0]
    by_name = {row.name: row.cells[0] for row in table.rows}
    assert (by_name["Model-B@1"].rank, by_name["Model-A@1"].rank) == (1, 2)


def test_the_best_is_first_and_lower_is_better_where_it_is(tmp_path: Path) -> None:
    table = board_of(tmp_path, some_records(4)).tables[0]
    for i, column in enumerate(table.columns):
        values = {row.cells[i].rank: row.cells[i].value for row in table.rows}
        best, worst = values[1], values[4]
        assert best is not None
        assert worst is not None
        assert (best > worst) == DECLARED[column.id].higher_is_better
    points = [row.points for row in table.rows]
    assert points == sorted(points, key=lambda p: -(p or 0))


def test_borda_known_answer(tmp_path: Path) -> None:
    """Three models; A first everywhere, B and C once second and once third: 100, 25, 25 points."""
    records = some_records(3)
    order = {"psnr/rgb": (30, 20, 10), "lpips/alex-v0.1": (0.1, 0.3, 0.2)}

    def edit(number: int) -> Callable[[pd.DataFrame], None]:
        def put(scores: pd.DataFrame) -> None:
            for protocol, values in order.items():
                scores.loc[scores["protocol"] == protocol, "value"] = float(values[number])

        return put

    chosen = BoardSettings(composite=tuple(order))
    table = board_of(tmp_path, [with_scores(r, edit(i)) for i, r in enumerate(records)], chosen).tables[0]
    assert {row.name: (row.points, row.rank) for row in table.rows} == {
        "Model-A@1": (100.0, 1),
        "Model-B@1": (25.0, 2),
        "Model-C@1": (25.0, 2),
    }


def lose(protocol: str | None, reason: str, count: int = 1) -> Callable[[pd.DataFrame], None]:
    def edit(scores: pd.DataFrame) -> None:
        keys = sorted(scores["key"].unique())[:count]
        rows = scores["key"].isin(keys) & ((scores["protocol"] == protocol) | (protocol is None))
        scores.loc[rows, ["value", "reason"]] = [np.nan, reason]

    return edit


def test_a_model_with_missing_scores_is_shown_with_the_reason_and_has_no_rank(tmp_path: Path) -> None:
    records = some_records(3)
    records[0] = with_scores(records[0], lose(None, "no image was submitted", 2))
    table = board_of(tmp_path, records).tables[0]
    row = table.rows[-1]
    assert row.name == "Model-A@1"
    assert row.unranked == ("2 of 24 images unscored: no image was submitted",)
    assert (row.rank, row.points, row.cells[0].rank, row.cells[0].images) == (0, None, 0, 22)
    assert row.cells[0].value is not None
    assert sorted(r.rank for r in table.rows[:2]) == [1, 2]
    assert row.name not in table.compared


def test_a_missing_value_is_not_zero(tmp_path: Path) -> None:
    records = some_records(2)
    full = board_of(tmp_path / "a", records).tables[0]
    incomplete = board_of(
        tmp_path / "b", [with_scores(records[0], lose("psnr/rgb", "damaged")), records[1]]
    ).tables[0]
    cells = [next(r.cells[0] for r in t.rows if r.name == "Model-A@1") for t in (full, incomplete)]
    values = records[0].scores.query("protocol == 'psnr/rgb'").sort_values("key")["value"].to_numpy()
    assert cells[0].value == pytest.approx(values.mean())
    assert cells[1].value == pytest.approx(values[1:].mean())


def test_a_gap_of_the_benchmark_is_no_models_fault(tmp_path: Path) -> None:
    gap = lose("ids/mobilefacenet-5pt-v1", "the reference set has no landmarks for this image")
    table = board_of(tmp_path, [with_scores(record, gap) for record in some_records(3)]).tables[0]
    assert all(not row.unranked and row.rank for row in table.rows)
    assert {row.cells[2].images for row in table.rows} == {23}


def test_a_control_is_shown_and_never_ranked(tmp_path: Path) -> None:
    records = some_records(3)
    records[0] = with_card(records[0], control=True)
    table = board_of(tmp_path, records).tables[0]
    control = next(row for row in table.rows if row.name == "Model-A@1")
    assert control.rank == 0
    assert all(cell.rank == 0 for cell in control.cells)
    assert sorted(row.cells[0].rank for row in table.rows) == [0, 1, 2]


def test_an_undeclared_protocol_is_shown_and_not_ranked(tmp_path: Path) -> None:
    board_of(tmp_path, some_records(2))
    declared = {name: protocol for name, protocol in PROTOCOLS.items() if name != "psnr/rgb"}
    table = make_board(Store(tmp_path / "store").stored(), declared, BoardSettings()).tables[0]
    assert table.columns[0].title == "psnr/rgb"
    assert all(row.cells[0].value is not None and row.cells[0].rank == 0 for row in table.rows)


def test_one_person_alone_tells_no_models_apart(tmp_path: Path) -> None:
    """Without a second person there is neither interval nor test; the models share a letter and all ranks."""

    def alone(scores: pd.DataFrame) -> None:
        scores["identity"] = "p0000"

    table = board_of(tmp_path, [with_scores(record, alone) for record in some_records(3)]).tables[0]
    cells = [row.cells[0] for row in table.rows]
    assert {cell.group for cell in cells} == {"a"}
    assert {(cell.best, cell.worst) for cell in cells} == {(1, 3)}
    assert all(cell.low is None and cell.high is None for cell in cells)
    assert table.note == "one person only, so there is neither an interval nor a test"
    first = pairs_csv(table).splitlines()[1].split(",")
    assert float(first[4]) != 0
    assert first[5:9] == ["", "", "", ""]


def test_a_sole_model_and_an_empty_store_are_fine(tmp_path: Path) -> None:
    table = board_of(tmp_path, some_records(1)).tables[0]
    assert table.rows[0].cells[0].rank == 1
    assert table.rows[0].points is None
    (tmp_path / "empty").mkdir()
    assert make_board(Store(tmp_path / "empty").stored(), PROTOCOLS, BoardSettings()).tables == ()


def test_the_board_is_the_same_whatever_the_order_of_records(tmp_path: Path) -> None:
    records = some_records(4)
    first = board_of(tmp_path / "a", records).tables[0]
    second = board_of(tmp_path / "b", records[::-1]).tables[0]
    assert export_table(first, "json") == export_table(second, "json")


def test_two_models_compared(store: Store) -> None:
    lines = compare_models(store, "model a", "Model C@1".replace(" ", "-"), protocols=PROTOCOLS)
    assert [line.protocol for line in lines] == list(CHOSEN[:3])
    for line in lines:
        assert line.difference.mean == pytest.approx(line.a - line.b)
        assert line.difference.low < line.difference.mean < line.difference.high
        assert line.corrected >= line.difference.p
    text = comparison_text(lines, "Model A", "Model C")
    assert "24 images of 8 people" in text
    flipped = compare_models(store, "Model C", "Model A", protocols=PROTOCOLS)
    assert [f.difference.p for f in flipped] == [line.difference.p for line in lines]
    assert [f.better for f in flipped] == [line.better for line in lines]
    with pytest.raises(RefbenchError, match="did you mean Model A"):
        compare_models(store, "Model AA", "Model B", protocols=PROTOCOLS)
    with pytest.raises(RefbenchError, match="did you mean Model-A@1, Model A,"):
        compare_models(store, "Model-A", "Model B", protocols=PROTOCOLS)
