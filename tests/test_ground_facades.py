"""Public names of `refbench.records` and `refbench.weights`: there, documented, lazy, no module's name."""

from __future__ import annotations

import inspect
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest
import refbench.records as records
import refbench.weights as weights

HEAVY = ("torch", "pandas", "numpy", "cv2", "pyarrow", "pydantic", "datasets", "huggingface_hub", "typer")
FACADES = (records, weights)
NAMES = [(facade, name) for facade in FACADES for name in facade.__all__]
CONSTANTS = {"GROUPS", "TABLE"}


@pytest.mark.parametrize(("facade", "name"), NAMES, ids=[f"{f.__name__}.{n}" for f, n in NAMES])
def test_every_public_name_is_there_and_documented(facade: ModuleType, name: str) -> None:
    found = getattr(facade, name)
    if name in CONSTANTS:
        assert found
        return
    assert found.__name__ == name
    assert found.__doc__
    assert found.__doc__ != inspect.getdoc(found.__base__ if inspect.isclass(found) else None)
    own = [value for key, value in vars(found).items() if inspect.isclass(found) and not key.startswith("_")]
    methods = [getattr(value, "__func__", value) for value in own]
    assert all(method.__doc__ for method in methods if inspect.isfunction(method))


@pytest.mark.parametrize("facade", FACADES)
def test_what_raises_says_what(facade: ModuleType) -> None:
    """A public function whose body raises an error of the package has a section about it."""
    for name in facade.__all__:
        found = getattr(facade, name)
        if inspect.isfunction(found) and "raise " in inspect.getsource(found):
            assert "Raises:" in (found.__doc__ or ""), name


@pytest.mark.parametrize("facade", FACADES)
def test_no_public_name_is_a_module_of_the_package(facade: ModuleType) -> None:
    inside = {path.stem for path in Path(str(facade.__file__)).parent.iterdir()}
    assert not inside & set(facade.__all__)


@pytest.mark.parametrize("facade", FACADES)
def test_importing_a_facade_loads_nothing_heavy(facade: ModuleType) -> None:
    code = f"import sys, {facade.__name__}; print(*(set({HEAVY}) & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""


def test_the_function_of_0_1_is_found_with_a_warning() -> None:
    from refbench.weights import fetch as module

    with pytest.warns(DeprecationWarning, match="fetch_weights"):
        old = module.fetch
    assert old is weights.fetch_weights
    with pytest.raises(AttributeError, match="no attribute 'fetsch'"):
        module.fetsch  # noqa: B018
