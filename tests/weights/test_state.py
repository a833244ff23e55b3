"""The weights table, and whether a file is here and whole."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from pathlib import Path

import pytest
from refbench.errors import InvalidInputError, RefbenchError
from refbench.weights import weight_files
from refbench.weights.sources import Url
from refbench.weights.table import Weight

GOOD = b"numbers"
PINNED = Weight(
    "pinned", "a pinned one", "p.bin", 7, hashlib.sha256(GOOD).hexdigest(), "CC0", (Url("http://x"),)
)
FREE = Weight("free", "one of unknown hash", "f.bin", None, None, "CC0", (Url("http://x"),))
PREFIX = Weight(
    "prefix", "a hub file", "h-aaaa.pth", None, None, "CC0", (Url("http://x"),), sha256_prefix="aaaa"
)
TWIN = Weight(
    "twin", "x", "t.bin", None, None, "", (), others=((hashlib.sha256(b"b").hexdigest(), "another net"),)
)


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("REFBENCH_WEIGHTS", str(tmp_path / "weights"))
    for entry in (PINNED, FREE, PREFIX, TWIN):
        monkeypatch.setitem(weight_files.TABLE, entry.name, entry)
    (tmp_path / "weights").mkdir()
    return tmp_path / "weights"


def test_the_table_is_whole() -> None:
    files = [entry.file for entry in weight_files.TABLE.values()]
    assert len(set(files)) == len(files)
    for name, entry in weight_files.TABLE.items():
        assert entry.name == name
        assert entry.what
        assert entry.licence
        assert entry.sources
        assert entry.sha256 is None or len(bytes.fromhex(entry.sha256)) == 32
        assert Path(entry.file).name == entry.file
    assert all(set(members) <= set(weight_files.TABLE) for members in weight_files.GROUPS.values())
    assert weight_files.GROUPS["demo"] == tuple(weight_files.TABLE)[:8]
    assert all(weight_files.TABLE[name].sha256 for name in weight_files.GROUPS["demo"])


def test_importing_the_table_is_light() -> None:
    heavy = ("numpy", "torch", "ssl", "typer", "tarfile")
    code = f"import sys, refbench.weights; print([name for name in {heavy} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_a_missing_file_names_the_command(home: Path) -> None:
    assert weight_files.find("pinned") is None
    assert weight_files.state("pinned") == "missing"
    with pytest.raises(RefbenchError, match="refbench weights fetch pinned") as caught:
        weight_files.path("pinned")
    assert caught.value.exit_code == 2


def test_an_unknown_name_is_told_what_comes_near() -> None:
    with pytest.raises(RefbenchError, match="mobilefacenet"):
        weight_files.path("mobilfacenet")


def test_a_whole_file_is_given_and_hashed_once(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (home / "p.bin").write_bytes(GOOD)
    assert weight_files.state("pinned") == "unchecked"
    assert weight_files.path("pinned") == home / "p.bin"
    assert weight_files.state("pinned") == "present"
    monkeypatch.setattr(weight_files, "sha256_file", lambda _: pytest.fail("hashed again"))
    assert weight_files.path("pinned") == home / "p.bin"
    assert weight_files.digest("pinned") == PINNED.sha256


def test_a_damaged_file_is_a_fault(home: Path) -> None:
    (home / "p.bin").write_bytes(b"nUmbers")
    with pytest.raises(InvalidInputError, match="refbench weights fetch pinned"):
        weight_files.path("pinned")
    with pytest.raises(InvalidInputError):
        weight_files.find("pinned")


def test_a_file_changed_after_it_was_checked_is_noticed(home: Path) -> None:
    (home / "p.bin").write_bytes(GOOD)
    weight_files.path("pinned")
    (home / "p.bin").write_bytes(b"NUMBERS")
    os.utime(home / "p.bin", ns=(1, 1))
    assert weight_files.state("pinned") == "unchecked"
    with pytest.raises(InvalidInputError):
        weight_files.path("pinned")


def test_only_a_thorough_check_sees_a_change_that_keeps_size_and_time(home: Path) -> None:
    (home / "p.bin").write_bytes(GOOD)
    weight_files.path("pinned")
    status = (home / "p.bin").stat()
    (home / "p.bin").write_bytes(b"NUMBERS")
    os.utime(home / "p.bin", ns=(status.st_atime_ns, status.st_mtime_ns))
    weight_files.path("pinned")
    with pytest.raises(InvalidInputError, match="its sha256 is"):
        weight_files.verify("pinned")


def test_an_unknown_hash_is_recorded_at_first_use_and_kept_to(home: Path) -> None:
    (home / "f.bin").write_bytes(b"first")
    weight_files.path("free")
    assert weight_files.digest("free") == hashlib.sha256(b"first").hexdigest()
    (home / "f.bin").write_bytes(b"other")
    os.utime(home / "f.bin", ns=(1, 1))
    with pytest.raises(InvalidInputError, match=r"when it was first used[\s\S]*--again"):
        weight_files.path("free")


def test_the_start_of_a_hash_is_checked(home: Path) -> None:
    (home / "h-aaaa.pth").write_bytes(b"x")
    with pytest.raises(InvalidInputError, match="does not begin with aaaa"):
        weight_files.path("prefix")


def test_a_file_that_is_easily_taken_for_it_is_named(home: Path) -> None:
    (home / "t.bin").write_bytes(b"b")
    with pytest.raises(InvalidInputError, match="it is another net"):
        weight_files.path("twin")


def test_the_user_names_a_file(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    own = tmp_path / "own.bin"
    monkeypatch.setenv("REFBENCH_WEIGHT_PINNED", str(own))
    with pytest.raises(RefbenchError, match="REFBENCH_WEIGHT_PINNED names"):
        weight_files.path("pinned")
    own.write_bytes(GOOD)
    assert weight_files.path("pinned") == own
    assert weight_files.state("pinned") == "present"
    assert [path.name for path in tmp_path.iterdir() if path.is_file()] == ["own.bin"]
    own.write_bytes(b"wrong")
    with pytest.raises(InvalidInputError, match="unset it"):
        weight_files.path("pinned")


def test_a_weights_folder_that_cannot_be_written_still_serves(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (home / "p.bin").write_bytes(GOOD)

    def refuse(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(weight_files, "write_json", refuse)
    assert weight_files.path("pinned") == home / "p.bin"
    assert weight_files.digest("pinned") == PINNED.sha256


def test_a_spoiled_receipt_only_costs_hashing_again(home: Path) -> None:
    (home / "p.bin").write_bytes(GOOD)
    weight_files.path("pinned")
    for text in ("", "{}", "[1]", '{"path": 3}'):
        weight_files.receipt_file("pinned").write_text(text)
        assert weight_files.state("pinned") == "unchecked"
        assert weight_files.path("pinned") == home / "p.bin"


def test_names_and_groups_are_chosen_once_each_in_the_table_s_order() -> None:
    chosen = [entry.name for entry in weight_files.select(["lpips-alexnet", "demo", "mtcnn-rnet"])]
    assert chosen == list(weight_files.GROUPS["demo"])


def test_the_folder_follows_the_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("REFBENCH_WEIGHTS", str(tmp_path))
    assert weight_files.folder() == tmp_path
    monkeypatch.delenv("REFBENCH_WEIGHTS")
    if sys.platform == "linux":
        monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "c"))
        assert weight_files.folder() == tmp_path / "c" / "refbench" / "weights"


@pytest.mark.parametrize(
    ("platform", "variable", "below"),
    [
        ("linux", "XDG_CACHE_HOME", ""),
        ("darwin", "HOME", "Library/Caches"),
        ("win32", "LOCALAPPDATA", ""),
    ],
)
def test_the_folder_of_0_1_is_used_where_there_is_no_other(
    platform: str, variable: str, below: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    now, earlier = tmp_path / "now", tmp_path / "home" / below / "refbench" / "weights"
    monkeypatch.delenv("REFBENCH_WEIGHTS", raising=False)
    monkeypatch.setattr("platformdirs.user_cache_path", lambda *_, **__: now)
    monkeypatch.setenv(variable, str(tmp_path / "home"))
    monkeypatch.setattr(weight_files.sys, "platform", platform)
    assert weight_files.folder() == now / "weights"
    earlier.mkdir(parents=True)
    assert weight_files.folder() == earlier
    (now / "weights").mkdir(parents=True)
    assert weight_files.folder() == now / "weights"


def test_the_cache_folder_is_the_one_of_0_1_on_linux_and_macos(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    from platformdirs.macos import MacOS
    from platformdirs.unix import Unix

    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    for platform, kind in (("linux", Unix), ("darwin", MacOS)):
        monkeypatch.setattr(weight_files.sys, "platform", platform)
        found = kind("refbench", appauthor=False, opinion=False).user_cache_path / "weights"
        assert found == weight_files._folder_of_0_1()
