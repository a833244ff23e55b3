"""One grammar of the command line: every command has an example, prints JSON and names the set alike."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from refbench.cli import app
from refbench.command_line.commands import PANELS, Command, Group
from typer.main import get_command
from typer.testing import CliRunner

PRINTS_NO_RESULT = {"records supersede", "records workflow"}
"""The one changes records and prints a sentence, the other prints a file."""

GROUPS_OF_THE_HELP = {
    "Set": "build inspect audit review verify rebuild export import import-lq",
    "Degrade": "degrade recipes preview",
    "Model": "restore models presets train",
    "Score": "measure score evaluate metrics",
    "Board": "compare publish records study",
    "Take part, organise": "submission challenge kit container codabench",
    "Housekeeping": "doctor weights samples demo",
}
READ_FIRST = {"STORE", "KIND"}
"""What may stand before the set: the store of a board's command, and the kind of a training."""

ROOT: Any = get_command(app)
REPOSITORY = Path(__file__).resolve().parents[1]
DOCUMENTS = [
    "README.md",
    *(f"docs/{path.name}" for path in sorted((REPOSITORY / "docs").glob("*.md")) if path.stem != "migrating"),
]


def walk(command: Any, name: str = "") -> Iterator[tuple[str, Any]]:
    """Every command that is no group, with the words after `refbench`."""
    if isinstance(command, Group):
        for part, inner in command.commands.items():
            yield from walk(inner, f"{name} {part}".strip())
    else:
        yield name, command


COMMANDS = dict(walk(ROOT))


def parameters(command: Any) -> list[Any]:
    return command.get_params(command.context_class(command))


def metavars(command: Any) -> list[str]:
    """Names of the arguments as the usage line shows them."""
    return [p.metavar or p.name.upper() for p in parameters(command) if p.param_type_name == "argument"]


def test_every_command_is_found() -> None:
    assert len(COMMANDS) > 45
    assert all(isinstance(command, Command) for command in COMMANDS.values())


@pytest.mark.parametrize("panel", PANELS)
def test_the_help_groups_the_verbs(panel: str) -> None:
    found = {name for name, command in ROOT.commands.items() if command.rich_help_panel == panel}
    assert found == set(GROUPS_OF_THE_HELP[panel].split())


def test_the_groups_stand_in_the_order_of_the_work() -> None:
    shown = CliRunner().invoke(app, ["--help"], env={"COLUMNS": "120"}).output
    places = [shown.index(f" {panel} ─") for panel in PANELS]
    assert places == sorted(places)
    assert "Commands ─" not in shown


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_every_command_ends_its_help_with_an_example_that_it_understands(name: str) -> None:
    command = COMMANDS[name]
    assert command.epilog.startswith(f"Example: refbench {name}")
    words = shlex.split(command.epilog.removeprefix("Example: refbench ").partition(" > ")[0])
    left = words[len(name.split()) :]
    command.make_context(name, left)  # raises a usage error for an unknown flag or an absent argument


@pytest.mark.parametrize("name", sorted({*COMMANDS} - PRINTS_NO_RESULT))
def test_every_command_that_prints_a_result_prints_json(name: str) -> None:
    (flag,) = [p for p in parameters(COMMANDS[name]) if "--json" in p.opts]
    assert flag.is_flag


def test_the_list_of_commands_without_json_is_up_to_date() -> None:
    without = {
        name for name, command in COMMANDS.items() if not any("--json" in p.opts for p in parameters(command))
    }
    assert without == PRINTS_NO_RESULT


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_the_set_is_an_argument_before_all_but_a_store(name: str) -> None:
    command = COMMANDS[name]
    flags = {flag for p in parameters(command) if p.param_type_name == "option" for flag in p.opts}
    assert not flags & {"--set", "--submission", "--submissions", "--reference-set", "--reference-sets"}
    names = metavars(command)
    if "SET" in names:
        assert set(names[: names.index("SET")]) <= READ_FIRST
    for place, metavar in enumerate(names):
        if metavar.startswith("SUBMISSION") and "SET" in names:
            assert place > names.index("SET")


@pytest.mark.parametrize(
    "group", ["metrics", "recipes", "models", "presets", "weights", "samples", "records"]
)
def test_what_there_is_can_be_listed_and_shown(group: str) -> None:
    assert {"list", "show"} <= set(ROOT.commands[group].commands)


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_short_flags_mean_the_same_everywhere(name: str) -> None:
    short = {"-o": "--out", "-r": "--recipe", "-m": "--model", "-s": "--store", "-p": "--protocol"}
    for parameter in parameters(COMMANDS[name]):
        for flag in parameter.opts:
            if flag in short:
                assert short[flag] in parameter.opts


def commands_of(text: str) -> Iterator[str]:
    """Lines of the code blocks of a Markdown text that call `refbench`, continued lines joined."""
    for block in re.findall(r"```[a-z]*\n(.*?)```", text, flags=re.DOTALL):
        for line in block.replace("\\\n", " ").splitlines():
            if re.match(r"(\$ )?refbench \w", line) and "..." not in line:
                yield line.removeprefix("$ ")


@pytest.mark.parametrize("document", DOCUMENTS)
def test_commands_in_the_documents_are_understood_and_of_today(
    document: str, capsys: pytest.CaptureFixture[str]
) -> None:
    for line in commands_of((REPOSITORY / document).read_text("utf-8")):
        words = shlex.split(line, comments=True)[1:]
        command = ROOT
        while isinstance(command, Group):
            assert words, line
            assert words[0] in command.commands, line
            command = command.commands[words.pop(0)]
        command.make_context("refbench", words)
    assert capsys.readouterr().err == ""


def test_the_documents_hold_commands() -> None:
    counts = {name: len([*commands_of((REPOSITORY / name).read_text("utf-8"))]) for name in DOCUMENTS}
    assert counts["README.md"] >= 5
    assert sum(counts.values()) >= 40
