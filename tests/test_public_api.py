"""The public API: what ``refbench`` and its rooms hand out, lazily, documented, without double meanings."""

from __future__ import annotations

import ast
import importlib
import inspect
import json
import pkgutil
import re
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from types import ModuleType
from typing import Any

import pytest
import refbench as rb

ROOMS = ("builders", "degradations", "faces", "leaderboard", "metrics", "models", "records", "weights")
FACADES = ("refbench", *(f"refbench.{room}" for room in ROOMS))
HEAVY = ("torch", "cv2", "pandas", "pyarrow", "scipy", "PIL", "pydantic", "typer", "jinja2", "onnx")
ARRAYS = re.compile(r"\b(Tensor|NDArray|ndarray|RGB|Embeddings|Floats|Landmarks)\b")
SHAPE = re.compile(r"\((?:\w+|\*)(?:, ?[\w* /+-]+)*,?\)|HWC|NCHW|scalar|0-d|shape")
LIGHT = """
import json, sys
import refbench
for room in sys.argv[1:]:
    __import__(room)
print(json.dumps(sorted(sys.modules)))
"""


def public() -> Iterator[tuple[str, str, Any]]:
    """Facade, name and object of everything public, but modules."""
    for facade in FACADES:
        module = importlib.import_module(facade)
        for name in module.__all__:
            found = getattr(module, name)
            if not isinstance(found, ModuleType):
                yield facade, name, found


PUBLIC = list(public())
FUNCTIONS = [(f"{facade}.{name}", found) for facade, name, found in PUBLIC if inspect.isfunction(found)]
CLASSES = [(f"{facade}.{name}", found) for facade, name, found in PUBLIC if inspect.isclass(found)]


def ids(entries: list[tuple[str, Any]]) -> list[str]:
    return [name for name, _ in entries]


@pytest.mark.parametrize("facade", FACADES)
def test_a_facade_names_what_it_hands_out(facade: str) -> None:
    module = importlib.import_module(facade)
    assert len(module.__all__) > 3
    assert sorted(module.__all__) == sorted(set(module.__all__))
    assert set(dir(module)) >= set(module.__all__)
    assert module.__doc__


@pytest.mark.parametrize("facade", FACADES)
def test_no_public_name_is_also_a_module_of_its_package(facade: str) -> None:
    module = importlib.import_module(facade)
    inside = {found.name for found in pkgutil.iter_modules(module.__path__)}
    twice = [
        name
        for name in module.__all__
        if name in inside and not isinstance(getattr(module, name), ModuleType)
    ]
    assert not twice


def test_importing_every_facade_loads_nothing_heavy() -> None:
    run = subprocess.run([sys.executable, "-c", LIGHT, *FACADES], capture_output=True, text=True, check=True)
    loaded = json.loads(run.stdout)
    assert not [name for name in HEAVY if name in loaded]


@pytest.mark.parametrize(("name", "found"), FUNCTIONS, ids=ids(FUNCTIONS))
def test_a_public_function_documents_shapes_and_errors(name: str, found: Any) -> None:
    text = inspect.getdoc(found) or ""
    assert len(text.split()) >= 4, "no docstring"
    tree = ast.parse(textwrap.dedent(inspect.getsource(found)))
    if any(isinstance(node, ast.Raise) and node.exc is not None for node in ast.walk(tree)):
        assert "Raises:" in text or "raises" in text, "the errors it raises are not documented"
    annotated = " ".join(str(value) for value in found.__annotations__.values())
    if ARRAYS.search(annotated):
        assert SHAPE.search(text), f"takes or returns arrays ({annotated}) and names no shape"


@pytest.mark.parametrize(("name", "found"), CLASSES, ids=ids(CLASSES))
def test_a_public_class_and_its_methods_are_documented(name: str, found: Any) -> None:
    assert len((found.__doc__ or "").split()) >= 4, "no docstring"
    bare = [
        method
        for method, value in vars(found).items()
        if not method.startswith("_")
        and inspect.isfunction(value)
        and value.__module__ == found.__module__
        and value.__qualname__ == f"{found.__qualname__}.{method}"
        and not inspect.getdoc(value)
    ]
    assert not bare


def test_the_verbs_are_at_the_root() -> None:
    for verb in ("build", "degrade", "restore", "score", "evaluate", "publish"):
        assert inspect.isfunction(getattr(rb, verb))


def test_the_rooms_with_a_facade_are_at_the_root() -> None:
    assert {*ROOMS, "samples"} <= set(rb.__all__)
