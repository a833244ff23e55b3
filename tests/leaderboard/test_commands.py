"""The commands of the leaderboard as a user types them: what they print, write, and end with."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import yaml
from refbench.cli import app
from refbench.errors import RefbenchError
from refbench.files import write_bytes
from refbench.images import encode_png
from refbench.leaderboard.examples.example import write_example
from refbench.leaderboard.examples.synthetic import SyntheticImages, make_synthetic_records
from refbench.leaderboard.figures.figures import table_figures
from refbench.leaderboard.statistics.ranking import make_board
from refbench.leaderboard.store.settings import BoardSettings
from refbench.leaderboard.store.store import Store
from refbench.metrics.catalogue import PROTOCOLS
from refbench.records.record import Record
from refbench.records.reference_set import ReferenceSet, content_hash
from toy_boards import uneven_records
from toys import store_of
from typer.testing import CliRunner, Result

DECLARED = {name: PROTOCOLS[name] for name in ("psnr/rgb", "ids/mobilefacenet-5pt-v1")}


def run(*words: object) -> Result:
    return CliRunner().invoke(app, [str(word) for word in words])


def fault_of(*words: object) -> RefbenchError:
    raised = run(*words).exception
    assert isinstance(raised, RefbenchError), raised
    return raised


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("scene")
    write_example(root, DECLARED, models=3, identities=5, size=32)
    return root


def test_commands_are_light_to_import() -> None:
    heavy = ("torch", "pandas", "cv2", "numpy", "pydantic", "jinja2", "yaml")
    code = f"import sys, refbench.leaderboard.commands; print([n for n in {heavy!r} if n in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_from_a_new_card_to_a_checked_submission(tmp_path: Path) -> None:
    folder = tmp_path / "mine"
    made = run("submission", "new", folder, "--model", "Mine", "--team", "We")
    assert made.exit_code == 0
    assert "refbench submission check" in made.stdout
    assert fault_of("submission", "new", folder).exit_code == 1
    assert "no KEY.png" in str(fault_of("submission", "check", folder))
    (folder / "a.png").write_bytes(encode_png(np.zeros((8, 8, 3), dtype=np.uint8)))
    checked = run("submission", "check", folder)
    assert checked.exit_code == 0
    assert "1 images, nothing is wrong. Next: refbench score" in checked.stdout


def test_check_tells_faults_in_words_and_as_json(scene: Path, tmp_path: Path) -> None:
    folder = tmp_path / "copy"
    shutil.copytree(next((scene / "submissions").glob("*severe/*")), folder)
    assert run("submission", "check", scene / "set", folder).exit_code == 0
    next(folder.glob("*.png")).unlink()
    fault = fault_of("submission", "check", scene / "set", folder)
    assert "the restored image is missing" in str(fault)
    assert fault.exit_code == 1
    said = run("submission", "check", scene / "set", folder, "--json")
    assert said.exit_code == 1
    assert len(json.loads(said.stdout)["faults"]) == 1


def test_records_are_imported_listed_superseded_and_verified(scene: Path, tmp_path: Path) -> None:
    store = tmp_path / "store"
    assert run("records", "import", store, scene / "store").exit_code == 0
    assert run("records", "verify", store).stdout.startswith(f"{store}: 6 records, nothing is wrong")
    rows = json.loads(run("records", "list", store, "--json").stdout)
    assert [row["record"] for row in rows[:3]] == ["Model-A@1", "Model-B@1", "Model-C@1"]
    old, new = (Store(store).stored()[i].folder for i in (1, 0))
    assert run("records", "supersede", old, new).exit_code == 0
    assert "superseded by Model-A@1" in run("records", "list", store).stdout
    (old / "record.json").write_text("{}")
    assert "not a readable record" in str(fault_of("records", "verify", store))
    assert json.loads(run("records", "verify", store, "--json").stdout)[0]["where"].endswith("Model-B@1")


def test_flags_are_found_and_kept_once(scene: Path, tmp_path: Path) -> None:
    store = tmp_path / "store"
    run("records", "import", store, scene / "store")
    given = sorted((scene / "submissions").glob("*severe/*"))
    first = run("records", "flag", store, scene / "set", *given)
    assert first.exit_code == 0
    assert len(first.stdout.splitlines()) == 3
    assert len(list(store.rglob("flags.json"))) == 3
    assert run("records", "flag", store, scene / "set", *given).stdout == first.stdout


def test_two_models_are_compared(scene: Path) -> None:
    said = run("compare", scene / "store", "model a", "Model-C@1")
    assert "PSNR (RGB)" in said.stdout
    rows = json.loads(run("compare", scene / "store", "Model A", "Model C", "--json").stdout)
    assert {row["protocol"] for row in rows} == set(DECLARED)
    assert "did you mean" in str(fault_of("compare", scene / "store", "Modell A", "Model C"))


def test_compare_says_what_the_mean_is_over_and_what_it_cannot_promise(tmp_path: Path) -> None:
    store = store_of(tmp_path / "store", uneven_records())
    over_images = run("compare", store.root, "Model A", "Model B").stdout
    assert "24 images of 6 people, means over images" in over_images
    assert "some people hold more images than others: 6 people weigh like 4.6 of equal size" in over_images
    assert "p < 0.05 exactly when the interval leaves out 0" in over_images
    assert over_images.endswith("The other mean: --mean people.\n")
    over_people = run("compare", store.root, "Model A", "Model B", "--mean", "people", "--seed", 3).stdout
    assert "means over people" in over_people
    assert "weigh like" not in over_people
    rows = {
        over: json.loads(run("compare", store.root, "Model A", "Model B", "--mean", over, "--json").stdout)
        for over in ("images", "people")
    }
    scores = [record.scores.query("protocol == 'psnr/rgb'") for record in uneven_records()[:2]]
    means = [scored.groupby("identity")["value"].mean().mean() for scored in scores]
    row = next(row for row in rows["people"] if row["protocol"] == "psnr/rgb")
    assert (row["a"], row["b"], row["mean_over"]) == (*map(pytest.approx, means), "people")
    assert row["a"] != next(row for row in rows["images"] if row["protocol"] == "psnr/rgb")["a"]
    for row in rows["images"] + rows["people"]:
        assert (row["p"] < 0.05) == (row["low"] > 0 or row["high"] < 0)


def test_an_example_can_be_published(tmp_path: Path) -> None:
    made = run("records", "example", tmp_path / "ex", "--models", 2, "--identities", 2)
    assert made.exit_code == 0, made.exception
    assert "refbench publish" in made.stdout
    assert fault_of("records", "example", tmp_path / "ex").exit_code == 2


def test_the_workflow_is_printed_as_it_is_shipped() -> None:
    assert "deploy" in yaml.safe_load(run("records", "workflow").stdout)["jobs"]


def test_a_challenge_is_written(scene: Path, tmp_path: Path) -> None:
    words = ("--recipe", "refldm-severe", "--title", "Spring", "--start", "2030-01-31", "-p", "psnr/rgb")
    words = (*words, "--show-targets")
    done = run("codabench", scene / "set", "--out", tmp_path / "c.zip", *words)
    assert done.exit_code == 0, done.exception
    assert (tmp_path / "c.zip").is_file()


def test_a_kit_shows_lq_and_references_and_no_hq_that_is_scored(scene: Path, tmp_path: Path) -> None:
    out, made = tmp_path / "kit", tmp_path / "challenge"
    said = str(fault_of("kit", scene / "set", "--out", out, "--recipe", "refldm-severe"))
    assert f"refbench challenge {scene / 'set'}" in said
    assert "are to be restored" in run("challenge", scene / "set", "--out", made).stdout
    chosen = ReferenceSet.read(made)
    assert chosen.info.content_hash == content_hash(chosen.targets)
    assert len({t.identity for t in chosen.select("test")}) == len(chosen.select("test")) == 5
    for target in chosen.select("test"):
        lq = scene / "set" / "lq" / "refldm-severe" / f"{target.key}.png"
        write_bytes(chosen.lq_path("refldm-severe", target.key), lq.read_bytes())
    assert run("kit", made, "--out", out, "--recipe", "refldm-severe").exit_code == 0
    shown = {path.read_bytes() for path in out.rglob("*.png")}
    assert shown.isdisjoint(chosen.hq_path(t.key).read_bytes() for t in chosen.select("test"))
    listed = json.loads((out / "references.json").read_text())
    assert sorted(listed) == sorted(path.stem for path in (out / "lq").iterdir())
    named = {name for names in listed.values() for name in names}
    assert {f"references/{path.name}" for path in (out / "references").iterdir()} == named
    assert sorted(path.name for path in out.iterdir()) == [
        "lq",
        "references",
        "references.json",
        "submission.yaml",
    ]
    assert "holds files" in str(fault_of("kit", made, "--out", out, "--recipe", "x"))


def test_a_container_restores_a_kit_and_is_run_walled_in(scene: Path, tmp_path: Path) -> None:
    box, kit, out, engine = (tmp_path / name for name in ("box", "kit", "out", "engine"))
    assert "docker build" in run("container", box, "--model", "Boxed").stdout
    assert "holds files" in str(fault_of("container", box))
    words = ("--out", kit, "--recipe", "refldm-severe", "--show-targets")
    assert run("kit", scene / "set", *words).exit_code == 0
    engine.write_text('#!/bin/sh\nprintf "%s\\n" "$@"\n')
    engine.chmod(0o700)
    asked = {"env": {"PATH": "/usr/bin:/bin", "ENGINE": str(engine)}, "capture_output": True, "text": True}
    done = subprocess.run(["sh", box / "run.sh", "boxed", kit, out, "--gpus", "all"], **asked)
    given = done.stdout.splitlines()
    assert given[:5] == ["run", "--rm", "--network", "none", "--read-only"]
    assert {f"{kit}:/kit:ro", f"{out}:/out", "no-new-privileges"} <= set(given)
    assert given[-3:] == ["--gpus", "all", "boxed"]
    assert subprocess.run(["sh", box / "run.sh", "boxed"], **asked).returncode == 2
    subprocess.run([sys.executable, box / "restore_all.py", kit, out], check=True)
    assert run("submission", "check", scene / "set", out).exit_code == 0


def test_a_study_from_page_to_scores(scene: Path, tmp_path: Path) -> None:
    store = tmp_path / "store"
    run("records", "import", store, scene / "store")
    given = sorted((scene / "submissions").glob("*severe/*"))
    words = ("--out", tmp_path / "s", "--recipe", "refldm-severe", "--items", 6)
    made = run("study", "new", store, scene / "set", *given, *words)
    assert made.exit_code == 0, made.exception
    key = json.loads((tmp_path / "s.key.json").read_text())
    votes = [{"trial": t["id"], "choice": "first" if t["first"] != "lq" else "second"} for t in key["trials"]]
    for person in "ab":
        content = {"study": key["study"], "participant": person, "votes": votes}
        (tmp_path / f"{person}.json").write_text(json.dumps(content))
    done = run(
        "study",
        "analyse",
        tmp_path / "s.key.json",
        tmp_path / "a.json",
        tmp_path / "b.json",
        "--store",
        store,
    )
    assert done.exit_code == 0, done.exception
    assert "2 participants" in done.stdout
    assert "Model A" in done.stdout
    assert len(list(store.glob("*/study-*.json"))) == 1


def test_models_run_with_several_numbers_of_references_make_a_curve(tmp_path: Path) -> None:
    store = Store(tmp_path / "store")
    for used, record in zip(
        (1, 3, 5),
        make_synthetic_records(DECLARED, 3, SyntheticImages.make(24, 8), recipes=("r@1",)),
        strict=True,
    ):
        card = record.info.card.model_copy(
            update={"model": "One", "version": f"r{used}", "references_used": used}
        )
        store.add(Record(record.info.model_copy(update={"card": card}), record.scores))
    table = make_board(store.stored(), PROTOCOLS, BoardSettings()).tables[0]
    captions = [figure["caption"] for figure in table_figures(table, BoardSettings(), [])]
    assert any("by references used" in caption for caption in captions)
