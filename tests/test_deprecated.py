"""Names of 0.1 are found under their new names, with a warning, and are the same objects."""

from __future__ import annotations

import importlib
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
from refbench.deprecated import MOVED

TRY = """
import importlib, json, sys, warnings
import refbench
old, new = json.loads(sys.argv[1])
with warnings.catch_warnings(record=True) as seen:
    warnings.simplefilter("always")
    found = importlib.import_module(old)
said = [str(w.message) for w in seen if w.category is DeprecationWarning and "old name" in str(w.message)]
assert found is importlib.import_module(new), found
assert found.__spec__.name == new, found.__spec__
assert len(said) == 1 and new in said[0], said
"""


@pytest.mark.parametrize("new", sorted(set(MOVED.values())))
def test_every_new_name_is_a_module(new: str) -> None:
    assert importlib.util.find_spec(new) is not None


@pytest.mark.parametrize("old", ["refbench.builders.manifest", "refbench.degradations.named"])
def test_an_old_module_is_the_new_one(old: str) -> None:
    told = json.dumps([old, MOVED[old]])
    run = subprocess.run([sys.executable, "-c", TRY, told], capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr


@pytest.mark.parametrize(
    ("package", "name"),
    [
        ("refbench.degradations.lq", "LqInfo"),
        ("refbench.leaderboard.submission", "check_submission"),
        ("refbench.models.refldm", "RefLdm"),
    ],
)
def test_a_package_hands_out_what_the_module_of_its_name_held(package: str, name: str) -> None:
    with pytest.warns(DeprecationWarning, match="old name"):
        found = getattr(importlib.import_module(package), name)
    assert found is getattr(importlib.import_module(MOVED[package]), name)


def test_an_unknown_name_is_still_an_error() -> None:
    with pytest.raises(ImportError):
        importlib.import_module("refbench.builders.nothing")
    with pytest.raises(AttributeError):
        _ = importlib.import_module("refbench.degradations.lq").nothing


def test_exceptions_keep_their_old_names() -> None:
    from refbench import errors

    with pytest.warns(DeprecationWarning, match="InvalidInputError"):
        assert errors.FaultyInput is errors.InvalidInputError
    with pytest.warns(DeprecationWarning, match="FaultListError"):
        assert errors.FaultList is errors.FaultListError


KEEP = """
import refbench
from refbench.models.ddim import ddim
assert refbench.models.ddim is ddim, refbench.models.ddim
import refbench.models.brought
assert refbench.models.brought.__name__.endswith("external")
"""


def test_an_old_module_does_not_replace_a_public_name() -> None:
    run = subprocess.run([sys.executable, "-c", KEEP], capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr


def test_the_page_for_those_who_come_from_0_1_names_every_module() -> None:
    text = (Path(__file__).resolve().parents[1] / "docs" / "migrating.md").read_text("utf-8")
    rows = dict(re.findall(r"^\| `([\w.]+)` \| `([\w.]+)` \|$", text, flags=re.MULTILINE))
    named = {f"refbench.{old}": f"refbench.{new}" for old, new in rows.items()}
    assert {old: named.get(old) for old in MOVED} == dict(MOVED)
