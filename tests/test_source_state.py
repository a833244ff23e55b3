"""The commit and the state of the checkout go into provenance, and tell no two records apart."""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
from refbench.errors import InvalidInputError
from refbench.leaderboard.store.store import Store
from refbench.metrics.scoring.provenance import provenance
from refbench.records.record import Record
from refbench.source_state import COMMIT, TREE, source_state
from refbench.version import __version__

STORE = Path(__file__).parent / "fixtures" / "v0_1" / "store"


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    if shutil.which("git") is None:
        pytest.skip("git is absent")
    root = tmp_path / "checkout"
    (root / "inner").mkdir(parents=True)
    (root / "a.py").write_text("one")
    git = ["git", "-C", str(root), "-c", "user.name=A", "-c", "user.email=a@example.org"]
    for words in (["init", "-q"], ["add", "."], ["commit", "-qm", "first"]):
        subprocess.run([*git, *words], check=True)
    return root


def test_a_checkout_has_a_commit_and_a_clean_or_changed_tree(checkout: Path) -> None:
    found = source_state(checkout)
    head = subprocess.run(
        ["git", "-C", str(checkout), "rev-parse", "HEAD"], capture_output=True, text=True, check=True
    )
    assert found == {COMMIT: head.stdout.strip(), TREE: "clean"}
    (checkout / "new.txt").write_text("untracked")
    source_state.cache_clear()
    assert source_state(checkout)[TREE] == "clean"
    (checkout / "a.py").write_text("two")
    source_state.cache_clear()
    assert source_state(checkout)[TREE] == "changed"


def test_an_installed_package_has_none(
    checkout: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert source_state(checkout / "inner") == {}
    assert source_state(tmp_path) == {}
    monkeypatch.setenv("PATH", "")
    source_state.cache_clear()
    assert source_state(checkout) == {}


def test_scores_say_which_commit_they_were_made_with(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("refbench.metrics.scoring.provenance.source_state", lambda: {COMMIT: "c" * 40})
    assert provenance({}, "cpu", "float32", batch_size=None)[COMMIT] == "c" * 40


@pytest.fixture
def record() -> Record:
    (folder,) = (path.parent for path in STORE.glob("*/*/record.json"))
    return Record.read(folder)


def with_provenance(record: Record, **parts: str) -> Record:
    named = {name.replace("_", " "): value for name, value in parts.items()}
    changed = {**record.info.provenance, **named}
    return replace(record, info=record.info.model_copy(update={"provenance": changed}))


def test_equal_scores_of_another_commit_are_the_same_record(record: Record, tmp_path: Path) -> None:
    store = Store(tmp_path / "store")
    folder = store.add(record)
    before = (folder / "record.json").read_bytes()
    assert store.add(with_provenance(record, source_commit="c" * 40, source_tree="changed")) == folder
    assert (folder / "record.json").read_bytes() == before
    with pytest.raises(InvalidInputError, match=r"its provenance differ \(device\)"):
        store.add(with_provenance(record, source_commit="c" * 40, device="cuda"))


def test_equal_scores_with_other_versions_of_packages_are_one_record(record: Record, tmp_path: Path) -> None:
    store = Store(tmp_path / "store")
    folder = store.add(record)
    before = (folder / "record.json").read_bytes()
    assert store.add(with_provenance(record, package_torch="9.9", package_refbench="9.9")) == folder
    assert (folder / "record.json").read_bytes() == before


def test_provenance_names_the_version_of_the_code_that_runs() -> None:
    said = provenance({}, "cpu", "float32", batch_size=None)
    assert said["package refbench"] == __version__
