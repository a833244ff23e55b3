"""The code keeps to the rooms of docs/architecture.md, and nothing imports in circles, also at call time."""

from __future__ import annotations

import ast
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
ROOMS = ("faces", "degradations", "builders", "metrics", "models", "leaderboard", "samples", "doctor")
FILES = (
    "version deprecated errors names extras validation text_files files images progress devices downloads "
    "output_names archives user_code source_state folder_lock interruption subprocesses"
)
GROUND = (*FILES.split(), "weights", "command_line", "image_files")
BELOW = (*GROUND, "records")
FEWEST, MOST = 2, 12


def modules() -> dict[str, Path]:
    """Dotted names below the package, and their files; facades (``__init__``) and templates are left out."""
    inside = [
        path
        for room in (*ROOMS, "weights", "command_line", "image_files", "records")
        for path in ROOT.glob(f"{room}/**/*.py")
    ]
    return {
        ".".join(path.relative_to(ROOT).with_suffix("").parts): path
        for path in [*ROOT.glob("*.py"), *inside]
        if path.name != "__init__.py" and "templates" not in path.parts
    }


MODULES = modules()
FACADES = {
    ".".join(path.parent.relative_to(ROOT).parts)
    for room in (*ROOMS, "weights", "command_line", "image_files", "records")
    for path in ROOT.glob(f"{room}/**/__init__.py")
} | {""}


def imports(name: str) -> Iterator[str]:
    """What a module imports from the package: at its top, inside its functions, and for type checkers."""
    package = name.split(".")[:-1]
    for node in ast.walk(ast.parse(MODULES[name].read_text("utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.level:
            base = package[: len(package) - node.level + 1]
            target = ".".join([*base, *(node.module or "").split(".")] if node.module else base)
            for alias in node.names:
                longer = f"{target}.{alias.name}" if target else alias.name
                yield longer if longer in MODULES else target


GRAPH: Mapping[str, set[str]] = {name: set(imports(name)) - {name} for name in MODULES}


def sub_package(name: str) -> str:
    """``builders.photos`` for ``builders.photos.keys``; a file at the top of its room stands for itself."""
    parts = name.split(".")
    return ".".join(parts[:2]) if len(parts) > 2 else name


def room_of(name: str) -> str:
    return name.split(".")[0]


def circle(graph: Mapping[str, set[str]]) -> list[str]:
    """One circle of a graph, or nothing."""
    try:
        list(TopologicalSorter(graph).static_order())
    except CycleError as error:
        return list(error.args[1])
    return []


def allowed() -> dict[str, set[str]]:
    """Room to the rooms that it may import, as the table says."""
    text = (ROOT / "docs" / "architecture.md").read_text("utf-8")
    rows = re.findall(r"^\| `([a-z]+)/` \| [^|]* \| ([^|]*) \|$", text, flags=re.MULTILINE)
    return {room: set(re.findall(r"`([a-z]+)`", may)) for room, may in rows}


def test_the_table_names_every_room() -> None:
    assert set(allowed()) == set(ROOMS)


@pytest.mark.parametrize("room", ROOMS)
def test_a_room_imports_what_the_table_allows(room: str) -> None:
    may = {room, *BELOW, *allowed()[room]}
    wrong = [
        f"{name} imports {target}"
        for name in MODULES
        if room_of(name) == room
        for target in sorted(GRAPH[name])
        if room_of(target) not in may
    ]
    assert not wrong


@pytest.mark.parametrize(
    ("floor", "may"), [(GROUND, GROUND), (("records",), BELOW)], ids=["ground", "records"]
)
def test_the_floors_below_the_rooms_stand_alone(floor: tuple[str, ...], may: tuple[str, ...]) -> None:
    wrong = [
        f"{name} imports {target}"
        for name in MODULES
        if room_of(name) in floor
        for target in sorted(GRAPH[name])
        if room_of(target) not in may
    ]
    assert not wrong


def test_no_module_imports_in_a_circle_even_at_call_time() -> None:
    assert circle(GRAPH) == []


def test_no_sub_package_imports_in_a_circle() -> None:
    packages: dict[str, set[str]] = defaultdict(set)
    for name, targets in GRAPH.items():
        packages[sub_package(name)] |= {sub_package(target) for target in targets} - {sub_package(name)}
    assert circle(packages) == []


def test_facades_are_imported_by_nobody_inside() -> None:
    wrong = [
        f"{name} imports {target or 'refbench'}"
        for name, targets in GRAPH.items()
        for target in targets & FACADES
        if name not in ("cli", "__main__", "demo", "verbs")
    ]
    assert not wrong


def test_every_sub_package_has_two_to_twelve_files() -> None:
    counts: dict[str, int] = defaultdict(int)
    for name in MODULES:
        if name.count("."):
            counts[name.rpartition(".")[0]] += 1
    wrong = {
        package: count
        for package, count in counts.items()
        if count > MOST or (count < FEWEST and package not in ROOMS)
    }
    assert not wrong


def test_the_page_names_every_sub_package() -> None:
    text = (ROOT / "docs" / "architecture.md").read_text("utf-8")
    table = text[text.index("## Sub-packages") : text.index("## Public API")]
    named = set(re.findall(r"`([a-z_]+/[a-z_]+)`", table))
    assert named == {"/".join(name.split(".")[:2]) for name in MODULES if name.count(".") > 1}
