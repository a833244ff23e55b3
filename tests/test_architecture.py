"""The code keeps to the rooms of docs/architecture.md, and modules never import each other in circles."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
ROOMS = ("faces", "degradations", "builders", "metrics", "models", "leaderboard", "samples", "doctor")
GROUND = ("", "errors", "files", "images", "progress", "devices", "downloads", "archives", "weights")


def modules() -> dict[str, Path]:
    """Dotted names below the package, and their files."""
    files = [
        *ROOT.glob("*.py"),
        *(path for part in (*ROOMS, "weights") for path in ROOT.glob(f"{part}/**/*.py")),
    ]
    found = {}
    for path in files:
        parts = path.relative_to(ROOT).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


MODULES = modules()


def imports(name: str, everywhere: bool) -> Iterator[str]:
    """Modules of the package that a module imports: at its top, or also inside its functions."""
    path = MODULES[name]
    tree = ast.parse(path.read_text("utf-8"))
    package = name.split(".") if path.name == "__init__.py" and name else name.split(".")[:-1]
    for node in ast.walk(tree) if everywhere else top(tree):
        if isinstance(node, ast.ImportFrom) and node.level:
            base = package[: len(package) - node.level + 1]
            target = [*base, *(node.module or "").split(".")] if node.module else base
            for alias in node.names:
                longer = ".".join([*target, alias.name])
                found = longer if longer in MODULES else ".".join(target)
                if found in MODULES and found != name:
                    yield found


def top(tree: ast.Module) -> Iterator[ast.AST]:
    """Nodes that run on import: not those of functions, nor those for type checkers."""
    todo: list[ast.AST] = list(tree.body)
    while todo:
        node = todo.pop()
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            continue
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            todo += node.orelse
            continue
        yield node
        todo += ast.iter_child_nodes(node)


def allowed() -> dict[str, set[str]]:
    """Room to what it may import, as the table says."""
    text = (ROOT / "docs" / "architecture.md").read_text("utf-8")
    rows = re.findall(r"^\| `([a-z]+)/` \| [^|]* \| ([^|]*) \|$", text, flags=re.MULTILINE)
    return {room: set(re.findall(r"`([a-z.]+)`", may)) for room, may in rows}


def test_the_table_names_every_room() -> None:
    assert set(allowed()) == set(ROOMS)


@pytest.mark.parametrize("room", ROOMS)
def test_a_room_imports_what_the_table_allows(room: str) -> None:
    may = allowed()[room]
    wrong = [
        f"{name} imports {target}"
        for name in MODULES
        if name.split(".")[0] == room
        for target in imports(name, everywhere=True)
        if target.split(".")[0] not in (room, *GROUND)
        and not any(target == allowed or target.startswith(f"{allowed}.") for allowed in may)
    ]
    assert not wrong


def test_the_ground_floor_stands_alone() -> None:
    wrong = [
        f"{name} imports {target}"
        for name in MODULES
        if name and name.split(".")[0] in GROUND
        for target in imports(name, everywhere=True)
        if target.split(".")[0] not in GROUND
    ]
    assert not wrong


def test_no_imports_in_circles() -> None:
    graph = {name: set(imports(name, everywhere=False)) for name in MODULES if name}
    assert list(TopologicalSorter(graph).static_order())
