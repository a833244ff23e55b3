"""The public names of `refbench.models`: loaded lazily, documented, and none the name of a sub-package."""

from __future__ import annotations

import inspect
import subprocess
import sys
from pathlib import Path

import pytest
import refbench
from refbench import models
from refbench.models.checkpoints import registry
from refbench.models.training import presets

HEAVY = (
    "import sys, refbench.models; heavy = {'torch', 'cv2', 'pandas', 'pydantic'} & set(sys.modules);"
    "assert not heavy, heavy"
)


def test_importing_the_facade_loads_nothing_heavy() -> None:
    run = subprocess.run([sys.executable, "-c", HEAVY], capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr


def test_every_name_is_there_and_documented() -> None:
    assert {"load_restorer", "RefLdm", "train", "ddim", "identity_loss"} <= set(models.__all__)
    for name in models.__all__:
        found = getattr(models, name)
        if inspect.isclass(found) or inspect.isfunction(found):
            assert inspect.getdoc(found), name
            assert found.__module__.startswith("refbench."), name


def test_no_public_name_is_a_sub_module() -> None:
    folder = Path(models.__file__).parent
    inside = {path.stem for path in folder.iterdir() if path.is_dir() or path.suffix == ".py"}
    assert inside & set(models.__all__) == set()
    assert refbench.models is models


def test_the_stub_and_its_list_agree() -> None:
    stub = Path(models.__file__).with_suffix(".pyi").read_text("utf-8")
    names: dict[str, object] = {}
    exec(stub[stub.index("__all__") :], names)
    assert sorted(names["__all__"]) == sorted(models.__all__)  # type: ignore[call-overload]


@pytest.mark.parametrize(
    ("module", "old", "new"),
    [
        (registry, "Bundled", "RegisteredRestorer"),
        (registry, "BUNDLED", "RESTORERS"),
        (presets, "preset", "training_preset"),
        (presets, "PRESETS", "TRAINING_PRESETS"),
    ],
)
def test_names_of_0_1_are_found_with_a_warning(module: object, old: str, new: str) -> None:
    with pytest.warns(DeprecationWarning, match=new):
        assert getattr(module, old) is getattr(module, new)
    with pytest.raises(AttributeError, match="no attribute 'Nothing'"):
        _ = module.Nothing  # type: ignore[attr-defined]
