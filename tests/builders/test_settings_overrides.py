"""Overrides: files, faults, and their order."""

from __future__ import annotations

from pathlib import Path

import pytest
from refbench.builders.settings.overrides import Overrides
from refbench.errors import FaultListError, RefbenchError


def test_splits_come_before_merges() -> None:
    overrides = Overrides(merge=(("a", "d"),), split=(("a",), ("b",)))
    applied = overrides.apply({"a": 0, "b": 0, "c": 0, "d": 1})
    assert applied["a"] == applied["d"] != applied["c"]
    assert len({applied["a"], applied["b"], applied["c"]}) == 3


def test_keys_are_read_as_text(tmp_path: Path) -> None:
    (tmp_path / "by_eye.yaml").write_text("merge: [[001_1, 0x12]]\ndrop: [yes, 1e3]\n")
    found = Overrides.read(tmp_path / "by_eye.yaml")
    assert (found.merge, found.drop) == ((("001_1", "0x12"),), ("yes", "1e3"))


def test_a_file_of_overrides_names_every_fault_at_once(tmp_path: Path) -> None:
    path = tmp_path / "by_eye.yaml"
    path.write_text("merge: [[a, nobody]]\nsplit: [[a], [a, b]]\ndrop: [gone]\n")
    with pytest.raises(FaultListError) as refusal:
        Overrides.read(path).check({"a", "b"})
    assert len(refusal.value.faults) == 3
    assert all(word in str(refusal.value) for word in ("nobody", "gone", "two groups"))


@pytest.mark.parametrize("text", ["merge: a", "- a", "merge: [[1, [2]]]", "join: [[a]]", "merge: [", "\x00"])
def test_what_is_no_file_of_overrides_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "by_eye.yaml"
    path.write_text(text)
    with pytest.raises(RefbenchError, match=r"by_eye\.yaml"):
        Overrides.read(path)
