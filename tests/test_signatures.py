"""Signatures stay short: at most eight parameters, at most three of them positional (four for verbs).

Left out are commands, whose parameters are those of the command line, and what torch or Python calls by
position (``forward``, special methods).
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
OUTSIDE = {"tests", "build", ".venv"}
VERBS = ("verbs.py",)
MOST, POSITIONAL, LEADING = 8, 3, 4

Function = ast.FunctionDef | ast.AsyncFunctionDef


def functions() -> Iterator[tuple[Path, Function]]:
    for path in sorted(ROOT.rglob("*.py")):
        place = path.relative_to(ROOT)
        if OUTSIDE & {place.parts[0]} or "templates" in place.parts:
            continue
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, Function) and not is_called_by_others(node):
                yield place, node


def is_called_by_others(function: Function) -> bool:
    special = function.name.startswith("__") and function.name != "__init__"
    words = [ast.unparse(decorator) for decorator in function.decorator_list]
    return function.name == "forward" or special or any("command" in w or "callback" in w for w in words)


def positional(function: Function) -> list[str]:
    names = [argument.arg for argument in (*function.args.posonlyargs, *function.args.args)]
    return names[1:] if names[:1] in (["self"], ["cls"]) else names


def test_no_function_has_more_than_eight_parameters() -> None:
    counts = {
        f"{place}:{node.name}": len(positional(node)) + len(node.args.kwonlyargs)
        for place, node in functions()
    }
    assert len(counts) > 1000
    assert not {name: count for name, count in counts.items() if count > MOST}


def test_no_function_takes_more_than_three_by_position() -> None:
    wrong = [
        f"{place}:{node.name}{tuple(positional(node))}"
        for place, node in functions()
        if len(positional(node)) > (LEADING if str(place) in VERBS else POSITIONAL)
    ]
    assert not wrong
