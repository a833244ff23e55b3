"""The public names of builders and samples: loaded lazily, documented, and no name of a submodule."""

from __future__ import annotations

import importlib
import inspect
import subprocess
import sys
from pkgutil import iter_modules

import pytest

HEAVY = ("torch", "pandas", "numpy", "cv2", "scipy", "pyarrow", "pydantic", "jinja2")


@pytest.mark.parametrize("room", ["builders", "samples"])
def test_public_names_are_no_submodules_and_are_documented(room: str) -> None:
    package = importlib.import_module(f"refbench.{room}")
    assert package.__all__
    assert not {module.name for module in iter_modules(package.__path__)} & set(package.__all__)
    for name in package.__all__:
        found = getattr(package, name)
        assert not inspect.ismodule(found), name
        if callable(found):
            assert found.__doc__, name
            assert found.__module__.startswith(f"refbench.{room}."), name


@pytest.mark.parametrize("room", ["builders", "samples"])
def test_importing_a_facade_loads_nothing_heavy(room: str) -> None:
    code = f"import sys, refbench.{room}; print([name for name in {HEAVY!r} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
