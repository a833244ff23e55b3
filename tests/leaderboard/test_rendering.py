"""Exports of tables, published results, and the choice of images for the galleries."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest
from refbench.errors import FaultListError, RefbenchError
from refbench.leaderboard.examples.synthetic import SyntheticImages, make_synthetic_records
from refbench.leaderboard.pages.galleries import choose_galleries
from refbench.leaderboard.rendering.downloads import FORMATS, export_table, latex, pairs_csv
from refbench.leaderboard.rendering.reported import read_reported, reported_rows
from refbench.metrics.catalogue import PROTOCOLS
from refbench.records.card import card_text
from toy_boards import CHOSEN, board_of, some_records, with_scores
from toys import with_card


def test_exports_carry_full_precision_and_escape(tmp_path: Path) -> None:
    records = some_records(2)
    records[0] = with_card(records[0], model="=1+1|_&%", team="@evil")
    table = board_of(tmp_path, records).tables[0]
    rows = list(csv.DictReader(io.StringIO(export_table(table, "csv"))))
    assert {row["model"] for row in rows} == {"'=1+1|_&%", "Model B"}
    assert {row["team"] for row in rows} == {"'@evil", "Team 2"}
    exact = {row["protocol"]: float(row["value"]) for row in rows if row["model"] == "Model B"}
    said = json.loads(export_table(table, "json"))
    model_b = next(m for m in said["models"] if m["card"]["model"] == "Model B")
    assert {name: cell["value"] for name, cell in model_b["scores"].items()} == exact
    assert r"=1+1|\_\&\%" in export_table(table, "tex")
    assert r"=1+1\|\_&%" in export_table(table, "md")
    assert export_table(table, "tex").count(r"\textbf") == len(CHOSEN)
    assert set(FORMATS) == {"csv", "json", "md", "tex"}
    with pytest.raises(RefbenchError, match="csv, json"):
        export_table(table, "xlsx")


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
    rows = reported_rows(table, reported)
    shown = {row["label"]: row["cells"] for row in rows}
    assert shown["ReF-LDM"] == ["", "0.429"]
    assert "643 images" in next(row["about"] for row in rows if row["label"] == "DMDNet")
    assert "ReF-LDM" not in [row.label for row in table.rows]
    elsewhere = board_of(tmp_path / "x", some_records(2)).tables[0]
    assert reported_rows(elsewhere, reported) == []


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


def test_a_card_is_exported_in_the_order_of_its_file(tmp_path: Path) -> None:
    table = board_of(tmp_path, some_records(1)).tables[0]
    (model,) = json.loads(export_table(table, "json"))["models"]
    assert list(model["card"]) == [line.split(":")[0] for line in card_text(table.rows[0].card).splitlines()]
