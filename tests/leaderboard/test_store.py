"""The store is only added to; boards rank what is whole; every table stands on one benchmark."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from refbench.errors import FaultListError, InvalidInputError, RefbenchError
from refbench.leaderboard.examples.synthetic import SyntheticImages, make_synthetic_records
from refbench.leaderboard.pages.galleries import choose_galleries
from refbench.leaderboard.rendering.downloads import FORMATS, export, latex, pairs_csv
from refbench.leaderboard.rendering.reported import read_reported, rows_of
from refbench.leaderboard.statistics.comparison import compare_models, comparison_text
from refbench.leaderboard.statistics.ranking import make_board
from refbench.leaderboard.store.flags import Flag, add_flags, read_flags, write_flags
from refbench.leaderboard.store.names import entry_name, safe_name
from refbench.leaderboard.store.settings import BoardSettings, read_settings
from refbench.leaderboard.store.store import Store
from refbench.leaderboard.tables.board import Board
from refbench.metrics.catalogue import PROTOCOLS
from refbench.records.card import Card
from refbench.records.record import Record, migrate
from toys import files_of, store_of, with_card

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


def board_of(tmp_path: Path, records: list[Record], settings: BoardSettings | None = None) -> Board:
    store = store_of(tmp_path / "store", records)
    return make_board(store.stored(), PROTOCOLS, settings or BoardSettings())


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return store_of(tmp_path / "store", some_records())


def test_a_record_is_readable_without_this_code(store: Store) -> None:
    folder = store.stored()[0].folder
    assert json.loads((folder / "record.json").read_text())["card"]["model"] == "Model A"
    table = pd.read_parquet(folder / "scores.parquet")
    assert list(table.columns) == ["key", "identity", "protocol", "value", "reason"]


def test_adding_again_changes_nothing(store: Store) -> None:
    before = files_of(store.root)
    for record in some_records():
        shuffled = replace(record, scores=record.scores.sample(frac=1, random_state=0))
        store.add(shuffled)
    assert files_of(store.root) == before


def test_another_record_of_that_name_is_refused_and_a_new_version_is_not(store: Store) -> None:
    before = files_of(store.root)

    def better(scores: pd.DataFrame) -> None:
        scores["value"] += 0.001

    other = with_scores(some_records()[0], better)
    with pytest.raises(InvalidInputError, match=r"its scores differ.*another version"):
        store.add(other)
    with pytest.raises(InvalidInputError, match="its card differ"):
        store.add(with_card(some_records()[0], team="Someone else"))
    assert files_of(store.root) == before
    store.add(with_card(other, version="2"))
    assert len(store.stored()) == 4


def nearly(record: Record, by: float) -> Record:
    def edit(scores: pd.DataFrame) -> None:
        scores["value"] *= 1 + by

    set_scores = {
        name: score.model_copy(update={"value": None if score.value is None else score.value * (1 + by)})
        for name, score in record.info.set_scores.items()
    }
    return replace(with_scores(record, edit), info=record.info.model_copy(update={"set_scores": set_scores}))


def test_last_digits_that_threads_or_a_device_change_are_the_same_record(store: Store) -> None:
    before, record = files_of(store.root), some_records()[0]
    store.add(nearly(record, 3e-6))
    assert files_of(store.root) == before
    with pytest.raises(InvalidInputError, match="its scores differ"):
        store.add(nearly(record, 3e-5))
    only_set = replace(record, info=nearly(record, 3e-5).info)
    with pytest.raises(InvalidInputError, match="its scores differ"):
        store.add(only_set)


def test_names_that_would_share_a_folder_are_refused(store: Store) -> None:
    with pytest.raises(InvalidInputError, match="another name"):
        store.add(with_card(some_records()[0], model="Model-A"))
    with pytest.raises(InvalidInputError, match="another name"):
        store.add(with_card(some_records()[0], model="MODEL A"))


@pytest.mark.parametrize("name", ["../../etc", "a/b", "..", ".", "", "CON", "ü b", "x" * 300, "-rf", "a\0b"])
def test_no_name_leads_out_of_the_store(tmp_path: Path, name: str) -> None:
    folder = Store(tmp_path).folder(with_card(some_records()[0], model=name))
    assert folder.resolve().parent.parent == tmp_path.resolve()
    assert len(folder.name.encode()) < 200
    assert not folder.name.startswith(("-", "."))


def test_different_texts_keep_different_safe_names() -> None:
    texts = ["a/b", "a:b", "a-b", "a?b", "A/b"]
    assert len({safe_name(text) for text in texts}) == len(texts)
    assert entry_name(Card(model="My model", version="1.0")) == "My-model@1.0"


def test_a_killed_addition_leaves_no_half_record(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    record = with_card(some_records()[0], version="9")

    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("refbench.records.record.write_json", killed)
        with pytest.raises(KeyboardInterrupt):
            store.add(record)
    assert len(store.stored()) == 3
    store.add(record)
    assert len(store.stored()) == 4
    assert not list(store.root.rglob("*.part"))


def test_a_superseded_record_stays_and_is_not_ranked(store: Store) -> None:
    new = store.add(with_card(some_records()[0], version="2"))
    old = store.stored()[0].folder
    before = (old / "record.json").read_bytes()
    store.supersede(old, new)
    store.supersede(old, new)
    assert (old / "record.json").read_bytes() == before
    board = make_board(store.stored(), PROTOCOLS, BoardSettings())
    table = board.tables[0]
    assert [row.name for row in table.superseded] == ["Model-A@1"]
    assert "Model-A@1" not in [row.name for row in table.rows]
    assert table.superseded[0].cells[0].rank == 0
    with pytest.raises(InvalidInputError, match="already superseded"):
        store.supersede(old, store.stored()[-1].folder)
    with pytest.raises(InvalidInputError, match="not two records"):
        store.supersede(old, old)


def test_records_move_between_stores_with_their_flags(store: Store, tmp_path: Path) -> None:
    flag = Flag(kind="copy of LQ", text="3 of 24 outputs are a copy of LQ", images=3, of=24)
    write_flags(store.stored()[1].folder, [flag])
    other = Store(tmp_path / "other")
    assert len(other.import_records(store.root)) == 3
    assert files_of(other.root) == files_of(store.root)
    assert len(other.import_records(store.root)) == 3
    assert read_flags(other.stored()[1].folder) == (flag,)
    with pytest.raises(InvalidInputError, match="has other flags already"):
        add_flags(other.stored()[1].folder, [])
    with pytest.raises(InvalidInputError, match=r"no record\.json"):
        other.import_records(tmp_path / "nowhere")


def test_older_schemas_are_brought_up_step_by_step() -> None:
    steps = {
        1: lambda said: {"renamed": said["old"]},
        2: lambda said: {**said, "added": 0},
    }
    found = migrate({"schema_version": 1, "old": "x"}, steps, current=3)
    assert found == {"schema_version": 3, "renamed": "x", "added": 0}
    with pytest.raises(RefbenchError, match="newer"):
        migrate({"schema_version": 9})
    with pytest.raises(RefbenchError, match="nothing migrates it"):
        migrate({"schema_version": 1}, {}, current=2)


def test_verify_finds_what_was_tampered_with(store: Store) -> None:
    assert store.verify(PROTOCOLS) == []
    folders = [stored.folder for stored in store.stored()]

    def spoil(scores: pd.DataFrame) -> None:
        scores.loc[0, "value"] = np.nan
        scores.loc[1, "value"] = 1e6
        scores.loc[2, "identity"] = "someone else"

    spoilt = with_scores(Record.read(folders[0]), spoil)
    spoilt.write(folders[0])
    folders[1].rename(folders[1].with_name("Impostor@1"))
    (folders[2] / "record.json").write_text("{")
    text = "\n".join(f"{p.where} {p.what}" for p in store.verify(PROTOCOLS))
    for words in (
        "without a reason",
        "outside the protocol's bounds",
        "two identities",
        "belongs in",
        "not a readable",
    ):
        assert words in text


def test_a_store_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(RefbenchError, match="not a folder"):
        Store(tmp_path / "none").stored()


def test_benchmarks_never_share_a_table(tmp_path: Path) -> None:
    records = make_synthetic_records(DECLARED, 2, SyntheticImages.make(24, 8))
    records += make_synthetic_records(
        {name: DECLARED[name] for name in CHOSEN[:2]}, 2, SyntheticImages.make(24, 8)
    )
    records += make_synthetic_records(DECLARED, 2, SyntheticImages.make(24, 8, seed=5))
    board = board_of(tmp_path, records)
    assert len(board.tables) == 6
    assert all(len({row.record.info.benchmark for row in table.rows}) == 1 for table in board.tables)


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
    assert export(first, "json") == export(second, "json")


def test_exports_carry_full_precision_and_escape(tmp_path: Path) -> None:
    records = some_records(2)
    records[0] = with_card(records[0], model="=1+1|_&%", team="@evil")
    table = board_of(tmp_path, records).tables[0]
    rows = list(csv.DictReader(io.StringIO(export(table, "csv"))))
    assert {row["model"] for row in rows} == {"'=1+1|_&%", "Model B"}
    assert {row["team"] for row in rows} == {"'@evil", "Team 2"}
    exact = {row["protocol"]: float(row["value"]) for row in rows if row["model"] == "Model B"}
    said = json.loads(export(table, "json"))
    model_b = next(m for m in said["models"] if m["card"]["model"] == "Model B")
    assert {name: cell["value"] for name, cell in model_b["scores"].items()} == exact
    assert r"=1+1|\_\&\%" in export(table, "tex")
    assert r"=1+1\|\_&%" in export(table, "md")
    assert export(table, "tex").count(r"\textbf") == len(CHOSEN)
    assert set(FORMATS) == {"csv", "json", "md", "tex"}
    with pytest.raises(RefbenchError, match="csv, json"):
        export(table, "xlsx")


def test_all_pairs_are_exported_with_their_tests(tmp_path: Path) -> None:
    table = board_of(tmp_path, some_records(3)).tables[0]
    rows = list(csv.DictReader(io.StringIO(pairs_csv(table))))
    assert len(rows) == 3 * 3
    for row in rows:
        means = {
            r.name: r.cells[[c.id for c in table.columns].index(row["protocol"])].value for r in table.rows
        }
        first, second = means[row["first"]], means[row["second"]]
        assert first is not None
        assert second is not None
        assert float(row["difference"]) == pytest.approx(first - second)
        assert float(row["p_holm"]) >= float(row["p"]) > 0


def test_latex_escapes_everything_special() -> None:
    assert latex("50% & $x_1^2$ #{~}\\") == (
        r"50\% \& \$x\_1\textasciicircum{}2\$ \#\{\textasciitilde{}\}\textbackslash{}"
    )


def test_published_numbers_have_sources_and_stay_unranked(tmp_path: Path) -> None:
    reported = read_reported()
    assert len(reported) > 80
    assert all(row.source.startswith("arXiv:") and row.images > 0 for row in reported)
    people = replace(SyntheticImages.make(24, 8), name="FFHQ-Ref")
    declared = {name: PROTOCOLS[name] for name in ("psnr/rgb", "lpips/vgg-v0.1")}
    table = board_of(
        tmp_path, make_synthetic_records(declared, 2, people, recipes=("refldm-severe@1",))
    ).tables[0]
    rows = rows_of(table, reported)
    shown = {row["label"]: row["cells"] for row in rows}
    assert shown["ReF-LDM"] == ["", "0.429"]
    assert "643 images" in next(row["about"] for row in rows if row["label"] == "DMDNet")
    assert "ReF-LDM" not in [row.label for row in table.rows]
    elsewhere = board_of(tmp_path / "x", some_records(2)).tables[0]
    assert rows_of(elsewhere, reported) == []


def test_a_store_may_bring_its_own_published_numbers(tmp_path: Path) -> None:
    head = "method,references,test_set,metric,value,images,source,note\n"
    (tmp_path / "reported.csv").write_text(head + "Mine,0,Some-Set,LPIPS,0.3,10,Paper 1,\n")
    assert read_reported(tmp_path)[-1].method == "Mine"
    (tmp_path / "reported.csv").write_text(head + "Mine,0,Some-Set,LPIPS,low,10,Paper 1,\n")
    with pytest.raises(FaultListError, match="line 2"):
        read_reported(tmp_path)
    (tmp_path / "reported.csv").write_text("a,b\n1,2\n")
    with pytest.raises(FaultListError, match="first line"):
        read_reported(tmp_path)


def test_settings_are_checked(tmp_path: Path) -> None:
    assert read_settings(tmp_path) == BoardSettings()
    (tmp_path / "board.yaml").write_text("title: Ours\ncomposite: [psnr/rgb]\n")
    assert read_settings(tmp_path).composite == ("psnr/rgb",)
    (tmp_path / "board.yaml").write_text("titel: Ours\ncomposite: 3\n")
    with pytest.raises(FaultListError) as caught:
        read_settings(tmp_path)
    assert len(caught.value.faults) == 2


def test_galleries_find_the_best_the_worst_and_the_disputed(tmp_path: Path) -> None:
    records = some_records(2)

    def edit(number: int) -> Callable[[pd.DataFrame], None]:
        def put(scores: pd.DataFrame) -> None:
            keys = sorted(scores["key"].unique())
            for protocol, (low, mid, high) in {
                "psnr/rgb": (5.0, 25.0, 45.0),
                "lpips/alex-v0.1": (0.9, 0.5, 0.1),
                "ids/mobilefacenet-5pt-v1": (0.1, 0.5, 0.9),
            }.items():
                mine = scores["protocol"] == protocol
                scores.loc[mine, "value"] = mid + number * (high - mid) * 0.01
                scores.loc[mine & (scores["key"] == keys[3]), "value"] = high + 0.01 * number * (high - mid)
                scores.loc[mine & (scores["key"] == keys[5]), "value"] = low + 0.01 * number * (high - mid)
            flip = (scores["key"] == keys[7]) & (scores["protocol"] == "psnr/rgb")
            scores.loc[flip, "value"] = 25.0 - 0.2 * number

        return put

    table = board_of(tmp_path, [with_scores(r, edit(i)) for i, r in enumerate(records)]).tables[0]
    found = choose_galleries(table, count=4)
    assert found.best[0] == table.keys[3]
    assert found.worst[0] == table.keys[5]
    assert found.disputed[0] == table.keys[7]


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
