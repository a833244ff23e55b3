"""`refbench evaluate` and the evaluation modes, as a user types them, on drawn faces and without networks."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from refbench.cli import app
from refbench.errors import RefbenchError
from refbench.leaderboard.examples.example import write_example
from refbench.leaderboard.store.store import Store
from refbench.metrics.catalogue import PROTOCOLS
from refbench.records.card import read_card
from toys import files_of
from typer.testing import CliRunner, Result

SCORED = ("-p", "psnr/rgb", "-p", "copy/face-correlation-v1")


def run(*words: object) -> Result:
    return CliRunner().invoke(app, [str(word) for word in words])


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("drawn")
    write_example(root, {"psnr/rgb": PROTOCOLS["psnr/rgb"]}, models=1, identities=4, size=64)
    return root / "set"


def evaluate(drawn: Path, root: Path, mode: str) -> Result:
    model = "lq-copy" if mode == "0" else "reference-copy"
    words = (drawn, "-m", model, "-r", "refldm-severe", "--no-times", *SCORED)
    return run(
        "evaluate",
        *words,
        "-s",
        root / "store",
        "-o",
        root / mode,
        "--references",
        mode,
        "--precision",
        "bfloat16",
    )


@pytest.fixture(scope="module")
def evaluated(drawn: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("evaluated")
    for mode in ("all", "1", "0", "wrong"):
        done = evaluate(drawn, root, mode)
        assert done.exit_code == 0, (mode, done.exception, done.output)
    return root


def test_every_mode_is_a_benchmark_of_its_own_and_says_so(evaluated: Path) -> None:
    stored = {s.record.info.benchmark.references: s for s in Store(evaluated / "store").stored()}
    assert set(stored) == {"all", "1", "0", "wrong"}
    assert len({s.record.info.benchmark.set_hash for s in stored.values()}) == 4
    assert "-references-wrong-" in stored["wrong"].folder.parent.name
    assert "references" not in stored["all"].folder.parent.name
    assert stored["1"].record.info.card.references == "1"
    copied = stored["wrong"].record.scores
    right = stored["all"].record.scores
    psnr = {name: s[s.protocol == "psnr/rgb"]["value"].mean() for name, s in (("w", copied), ("r", right))}
    assert psnr["w"] < psnr["r"]
    alone = stored["0"].record.scores
    reasons = alone[alone.protocol.str.startswith("copy/")]["reason"]
    assert set(reasons) == {"this image has no references"}


def test_a_killed_run_goes_on_and_ends_with_the_same_bytes(
    drawn: Path, evaluated: Path, tmp_path: Path
) -> None:
    shutil.copytree(evaluated, tmp_path / "half")
    whole = files_of(evaluated, "*.p*")
    first = sorted((tmp_path / "half" / "all" / "refldm-severe").glob("*.png"))[0]
    first.unlink()
    for record in (tmp_path / "half" / "store").glob("*/*/record.json"):
        if "references" not in record.parent.parent.name:
            shutil.rmtree(record.parent)
    done = evaluate(drawn, tmp_path / "half", "all")
    assert done.exit_code == 0
    assert files_of(tmp_path / "half", "*.p*") == whole


def test_the_mode_comes_from_the_card_unless_it_is_given(
    drawn: Path, evaluated: Path, tmp_path: Path
) -> None:
    folder = evaluated / "wrong" / "refldm-severe"
    assert read_card(folder / "submission.yaml").references == "wrong"
    words = ("score", drawn, folder, "-r", "refldm-severe", "-p", "psnr/rgb", "--json")
    by_card = json.loads(run(*words, "-s", tmp_path / "a").stdout)
    by_word = json.loads(run(*words, "-s", tmp_path / "b", "--references", "all").stdout)
    assert by_card[0]["references"] == "wrong"
    assert "references" not in by_word[0]
    assert isinstance(run(*words, "-s", tmp_path / "c", "--references", "some").exception, RefbenchError)
    assert isinstance(run(*words, "-s", tmp_path / "c", "--precision", "half").exception, RefbenchError)


def test_the_site_shows_modes_with_their_pictures_and_a_curve(
    drawn: Path, evaluated: Path, tmp_path: Path
) -> None:
    given = [evaluated / mode / "refldm-severe" for mode in ("wrong", "all")]
    done = run("publish", evaluated / "store", drawn, *given, "-o", tmp_path / "site")
    assert done.exit_code == 0, done.output
    page = (tmp_path / "site" / "index.html").read_text("utf-8")
    assert "Severe, wrong person&#39;s references" in page
    assert "Severe, 1 reference" in page
    assert "by references given" in page
    assert ">8</dd>" in page, "eight images, however many modes they were scored under"
    hero = page[: page.index('<nav class="tabs"')]
    assert "references-wrong" not in hero
    wrong = next((tmp_path / "site" / "compare").glob("*references-wrong*.html"))
    assert "pictures/" in wrong.read_text("utf-8")


def test_a_model_that_fails_leaves_no_record_unless_holes_are_allowed(drawn: Path, tmp_path: Path) -> None:
    (tmp_path / "few").mkdir()
    some = sorted((drawn / "lq" / "refldm-severe").glob("*.png"))
    for path in some[1:]:
        shutil.copy(path, tmp_path / "few" / path.name)
    words = ("evaluate", drawn, "-m", tmp_path / "few", "-r", "refldm-severe", "-p", "psnr/rgb")
    where = ("-s", tmp_path / "store", "-o", tmp_path / "out")
    raised = run(*words, *where).exception
    assert "the restored image is missing" in str(raised)
    assert not list((tmp_path / "store").glob("*/*/record.json"))
    done = run(*words, *where, "--allow-missing")
    assert done.exit_code == 0, done.exception
    scores = Store(tmp_path / "store").records()[0].scores
    assert list(scores[scores["value"].isna()]["key"]) == [some[0].stem]
