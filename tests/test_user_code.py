"""Objects of users' modules are imported from the working folder, which does not stay on ``sys.path``."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from refbench.degradations.recipes.lookup import load_recipe
from refbench.errors import RefbenchError
from refbench.models.restorers.user_restorers import load_entry_point
from refbench.user_code import import_object, working_folder_importable


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "user_module_a.py").write_text(
        "import sys\nsys.path.insert(0, '/added/by/user')\nVALUE = 7\n"
    )
    (tmp_path / "user_module_b.py").write_text(
        "class Late:\n    card = None\n    def __init__(self): import user_module_c\n"
        "    def restore(self, lq, references, generators): return lq\n"
    )
    (tmp_path / "user_module_c.py").write_text("")
    (tmp_path / "user_module_d.py").write_text(
        "from refbench.degradations.recipes.bundled import RECIPES\nMINE = next(iter(RECIPES.values()))\n"
    )
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    for name in "abcd":
        monkeypatch.delitem(sys.modules, f"user_module_{name}", raising=False)
    return tmp_path


def test_an_object_is_found_and_the_path_keeps_only_what_the_module_added(folder: Path) -> None:
    before = list(sys.path)
    assert import_object("user_module_a:VALUE", "") == 7
    assert sys.path == ["/added/by/user", *before]


def test_a_folder_that_was_on_the_path_already_stays_there(folder: Path) -> None:
    sys.path.append(str(folder))
    before = list(sys.path)
    with working_folder_importable():
        assert sys.path == [str(folder), *before]
    assert sys.path == before


def test_the_path_is_restored_after_a_failure(folder: Path) -> None:
    before = list(sys.path)
    for spec in ("user_module_a:ABSENT", "no_such_module_x:A"):
        with pytest.raises(RefbenchError, match=f"{spec}: .*; write MODULE:NAME"):
            import_object(spec, "write MODULE:NAME")
    assert str(folder) not in sys.path
    assert sys.path[-len(before) :] == before


def test_restorers_and_recipes_leave_the_path_as_it_was(folder: Path) -> None:
    before = list(sys.path)
    load_entry_point("user_module_b:Late", None, "cpu")
    load_recipe("user_module_d:MINE")
    assert "user_module_c" in sys.modules
    assert sys.path == before
