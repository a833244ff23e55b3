"""The report of the benchmarks: rows, verdicts, exit code, JSON; every benchmark takes its flags."""

from __future__ import annotations

import argparse
import importlib.util
import json
import runpy
import sys
from pathlib import Path

import pytest

FOLDER = Path(__file__).resolve().parents[2] / "benchmarks"
SCRIPTS = sorted(path for path in FOLDER.glob("*.py") if path.stem not in ("report", "inputs"))

found = importlib.util.spec_from_file_location("benchmark_report", FOLDER / "report.py")
assert found is not None
assert found.loader is not None
reports = importlib.util.module_from_spec(found)
sys.modules[found.name] = reports
found.loader.exec_module(reports)
Report = reports.Report


def run(capsys: pytest.CaptureFixture[str], measure: object, *words: str) -> tuple[int, str]:
    code = reports.main(measure, __doc__, words=list(words))
    return code, capsys.readouterr().out


def reached(given: argparse.Namespace, report: Report) -> None:
    report.workload["count"] = 3
    report.add("search, against a peer", unit="s", ours=2.0, peer=30.0, goal="ratio >= 15")
    report.add(
        "rate, against a peer", unit="images/s", ours=9.0, peer=3.0, better="higher", goal="ratio >= 3"
    )
    report.add("weight", unit="bytes", ours=10, goal="ours <= 10")
    report.add("told only", unit="s", ours=1e6)


def short(given: argparse.Namespace, report: Report) -> None:
    reached(given, report)
    report.add("slow", unit="s", ours=2.0, peer=2.9, goal="ratio >= 1.5")


def skipped(given: argparse.Namespace, report: Report) -> None:
    with report.skipping("absent, against a peer", unit="s", goal="ratio >= 2"):
        import no_such_package  # noqa: F401
    with report.skipping("no file"):
        raise FileNotFoundError("weights are absent; run: refbench weights fetch\nmore")


def only_full(given: argparse.Namespace, report: Report) -> None:
    report.add("slow", unit="s", ours=2.0, peer=1.0, goal="ratio >= 1.5", judged_when_quick=False)


def test_reached_goals_end_with_0(capsys: pytest.CaptureFixture[str]) -> None:
    code, text = run(capsys, reached)
    assert code == 0
    assert "| search, against a peer | 30 | 2 | s | 15 | ratio >= 15 | yes |" in text
    assert "| told only |  | 1,000,000 | s |  |  |  |" in text
    assert text.endswith("3 of 3 judged goals are reached\n")


def test_a_row_that_falls_short_ends_with_1_and_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    code, text = run(capsys, short)
    assert code == 1
    assert "falls short: slow: ratio >= 1.5, ratio 1.45, ours 2" in text
    assert text.endswith("3 of 4 judged goals are reached\n")


def test_json_has_the_machine_and_every_row(capsys: pytest.CaptureFixture[str]) -> None:
    code, text = run(capsys, short, "--json")
    told = json.loads(text)
    assert code == 1
    assert told["benchmark"] == "test_report"
    assert told["workload"] == {"count": 3}
    assert told["machine"]["cores"] >= 1
    assert {"processor", "flags", "threads", "torch"} <= told["machine"].keys()
    assert [row["reached"] for row in told["rows"]] == [True, True, True, None, False]
    assert told["rows"][1] == {
        "name": "rate, against a peer",
        "peer": 3.0,
        "ours": 9.0,
        "unit": "images/s",
        "ratio": 3.0,
        "goal": "ratio >= 3",
        "reached": True,
        "note": "",
    }


def test_what_is_not_installed_is_skipped_and_neither_reached_nor_short(
    capsys: pytest.CaptureFixture[str],
) -> None:
    code, text = run(capsys, skipped)
    assert code == 0
    line = "skipped: absent, against a peer (no_such_package is not installed); no file (weights are absent"
    assert line in text
    assert "more" not in text
    assert text.endswith("no goal was judged\n")
    rows = json.loads(run(capsys, skipped, "--json")[1])["rows"]
    assert [(row["ours"], row["goal"], row["reached"]) for row in rows] == [
        (None, "ratio >= 2", None),
        (None, None, None),
    ]


def test_a_goal_of_the_full_run_is_not_judged_with_quick(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(capsys, only_full)[0] == 1
    code, text = run(capsys, only_full, "--quick")
    assert code == 0
    assert "| slow | 1 | 2 | s | 0.5 |  | in a full run: ratio >= 1.5 |" in text
    assert "not judged with --quick: 1 goals of a full run" in text
    assert text.endswith("no goal was judged\n")


@pytest.mark.parametrize(("ours", "reached"), [(92.9, False), (93, True), (97, True), (97.1, False)])
def test_a_goal_may_be_a_range(ours: float, reached: bool) -> None:
    report = Report("x")
    report.add("covered", unit="%", ours=ours, goal="ours in 93 to 97")
    assert report.rows[0].reached is reached


@pytest.mark.parametrize("goal", ["at least 2", "ratio > 2", "ratio >= fast", "ours in 93"])
def test_a_goal_that_cannot_be_read_is_an_error(goal: str) -> None:
    with pytest.raises(ValueError, match="is no goal"):
        Report("x").add("a", unit="s", ours=1.0, peer=1.0, goal=goal)
    with pytest.raises(ValueError, match="needs a peer"):
        Report("x").add("a", unit="s", ours=1.0, goal="ratio >= 2")


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.stem)
def test_every_benchmark_has_help_and_the_shared_flags(
    script: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.syspath_prepend(str(script.parent))
    monkeypatch.setenv("THP_MEM_ALLOC_ENABLE", "1")  # else metrics.py starts itself again with it
    monkeypatch.setattr(sys, "argv", [str(script), "--help"])
    with pytest.raises(SystemExit) as ended:
        runpy.run_path(str(script), run_name="__main__")
    assert ended.value.code == 0
    shown = capsys.readouterr().out
    assert "--quick" in shown
    assert "--json" in shown
    text = script.read_text("utf-8")
    assert "from report import" in text
    assert "sys.exit(main(measure" in text
