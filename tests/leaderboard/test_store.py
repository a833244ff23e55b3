"""The store is only added to; boards rank what is whole; every table stands on one track."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from refbench.errors import FaultListError, InvalidInputError, RefbenchError
from refbench.leaderboard.statistics.ranking import make_board
from refbench.leaderboard.store.flags import Flag, add_flags, read_flags, write_flags
from refbench.leaderboard.store.names import entry_name, safe_name
from refbench.leaderboard.store.settings import BoardSettings, read_settings
from refbench.leaderboard.store.store import Store
from refbench.metrics.catalogue import PROTOCOLS
from refbench.records.card import Card
from refbench.records.record import Record, migrate
from toy_boards import some_records, with_scores
from toys import files_of, store_of, with_card


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


def test_flags_of_other_images_than_the_record_are_refused(store: Store) -> None:
    flag = Flag(kind="copy of LQ", text="3 of 24 outputs are a copy of LQ", images=3, of=24)
    first, second = (stored.folder for stored in store.stored()[:2])
    write_flags(first, [flag])
    said = json.loads((first / "flags.json").read_text())
    assert said["submission_hash"] == json.loads((first / "record.json").read_text())["submission_hash"]
    (second / "flags.json").write_text(json.dumps({**said, "submission_hash": "0" * 64}))
    with pytest.raises(RefbenchError, match="is of other images than the record beside it"):
        read_flags(second)
    (second / "flags.json").write_text(json.dumps({"flags": said["flags"]}))
    assert read_flags(second) == (flag,)


def test_no_folder_of_a_store_has_a_name_that_windows_forbids() -> None:
    assert safe_name("refldm") == "refldm"
    assert safe_name("con").startswith("con-")
    assert safe_name("nul.v2").startswith("nul.v2-")


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


def test_a_store_that_is_not_there_is_reported(tmp_path: Path) -> None:
    with pytest.raises(RefbenchError, match="not a folder"):
        Store(tmp_path / "none").stored()


def test_settings_are_checked(tmp_path: Path) -> None:
    assert read_settings(tmp_path) == BoardSettings()
    (tmp_path / "board.yaml").write_text("title: Ours\ncomposite: [psnr/rgb]\n")
    assert read_settings(tmp_path).composite == ("psnr/rgb",)
    (tmp_path / "board.yaml").write_text("titel: Ours\ncomposite: 3\n")
    with pytest.raises(FaultListError) as caught:
        read_settings(tmp_path)
    assert len(caught.value.faults) == 2


@pytest.mark.parametrize("by", [0.0, 1.0])
def test_a_record_that_another_process_adds_meanwhile_is_compared(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, by: float
) -> None:
    record, store = some_records()[0], Store(tmp_path)
    theirs, real = nearly(record, by), Record.write

    def write(self: Record, folder: Path) -> None:
        real(self, folder)
        real(theirs, store.folder(self))

    monkeypatch.setattr(Record, "write", write)
    if by:
        with pytest.raises(InvalidInputError, match="already holds another record"):
            store.add(record)
    else:
        assert store.add(record) == store.folder(record)
    assert [path.name for path in store.folder(record).parent.iterdir()] == [store.folder(record).name]
