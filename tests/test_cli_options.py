"""Options on the command line: flags from the fields, a flag wins over YAML, YAML over the default."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import refbench as rb
import typer
from pydantic import BaseModel
from refbench.builders.settings.options import ImportOptions
from refbench.cli import app
from refbench.command_line import option_flags
from refbench.command_line.arguments import AsJson, emit
from refbench.command_line.commands import OldFlag
from refbench.command_line.option_flags import options_command
from typer.main import get_command
from typer.testing import CliRunner, Result

OPTIONS = {
    "build": rb.BuildOptions,
    "import": ImportOptions,
    "degrade": rb.DegradeOptions,
    "restore": rb.RestoreOptions,
    "score": rb.ScoreOptions,
    "evaluate": rb.EvaluateOptions,
    "publish": rb.PublishOptions,
}
SPELLED = {"protocols": "--protocol", "record_times": "--times"}
ARGUMENTS = {"reference_sets", "submissions"}


def every_field(cls: type[BaseModel], outer: str = "") -> list[str]:
    """Names of all fields, those of nested objects as ``outer.inner``."""
    names = []
    for name, field in cls.model_fields.items():
        inner = field.annotation
        if isinstance(inner, type) and issubclass(inner, BaseModel):
            names += every_field(inner, f"{outer}{name}.")
        else:
            names.append(f"{outer}{name}")
    return names


@pytest.mark.parametrize("verb", OPTIONS)
def test_every_option_has_a_flag_or_is_an_object_of_its_own(verb: str) -> None:
    command: Any = get_command(app).commands[verb]
    flags = {flag for p in command.get_params(command.context_class(command)) for flag in p.opts}
    plain = {name for name in every_field(OPTIONS[verb]) if "." not in name} - ARGUMENTS
    wanted = {SPELLED.get(name, "--" + name.replace("_", "-")) for name in plain}
    assert wanted <= flags
    assert {"--options", "--options-help", "--json"} <= flags


@pytest.mark.parametrize("verb", OPTIONS)
def test_options_help_lists_every_option_with_its_meaning(verb: str) -> None:
    shown = CliRunner().invoke(app, [verb, "--options-help"])
    assert shown.exit_code == 0, shown.exception
    blocks = dict(block.split("  (", 1) for block in shown.stdout.split("\n\n")[1:])
    assert list(blocks) == every_field(OPTIONS[verb])
    for name, block in blocks.items():
        facts, _, meaning = block.partition(")\n")
        assert "default " in facts, name
        assert len(meaning.split()) >= 3, name


def test_options_help_of_build_gives_ranges_and_the_fields_of_nested_options() -> None:
    shown = CliRunner().invoke(app, ["build", "--options-help"]).stdout
    assert "image_size  (--image-size; default 512; at least 64; at most 1024)" in shown
    assert "quality_filters.max_yaw  (YAML and Python; default 75.0; at least 0.0; at most 180.0)" in shown
    assert "threshold  (--threshold; default none; at least 0.0; at most 2.0)" in shown
    assert "overrides.merge  (YAML and Python; default none)" in shown


class Seen:
    """A command of the options of `build` that keeps what it was given."""

    def __init__(self) -> None:
        self.options: Any = None
        self.app = typer.Typer()

        @options_command(
            self.app,
            "try",
            options=lambda: rb.BuildOptions,
            example="refbench try photos",
            old=[OldFlag("--size", "--image-size")],
        )
        def attempt(photos: str, options: Any, as_json: AsJson = False) -> None:
            """Keep the options."""
            self.options = options
            emit({"photos": photos}, as_json, photos)

    def run(self, *words: str) -> Result:
        return CliRunner().invoke(self.app, ["photos", *words])


@pytest.fixture
def seen() -> Seen:
    return Seen()


@pytest.fixture
def file(tmp_path: Path) -> str:
    path = tmp_path / "options.yaml"
    path.write_text("image_size: 256\nseed: 7\nquality_filters: {max_yaw: 30}\n")
    return str(path)


def test_a_flag_wins_over_yaml_and_yaml_over_the_default(seen: Seen, file: str) -> None:
    assert seen.run("--options", file, "--image-size", "128").exit_code == 0
    assert (seen.options.image_size, seen.options.seed, seen.options.faces) == (128, 7, "largest")
    assert seen.options.quality_filters.max_yaw == 30


def test_a_flag_that_was_not_given_takes_nothing_from_yaml(seen: Seen, file: str) -> None:
    assert seen.run("--options", file).exit_code == 0
    assert seen.options == rb.BuildOptions.read(Path(file), {})


@pytest.mark.parametrize(("text", "value"), [("150", 150), ("0.25", 0.25), ("1.0", 1.0), ("1", 1)])
def test_a_split_is_a_count_or_a_share_as_in_yaml(seen: Seen, text: str, value: float) -> None:
    assert seen.run("--test", text).exit_code == 0
    assert seen.options.test == value
    assert type(seen.options.test) is type(value)


def test_a_switch_can_be_turned_off_against_the_file(seen: Seen, tmp_path: Path) -> None:
    (tmp_path / "o.yaml").write_text("flip: true\n")
    assert seen.run("--options", str(tmp_path / "o.yaml"), "--no-flip").exit_code == 0
    assert seen.options.flip is False


def test_text_that_looks_like_a_number_stays_text_where_names_are_wanted(seen: Seen) -> None:
    assert seen.run("--name", "007").exit_code == 0
    assert seen.options.name == "007"


def test_faults_of_file_and_flags_are_told_at_once(seen: Seen, tmp_path: Path) -> None:
    (tmp_path / "o.yaml").write_text("image_sise: 3\n")
    said = str(seen.run("--options", str(tmp_path / "o.yaml"), "--threshold", "3").exception)
    assert "did you mean 'image_size'?" in said
    assert "threshold: Input should be less than or equal to 2; got 3.0 (Cosine distance, 0 to 2" in said


def test_an_old_flag_works_and_says_the_new_one(seen: Seen) -> None:
    done = seen.run("--size=96")
    assert seen.options.image_size == 96
    assert "--size is the option --image-size now" in done.stderr


@pytest.mark.parametrize(
    ("annotation", "kind"),
    [
        (bool, bool),
        (int | None, int),
        (tuple[Path, ...], list[Path]),
        (rb.BuildOptions, None),
        (str | int, str),
    ],
    ids=str,
)
def test_the_type_of_a_flag(annotation: Any, kind: Any) -> None:
    assert option_flags.flag_type(annotation) == kind
