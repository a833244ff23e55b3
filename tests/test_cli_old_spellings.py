"""Commands as 0.1 spelled them still work, and one line on stderr says the new spelling."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from refbench.cli import app
from refbench.command_line.arguments import set_and_submissions
from refbench.leaderboard.examples.example import write_example
from refbench.leaderboard.store.store import Store
from refbench.metrics.catalogue import PROTOCOLS
from typer.main import get_command
from typer.testing import CliRunner, Result

ROOT: Any = get_command(app)


def run(*words: object) -> Result:
    done = CliRunner().invoke(app, [str(word) for word in words])
    assert done.exit_code == 0, (done.exception, done.stderr)
    return done


def read(name: str, *words: str) -> dict[str, Any]:
    """The parameters that a command makes of ``words``."""
    context = ROOT.commands[name].make_context(name, list(words))
    return {name: value for name, value in context.params.items() if value is not None}


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("scene")
    write_example(root, {"psnr/rgb": PROTOCOLS["psnr/rgb"]}, models=2, identities=4, size=32)
    return root


@pytest.mark.parametrize(
    ("name", "old", "new", "words"),
    [
        (
            "evaluate",
            "--model lq-copy --set SET -r a -r b -s STORE -o OUT --no-times",
            "SET --model lq-copy -r a -r b -s STORE -o OUT --no-times",
            ["--set is the argument SET now"],
        ),
        ("import-lq", "LQ --set SET --split val", "SET LQ --split val", ["--set is the argument SET now"]),
        ("import-lq", "LQ --set=SET", "SET LQ", ["--set is the argument SET now"]),
        (
            "publish",
            "STORE -o site --set A --submission X --set B --submission Y",
            "STORE A B X Y -o site",
            ["--set is the argument SET now", "--submission is the argument SUBMISSION now"],
        ),
        ("build", "PHOTOS -o set --size 128", "PHOTOS -o set --image-size 128", ["--image-size now"]),
        ("import", "SOURCE -o set --size 128", "SOURCE -o set --image-size 128", ["--image-size now"]),
    ],
)
def test_an_old_flag_is_read_as_the_new_spelling(
    name: str, old: str, new: str, words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    wanted = read(name, *new.split())
    assert capsys.readouterr().err == ""
    assert read(name, *old.split()) == wanted
    said = capsys.readouterr().err.splitlines()
    assert len(said) == len(words)
    assert all(word in line for word, line in zip(words, said, strict=True))


def test_values_that_look_like_old_flags_are_left_alone(capsys: pytest.CaptureFixture[str]) -> None:
    found = read("publish", "STORE", "-o", "site", "--", "--set", "A")
    assert [str(path) for path in found["pictures"]] == ["--set", "A"]


@pytest.mark.parametrize("old", ["kit", "challenge", "container"])
def test_commands_that_left_the_group_submission_are_found_there(old: str) -> None:
    done = run("submission", old, "--help")
    assert f"submission {old} is spelled refbench {old} now" in done.stderr
    assert f"Example: refbench {old} " in done.stdout


def test_codabench_is_found_among_the_records() -> None:
    assert (
        "records codabench is spelled refbench codabench now" in run("records", "codabench", "--help").stderr
    )


def test_recipes_alone_lists_and_with_a_name_shows() -> None:
    listed = run("recipes")
    assert listed.stdout == run("recipes", "list").stdout
    assert listed.stderr.count("\n") == 1
    assert "recipes list now" in listed.stderr
    shown = run("recipes", "codeformer")
    assert shown.stdout == run("recipes", "show", "codeformer").stdout
    assert "recipes show codeformer now" in shown.stderr


def test_whole_commands_of_0_1_do_what_they_did(scene: Path, tmp_path: Path) -> None:
    chosen, store = scene / "set", tmp_path / "store"
    run("records", "import", store, scene / "store")
    one = next(iter(sorted((scene / "submissions").glob("*severe/*"))))
    assert "nothing is wrong" in run("submission", "check", one, "--set", chosen).stdout
    flagged = run("records", "flag", store, "--set", chosen, one)
    assert flagged.stdout == run("records", "flag", store, chosen, one).stdout
    run("submission", "container", tmp_path / "box")
    page = run("publish", store, "--out", tmp_path / "site", "--set", chosen, "--submission", one).stdout
    assert Path(page.strip()).is_file()
    assert len(Store(store).stored()) == 4


def test_a_folder_with_set_json_is_a_set_wherever_it_stands(scene: Path) -> None:
    one = scene / "submissions"
    assert set_and_submissions([one, scene / "set"]) == ([scene / "set"], [one])
