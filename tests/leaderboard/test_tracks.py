"""Tracks: records whose protocols differ share one table; old stores are read as new, old addresses kept."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import typer
from refbench.errors import FaultListError, InvalidInputError
from refbench.leaderboard.commands import list_records, show_record
from refbench.leaderboard.rendering.downloads import export_table, pairs_csv
from refbench.leaderboard.site.publish import publish_site
from refbench.leaderboard.statistics.comparison import compare_models
from refbench.leaderboard.statistics.ranking import make_board
from refbench.leaderboard.store.flags import Flag, write_flags
from refbench.leaderboard.store.migrate import migrate_store
from refbench.leaderboard.store.names import entry_name, safe_name
from refbench.leaderboard.store.settings import BoardSettings
from refbench.leaderboard.store.store import Store
from refbench.leaderboard.store.study_results import StudyResult, read_results, save_result
from refbench.leaderboard.tables.board import Table, columns_of
from refbench.leaderboard.tables.formatting import format_cells, table_title
from refbench.metrics.catalogue import PROTOCOLS
from refbench.records.record import Record
from toy_boards import CHOSEN, some_records, with_scores
from toys import files_of, store_of, with_card

PSNR, LPIPS, IDS, FD = CHOSEN


def only(record: Record, *ids: str) -> Record:
    """The record with these protocols alone, as if no other had been asked for."""
    benchmark = record.info.benchmark.model_copy(update={"protocols": ids})
    set_scores = {name: score for name, score in record.info.set_scores.items() if name in ids}
    info = record.info.model_copy(update={"benchmark": benchmark, "set_scores": set_scores})
    scores = record.scores[record.scores["protocol"].isin(ids)].reset_index(drop=True)
    return replace(record, info=info, scores=scores)


def other_images(record: Record, seed: int = 9) -> Record:
    def edit(scores: pd.DataFrame) -> None:
        scores["value"] += 0.01

    info = record.info.model_copy(update={"submission_hash": f"{seed:064d}"})
    return replace(with_scores(record, edit), info=info)


def old_store(root: Path, records: Sequence[Record]) -> Store:
    """Records where version 0.1 put them: one folder per list of protocols."""
    for record in records:
        record.write(root / safe_name(record.info.benchmark.id) / entry_name(record.info.card))
    return Store(root)


def table_of(store: Store, settings: BoardSettings | None = None) -> Table:
    (table,) = make_board(store.stored(), PROTOCOLS, settings or BoardSettings(), moved=store.moved()).tables
    return table


@pytest.fixture
def two_tabs(tmp_path: Path) -> Store:
    """A store of version 0.1 that showed two tabs: a metric was added with the third model."""
    a, b, c = some_records(3)
    return old_store(
        tmp_path / "old", [only(a, PSNR, LPIPS), only(b, PSNR, LPIPS), only(c, PSNR, LPIPS, IDS)]
    )


def test_a_metric_that_is_added_later_is_a_column_not_a_table(two_tabs: Store) -> None:
    before = files_of(two_tabs.root)
    table = table_of(two_tabs)
    assert [column.id for column in table.columns] == [PSNR, LPIPS, IDS]
    cells = {row.name: row.cells for row in table.rows}
    assert [cells["Model-C@1"][2].images, cells["Model-C@1"][2].rank] == [24, 1]
    assert [(cells[f"Model-{x}@1"][2].value, cells[f"Model-{x}@1"][2].reason) for x in "AB"] == [
        (None, "not scored")
    ] * 2
    assert sorted(row.cells[0].rank for row in table.rows) == [1, 2, 3]
    assert files_of(two_tabs.root) == before


def test_the_composite_takes_what_most_models_have_and_needs_all_of_it(tmp_path: Path) -> None:
    a, b, c = some_records(3)
    store = store_of(tmp_path / "store", [only(a, PSNR, LPIPS), only(b, PSNR, LPIPS, IDS), only(c, PSNR)])
    table = table_of(store)
    assert table.composite == (PSNR, LPIPS)
    rows = {row.name[6]: row for row in table.rows}
    assert {rows["A"].points, rows["B"].points} == {100.0, 0.0} or rows["A"].points == 50.0
    assert (rows["C"].points, rows["C"].rank, len(rows["C"].lacking)) == (None, 0, 1)
    assert rows["C"].cells[0].rank > 0
    assert not rows["C"].unranked
    assert table.rows[-1] is rows["C"]
    chosen = table_of(store, BoardSettings(composite=(PSNR, IDS)))
    assert chosen.composite == (PSNR, IDS)
    assert all(row.points is None for row in chosen.rows)


def test_pairs_have_only_the_protocols_that_both_have(two_tabs: Store) -> None:
    table = table_of(two_tabs)
    found = table.comparisons[IDS]
    assert found.p.shape == (3, 3)
    c = table.compared.index("Model-C@1")
    others = [i for i in range(3) if i != c]
    assert np.isnan(found.p[others]).all()
    lines = pairs_csv(table).splitlines()[1:]
    assert len(lines) == 6
    assert not any(IDS in line for line in lines)
    psnr = table.comparisons[PSNR]
    assert np.isfinite(psnr.corrected).all()
    assert [
        line.protocol for line in compare_models(two_tabs, "Model A", "Model C", protocols=PROTOCOLS)
    ] == [
        PSNR,
        LPIPS,
    ]


def test_later_protocols_of_a_submission_join_its_row(tmp_path: Path) -> None:
    a, b = some_records(2)
    store = store_of(tmp_path / "store", [only(a, PSNR, LPIPS), only(b, PSNR)])
    first = store.folder(a)
    before = files_of(first)
    again = store.add(only(a, PSNR, IDS, FD))
    assert files_of(first) == before
    assert again.parent == first.parent
    assert again.name.startswith("Model-A@1~")
    whole = table_of(store_of(tmp_path / "whole", [a, only(b, PSNR)]))
    joined = table_of(store)
    assert {row.name for row in joined.rows} == {"Model-A@1", "Model-B@1"}
    cells = [
        {column.id: cell for column, cell in zip(table.columns, row.cells, strict=True)}
        for table in (joined, whole)
        for row in table.rows
        if row.name == "Model-A@1"
    ]
    assert cells[0] == cells[1]
    count = len(store.stored())
    for known in (only(a, IDS), only(a, PSNR, LPIPS), only(a, LPIPS, FD), a):
        store.add(known)
    assert len(store.stored()) == count
    assert store.verify(PROTOCOLS) == []


def test_other_images_or_scores_of_a_name_are_refused_on_any_protocols(tmp_path: Path) -> None:
    (a,) = some_records(1)
    store = old_store(tmp_path / "store", [only(a, PSNR, LPIPS)])
    before = files_of(store.root)
    with pytest.raises(InvalidInputError, match="its images differ"):
        store.add(only(other_images(a), IDS))

    def better(scores: pd.DataFrame) -> None:
        scores["value"] += 0.01

    with pytest.raises(InvalidInputError, match="its scores differ"):
        store.add(only(with_scores(a, better), PSNR, IDS))
    assert files_of(store.root) == before


def test_one_name_with_two_sets_of_images_in_an_old_store_makes_two_rows(tmp_path: Path) -> None:
    a, b = some_records(2)
    store = old_store(tmp_path / "store", [only(a, PSNR), only(other_images(a), PSNR, LPIPS), only(b, PSNR)])
    table = table_of(store)
    names = sorted(row.name for row in table.rows)
    assert names[0].startswith("Model-A@1~")
    assert names[1].startswith("Model-A@1~")
    assert names[2] == "Model-B@1"
    assert len({row.label for row in table.rows}) == 3
    copy = Store(tmp_path / "copy")
    migrate_store(store, copy.root)
    assert sorted(row.name for row in table_of(copy).rows) == names


def test_versions_of_a_protocol_stand_in_separate_columns_and_the_old_one_is_marked(tmp_path: Path) -> None:
    columns = columns_of(["ssim/y-full", "psnr/rgb", "ssim/y-full@2", "fid/x@a-b", "fid/x@c-d"], PROTOCOLS)
    assert [(column.id, column.newer) for column in columns] == [
        ("ssim/y-full@2", ""),
        ("ssim/y-full", "ssim/y-full@2"),
        ("psnr/rgb", ""),
        ("fid/x@a-b", ""),
        ("fid/x@c-d", ""),
    ]
    assert "older version" in columns[1].title
    assert [c.newer for c in columns_of(["m/x@0.1.9", "m/x@0.1.14"], {})] == ["", "m/x@0.1.14"]


def test_an_older_version_of_a_protocol_is_no_part_of_the_composite(tmp_path: Path) -> None:
    newer = {"psnr/rgb@2": replace(PROTOCOLS[PSNR], id="psnr/rgb@2")}
    a, b, c = some_records(3)
    renamed = only(c, PSNR, LPIPS)
    benchmark = renamed.info.benchmark.model_copy(update={"protocols": ("psnr/rgb@2", LPIPS)})
    renamed = replace(
        renamed,
        info=renamed.info.model_copy(update={"benchmark": benchmark}),
        scores=renamed.scores.assign(protocol=renamed.scores["protocol"].replace(PSNR, "psnr/rgb@2")),
    )
    store = store_of(tmp_path / "store", [only(a, PSNR, LPIPS), only(b, PSNR, LPIPS), renamed])
    (table,) = make_board(store.stored(), dict(PROTOCOLS) | newer, BoardSettings()).tables
    assert [column.id for column in table.columns] == ["psnr/rgb@2", PSNR, LPIPS]
    assert table.composite == (LPIPS,)
    assert all(row.rank for row in table.rows)


def test_an_old_store_and_its_migrated_copy_make_the_same_board(two_tabs: Store, tmp_path: Path) -> None:
    (two_tabs.root / "board.yaml").write_text("title: Ours\n", "utf-8")
    entry = two_tabs.stored()[0]
    write_flags(entry.folder, [Flag(kind="copy of LQ", text="3 of 24", images=3, of=24)])
    olds = sorted(path.name for path in two_tabs.root.iterdir() if path.is_dir())
    before = files_of(two_tabs.root)
    copy = Store(tmp_path / "new")
    made = migrate_store(two_tabs, copy.root)
    assert files_of(two_tabs.root) == before
    assert {folder.parent.name for folder in made} == {entry.track}
    assert len(made) == 3
    assert json.loads((copy.root / "moved.json").read_text("utf-8"))["moved"].keys() == set(olds)
    assert copy.verify(PROTOCOLS) == []
    tables = table_of(two_tabs), table_of(copy)
    assert export_table(tables[0], "json") == export_table(tables[1], "json")
    assert tables[0].earlier == tables[1].earlier == tuple(olds)
    with pytest.raises(InvalidInputError, match="holds files"):
        migrate_store(two_tabs, copy.root)
    with pytest.raises(InvalidInputError, match="lies in the store"):
        migrate_store(two_tabs, two_tabs.root / "in")


def test_one_damaged_record_stops_no_other(two_tabs: Store, tmp_path: Path) -> None:
    bad = two_tabs.stored()[0].folder
    (bad / "record.json").write_text("{", "utf-8")
    with pytest.raises(FaultListError, match=bad.name):
        migrate_store(two_tabs, tmp_path / "new")
    assert len(Store(tmp_path / "new").stored()) == 2
    other = Store(tmp_path / "other")
    with pytest.raises(FaultListError, match=bad.name):
        other.import_records(two_tabs.root)
    assert len(other.stored()) == 2
    found, faults = two_tabs.readable()
    assert (len(found), len(faults)) == (2, 1)
    two_tabs.add(with_card(some_records(1)[0], version="7"))
    names = sorted({entry.record.info.card.model for entry in found})
    assert compare_models(two_tabs, names[0], names[1], protocols=PROTOCOLS)
    with pytest.raises(FaultListError, match=bad.name):
        two_tabs.stored()


def test_the_lists_name_a_damaged_record_and_show_the_others(
    two_tabs: Store, capsys: pytest.CaptureFixture[str]
) -> None:
    bad, good = (two_tabs.stored()[i].folder for i in (0, 1))
    (bad / "scores.parquet").write_bytes(b"PAR1")
    with pytest.raises(typer.Exit):
        list_records(two_tabs.root)
    told = capsys.readouterr()
    assert f"{good.parent.name}  {good.name}" in told.out
    assert f"left out: {bad.parent.name}/{bad.name}" in told.err
    show_record(two_tabs.root, good.name)
    assert "psnr/rgb" in capsys.readouterr().out
    with pytest.raises(FaultListError, match="not a readable record"):
        show_record(two_tabs.root, bad.name)


def test_old_addresses_lead_to_the_track(two_tabs: Store, tmp_path: Path) -> None:
    page = publish_site(two_tabs, tmp_path / "site")
    text = page.read_text("utf-8")
    table = table_of(two_tabs)
    assert text.count('<section class="benchmark"') == 1
    for old in table.earlier:
        assert f'id="{old}"' in text
        for suffix in (".csv", ".json", ".md", ".tex", "-pairs.csv"):
            assert (tmp_path / "site" / "downloads" / f"{old}{suffix}").is_file()
        assert list((tmp_path / "site" / "records" / old).glob("*/record.json"))
    model = (tmp_path / "site" / "models" / "Model-A@1.html").read_text("utf-8")
    assert "../records/" in model


def test_a_study_of_an_old_benchmark_is_kept_and_shown(two_tabs: Store, tmp_path: Path) -> None:
    old = sorted(path.name for path in two_tabs.root.iterdir())[0]
    facts = {"participants": 1, "excluded": 0, "votes": 1, "ties": 0, "alpha": None, "metrics": ()}
    model = {"score": 0, "low": 0, "high": 0, "won": 1, "comparisons": 1, "group": "a"}
    result = StudyResult.model_validate(
        {"study": "s", "benchmark": old, "question": "Which one?", "models": [model | {"name": "Model-A@1"}]}
        | facts
    )
    save_result(two_tabs, result)
    copy = Store(tmp_path / "new")
    migrate_store(two_tabs, copy.root)
    for store in (two_tabs, copy):
        assert read_results(store.root) == [result]
        page = publish_site(store, tmp_path / f"site-{store.root.name}")
        assert "Which one?" in page.read_text("utf-8")


def test_titles_of_tracks_all_differ(tmp_path: Path) -> None:
    (a,) = some_records(1)

    def on(**track: object) -> Record:
        benchmark = a.info.benchmark.model_copy(update=track)
        return replace(a, info=a.info.model_copy(update={"benchmark": benchmark}))

    records = [
        a,
        on(references="wrong", set_hash="1" * 64),
        on(references="0", set_hash="2" * 64),
        on(references="1", set_hash="3" * 64),
        on(references="3", set_hash="4" * 64),
        on(lq_hash="5" * 64),
        on(split="all"),
        on(set_hash="6" * 64),
    ]
    store = store_of(tmp_path / "store", records)
    for settings in (BoardSettings(), BoardSettings(titles={"refldm-severe": "Hard"})):
        board = make_board(store.stored(), PROTOCOLS, settings)
        titles = [table_title(table, settings, board.tables) for table in board.tables]
        assert len(set(titles)) == len(records)
        word = settings.titles.get("refldm-severe", "Severe")
        assert f"{word}, wrong person's references" in titles
        assert f"{word}, no references" in titles
        assert any("LQ 55555555" in title for title in titles)


def test_superseding_reaches_across_the_folders_of_a_track(two_tabs: Store) -> None:
    new = two_tabs.add(with_card(some_records(1)[0], version="2"))
    old = next(entry.folder for entry in two_tabs.stored() if entry.name == "Model-A@1")
    assert old.parent != new.parent
    two_tabs.supersede(old, new)
    assert [row.name for row in table_of(two_tabs).superseded] == ["Model-A@1"]
    assert two_tabs.verify(PROTOCOLS) == []
    shutil.rmtree(new)
    assert any("which is not in the store" in problem.what for problem in two_tabs.verify(PROTOCOLS))


def test_the_only_number_of_a_column_is_not_marked_as_the_best(two_tabs: Store, tmp_path: Path) -> None:
    table = table_of(two_tabs)
    place = [column.id for column in table.columns].index(IDS)
    assert table.scored_rows[place] == 1
    cells = [row[place] for row in format_cells(table)]
    assert [cell.classes for cell in cells if cell.text] == [""]
    assert sum("top first" in row[0].classes for row in format_cells(table)) == 1
    bold = [line.count("**") for line in export_table(table, "md").splitlines()[2:]]
    assert sum(bold) == 4, "one of PSNR, one of LPIPS"
    text = publish_site(two_tabs, tmp_path / "site").read_text("utf-8")
    assert f'title="{IDS}; scored on 1 of 3 models"' in text


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (lambda scores: scores.drop(columns="value"), "lacks the columns value"),
        (lambda scores: scores.drop(columns=["key", "reason"]), "lacks the columns key, reason"),
        (lambda scores: scores.assign(key=range(len(scores))), "key holds other values than text"),
        (lambda scores: scores.assign(value=[[1.0]] * len(scores)), "value is of the type object"),
        (lambda scores: scores.assign(value=scores["value"].where(scores.index != 0, np.inf)), "an infinite"),
        (lambda scores: pd.concat([scores, scores[:1]]), "an image twice"),
    ],
)
def test_a_table_of_another_form_is_named_where_it_is_read(
    two_tabs: Store, tmp_path: Path, damage: Callable[[pd.DataFrame], pd.DataFrame], words: str
) -> None:
    bad = two_tabs.stored()[0].folder
    table = damage(pd.read_parquet(bad / "scores.parquet"))
    table.to_parquet(bad / "scores.parquet", index=False)
    with pytest.raises(FaultListError, match=words) as told:
        publish_site(two_tabs, tmp_path / "site")
    assert bad.name in str(told.value)
    assert not (tmp_path / "site").exists()
    with pytest.raises(FaultListError, match=words):
        Store(tmp_path / "other").import_records(two_tabs.root)
    assert len(Store(tmp_path / "other").stored()) == 2
    assert any(words in problem.what for problem in two_tabs.verify(PROTOCOLS))


def test_a_title_of_no_track_is_told(
    two_tabs: Store, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    old = sorted(path.name for path in two_tabs.root.iterdir())[0]
    (two_tabs.root / "board.yaml").write_text(f"titles: {{refldm-sevre: Hard, {old}: Ours}}\n", "utf-8")
    text = publish_site(two_tabs, tmp_path / "site").read_text("utf-8")
    told = capsys.readouterr().err
    assert "no track or recipe is called 'refldm-sevre'; did you mean 'refldm-severe'?" in told
    assert old not in told
    assert "<h2>Ours</h2>" in text
