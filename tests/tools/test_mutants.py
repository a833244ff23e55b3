"""The mutation tool: what tests notice, what survives, and that the copy is as it was afterwards."""

from __future__ import annotations

from pathlib import Path

import mutants
import pytest
from mutants import MUTANTS, Mutant, run_mutant

SOURCE = "def larger(a, b):\n    return a if a > b else b\n"


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    root = tmp_path / "refbench"
    (root / "tests").mkdir(parents=True)
    (root / "larger_code.py").write_text(SOURCE)
    test = "import sys; sys.path.insert(0, '.'); from larger_code import larger\n\n\n"
    (root / "tests" / "test_larger.py").write_text(test + "def test_it():\n    assert larger(3, 2) == 3\n")
    (root / "tests" / "test_equal.py").write_text(test + "def test_it():\n    assert larger(2, 2) == 2\n")
    (root / "tests" / "test_none.py").write_text("x = 1\n")
    return root


@pytest.mark.parametrize(
    ("before", "after", "test", "verdict"),
    [
        ("a > b", "a < b", "larger", "noticed"),
        ("a > b", "a < b", "equal", "survived"),
        ("a >= b", "a < b", "larger", "not planted"),
        ("a", "b", "larger", "not planted"),
        ("a > b", "a < b", "absent", "not planted"),
    ],
)
def test_verdicts(copy: Path, before: str, after: str, test: str, verdict: str) -> None:
    found = run_mutant(Mutant("larger_code.py", before, after, (f"tests/test_{test}.py",)), copy)
    assert found.verdict == verdict
    assert (copy / "larger_code.py").read_text() == SOURCE


def test_a_run_without_tests_is_an_error_and_leaves_the_copy_as_it_was(copy: Path) -> None:
    with pytest.raises(RuntimeError, match="no test was run"):
        run_mutant(Mutant("larger_code.py", "a > b", "a < b", ("tests/test_none.py",)), copy)
    assert (copy / "larger_code.py").read_text() == SOURCE


def test_the_table_changes_something_and_names_tests() -> None:
    assert len(set(MUTANTS)) == len(MUTANTS) > 35
    for mutant in MUTANTS:
        assert mutant.before != mutant.after
        assert mutant.tests
        assert (mutants.ROOT / mutant.file).suffix == ".py"
