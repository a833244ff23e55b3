"""The Codabench bundle, unpacked as the platform does; its program's scores compared with ours."""

from __future__ import annotations

import io
import json
import re
import subprocess
import sys
import zipfile
from importlib import import_module, resources
from pathlib import Path

import pytest
import yaml
from refbench.errors import InvalidInputError, RefbenchError
from refbench.leaderboard.examples.example import write_example
from refbench.leaderboard.sharing.codabench import Challenge, column_key, write_codabench_bundle
from refbench.metrics import legacy_score
from refbench.metrics.catalogue import PROTOCOLS
from refbench.metrics.scoring.score import score_images
from refbench.records.card import Card
from refbench.records.reference_set import ReferenceSet
from toys import files_of

CHOSEN = [PROTOCOLS[name] for name in ("psnr/rgb", "ssim/y-full")]
SPRING = Challenge("Spring faces", "2030-03-01", "2030-06-01", contact="us@example.org")
OLD_PROGRAM = Path(__file__).parents[1] / "fixtures" / "v0_1" / "codabench_score.py"
Scene = tuple[ReferenceSet, Path]


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Scene:
    declared = {protocol.id: protocol for protocol in CHOSEN}
    _, chosen, folders = write_example(
        tmp_path_factory.mktemp("scene"), declared, models=1, identities=3, size=32
    )
    return chosen, folders[-1]


@pytest.fixture(scope="module")
def bundle(scene: Scene, tmp_path_factory: pytest.TempPathFactory) -> zipfile.ZipFile:
    path = write_codabench_bundle(
        scene[0],
        "refldm-severe",
        tmp_path_factory.mktemp("bundle"),
        challenge=SPRING,
        protocols=CHOSEN,
        show_targets=True,
    )
    return zipfile.ZipFile(path)


def test_everything_the_bundle_names_is_in_it(bundle: zipfile.ZipFile) -> None:
    told = yaml.safe_load(bundle.read("competition.yaml"))
    names = set(bundle.namelist())
    named = [told["image"], told["terms"], *(page["file"] for page in told["pages"])]
    named += [told["tasks"][0][part] for part in ("scoring_program", "reference_data")]
    named += [phase["public_data"] for phase in told["phases"]]
    assert set(named) <= names
    assert told["version"] == 2
    columns = told["leaderboards"][0]["columns"]
    assert [(c["key"], c["sorting"], c["precision"]) for c in columns] == [
        ("psnr_rgb", "desc", 2),
        ("ssim_y_full", "desc", 4),
    ]
    assert told["phases"][0]["start"] == "2030-03-01 00:00:00"
    assert told["phases"][0]["end"] == "2030-06-01 23:59:59", "the last day counts"


REQUIRED = {
    "": {"version", "title", "image", "terms"},
    "pages": {"title", "file"},
    "phases": {"name", "start", "tasks"},
    "tasks": {"index", "name", "scoring_program"},
    "leaderboards": {"title", "key", "columns"},
    "columns": {"title", "key", "index"},
}
OPTIONAL = {
    "": {
        *("description", "registration_auto_approve", "docker_image", "make_programs_available", "queue"),
        *("make_input_data_available", "enable_detailed_results", "contact_email", "reward", "forum_enabled"),
        *("auto_run_submissions", "can_participants_make_submissions_public", "fact_sheet", "solutions"),
        *("show_detailed_results_in_submission_panel", "show_detailed_results_in_leaderboard"),
        *("pages", "phases", "tasks", "leaderboards"),
    },
    "pages": set(),
    "phases": {
        *("index", "end", "max_submissions", "max_submissions_per_day", "auto_migrate_to_this_phase"),
        *(
            "execution_time_limit",
            "hide_output",
            "hide_prediction_output",
            "hide_score_output",
            "description",
        ),
        *("starting_kit", "public_data", "accepts_only_result_submissions"),
    },
    "tasks": {
        *("key", "description", "input_data", "reference_data", "ingestion_program"),
        "ingestion_only_during_scoring",
    },
    "leaderboards": {"submission_rule", "hidden"},
    "columns": {"sorting", "computation", "computation_indexes", "precision", "hidden"},
}
"""Fields of ``competition.yaml``, version 2, by docs.codabench.org, "YAML Structure"."""


@pytest.mark.parametrize("part", REQUIRED)
def test_the_platform_knows_every_field_and_misses_none(bundle: zipfile.ZipFile, part: str) -> None:
    told = yaml.safe_load(bundle.read("competition.yaml"))
    parts = {"": [told], "columns": told["leaderboards"][0]["columns"]}
    for found in parts.get(part) or told[part]:
        assert REQUIRED[part] <= set(found), "a field that the platform requires is absent"
        assert set(found) <= REQUIRED[part] | OPTIONAL[part], "the platform ignores unknown fields in silence"


def test_participants_get_lq_and_references_under_names_that_say_nothing(
    scene: Scene, bundle: zipfile.ZipFile
) -> None:
    public = zipfile.ZipFile(io.BytesIO(bundle.read("public_data.zip")))
    targets = scene[0].select("test")
    listed = json.loads(public.read("references.json"))
    assert set(listed) == {target.key for target in targets}
    for target in targets:
        assert (
            public.read(f"lq/{target.key}.png") == scene[0].lq_path("refldm-severe", target.key).read_bytes()
        )
        assert len(listed[target.key]) == len(target.references)
        for name, key in zip(listed[target.key], target.references, strict=True):
            assert public.read(name) == scene[0].hq_path(key).read_bytes()
            assert key not in name
    assert not [name for name in public.namelist() if name.startswith("set/")]


def test_targets_that_are_references_of_others_are_named(
    scene: Scene, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    targets = scene[0].select("test")
    leaks = {t.key for t in targets} & {key for t in targets for key in t.references}
    assert leaks
    words = f"{len(leaks)} of {len(targets)} targets are references of others"
    with pytest.raises(InvalidInputError, match=words):
        write_codabench_bundle(scene[0], "refldm-severe", tmp_path, challenge=SPRING, protocols=CHOSEN)
    assert not list(tmp_path.iterdir())
    write_codabench_bundle(
        scene[0], "refldm-severe", tmp_path, challenge=SPRING, protocols=CHOSEN, show_targets=True
    )
    assert f"warning: {words}" in capsys.readouterr().err


def test_the_same_inputs_give_the_same_bundle(scene: Scene, tmp_path: Path) -> None:
    paths = [
        write_codabench_bundle(
            scene[0],
            "refldm-severe",
            tmp_path / f"{n}.zip",
            challenge=SPRING,
            protocols=CHOSEN,
            show_targets=True,
        )
        for n in "ab"
    ]
    assert paths[0].read_bytes() == paths[1].read_bytes()


def run_program(
    bundle: zipfile.ZipFile, submission: Path, app: Path, *, program: bytes | None = None
) -> subprocess.CompletedProcess[str]:
    """What the platform does: unpack programs, data and submission below /app and run the command."""
    for name, place in (("scoring_program", "program"), ("reference_data", "input/ref")):
        zipfile.ZipFile(io.BytesIO(bundle.read(f"{name}.zip"))).extractall(app / place)
    (app / "input" / "res").mkdir(parents=True)
    for path in submission.iterdir():
        (app / "input" / "res" / path.name).write_bytes(path.read_bytes())
    if program is not None:
        (app / "program" / "score.py").write_bytes(program)
    command = yaml.safe_load((app / "program" / "metadata.yaml").read_text())["command"]
    words = [word.replace("/app", str(app)) for word in command.split()]
    return subprocess.run(
        [sys.executable, "-W", "always::DeprecationWarning:__main__", *words[1:]],
        capture_output=True,
        text=True,
        cwd=app,
    )


def test_the_scoring_program_gives_our_scores(scene: Scene, bundle: zipfile.ZipFile, tmp_path: Path) -> None:
    chosen, folder = scene
    done = run_program(bundle, folder, tmp_path)
    assert done.returncode == 0, done.stderr
    scores = json.loads((tmp_path / "output" / "scores.json").read_text())
    images = {target.key: folder / f"{target.key}.png" for target in chosen.select("test")}
    record = score_images(
        chosen,
        "refldm-severe",
        images,
        card=Card(model="M"),
        protocols=[p.scored_as for p in CHOSEN],
        device="cpu",
    )
    means = record.scores.groupby("protocol")["value"].mean()
    assert scores == {column_key(name): pytest.approx(value) for name, value in means.items()}
    assert (tmp_path / "output" / "record" / "record.json").is_file()


def test_the_scoring_program_of_0_1_gives_the_same_scores(
    scene: Scene, bundle: zipfile.ZipFile, tmp_path: Path
) -> None:
    for name, program in (("new", None), ("old", OLD_PROGRAM.read_bytes())):
        done = run_program(bundle, scene[1], tmp_path / name, program=program)
        assert done.returncode == 0, done.stderr
        assert ("DeprecationWarning" in done.stderr) == (name == "old")
    new, old = (tmp_path / name / "output" for name in ("new", "old"))
    assert (old / "scores.json").read_bytes() == (new / "scores.json").read_bytes()
    assert files_of(old / "record") == files_of(new / "record")


def test_the_scoring_program_uses_public_names_alone() -> None:
    text = resources.files("refbench.leaderboard.rendering").joinpath("templates", "codabench_score.py")
    imported = re.findall(r"from (refbench\S*) import (.*)", text.read_text("utf-8"))
    assert {module for module, _ in imported} == {"refbench", "refbench.leaderboard", "refbench.metrics"}
    for module, names in imported:
        assert set(names.split(", ")) <= set(import_module(module).__all__)


def test_arguments_of_0_1_that_do_not_fit_are_refused() -> None:
    with (
        pytest.warns(DeprecationWarning, match="arguments of 0.1"),
        pytest.raises(TypeError, match=r"missing: \['card'\]"),
    ):
        legacy_score.score_images("set", "test", "recipe", {})
    with (
        pytest.warns(DeprecationWarning, match="arguments of 0.1"),
        pytest.raises(TypeError, match="missing: none"),
    ):
        legacy_score.score_many("set", "test", [], split="val")


def test_a_faulty_submission_is_reported_in_full(
    scene: Scene, bundle: zipfile.ZipFile, tmp_path: Path
) -> None:
    own = tmp_path / "own"
    own.mkdir()
    (own / "unknown.png").write_bytes(b"no picture")
    done = run_program(bundle, own, tmp_path / "app")
    assert done.returncode == 1
    for words in ("no submission.yaml", "not a key of this set", "restored image is missing", "not a PNG"):
        assert words in done.stderr
    assert "Traceback" not in done.stderr


def test_impossible_options_are_reported(scene: Scene, tmp_path: Path) -> None:
    with pytest.raises(InvalidInputError, match="a date like"):
        write_codabench_bundle(
            scene[0], "refldm-severe", tmp_path, challenge=Challenge("T", "soon"), protocols=CHOSEN
        )
    with pytest.raises(InvalidInputError, match="at least one protocol"):
        write_codabench_bundle(scene[0], "refldm-severe", tmp_path, challenge=SPRING, protocols=[])
    with pytest.raises(RefbenchError, match="refbench degrade"):
        write_codabench_bundle(scene[0], "other", tmp_path, challenge=SPRING, protocols=CHOSEN)
    with pytest.raises(RefbenchError, match="split 'val'"):
        write_codabench_bundle(
            scene[0], "refldm-severe", tmp_path, challenge=SPRING, protocols=CHOSEN, split="val"
        )


def test_the_pages_workflow_is_valid_and_runs_commands_that_exist() -> None:
    templates = resources.files("refbench.leaderboard.rendering").joinpath("templates")
    text = templates.joinpath("github-pages.yml").read_text("utf-8")
    told = yaml.safe_load(text)
    runs = [step["run"] for step in told["jobs"]["check"]["steps"] if "run" in step]
    assert "refbench records verify store" in runs
    assert any(run.startswith("refbench publish store") for run in runs)
    assert told["jobs"]["deploy"]["permissions"] == {"pages": "write", "id-token": "write"}
