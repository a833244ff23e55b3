"""Fetching weights: sources in order, mirrors, hashes, own files."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
from refbench.errors import InvalidInputError, RefbenchError
from refbench.weights import weight_files
from refbench.weights.fetch import fetch_weights
from refbench.weights.sources import Url
from toy_weights import DATA, HASH, files


def test_a_publisher_s_file(home: Path, declare: Any, web: Any, capsys: pytest.CaptureFixture[str]) -> None:
    web.files["/net.bin"] = DATA
    declare(Url(f"{web.url}/net.bin"))
    (got,) = fetch_weights(["net"])
    assert (got.path, got.sha256, got.source) == (home / "net.bin", HASH, f"{web.url}/net.bin")
    assert got.path.read_bytes() == DATA
    assert files(home) == ["net.bin", "net.json"]
    assert "licence: CC0-1.0" in capsys.readouterr().err
    assert fetch_weights(["net"])[0].source is None
    assert len(web.requests) == 1


def test_each_source_that_fails_gives_one_line_and_the_next_is_tried(
    home: Path, declare: Any, web: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    web.files |= {"/wrong.bin": b"wrong", "/page": b"<html>", "/net.bin": DATA}
    web.types["/page"] = "text/html"
    sources = [f"{web.url}/absent.bin", "http://no-such-host.invalid/net.bin", f"{web.url}/wrong.bin"]
    sources += [f"{web.url}/page", f"{web.url}/net.bin"]
    declare(*map(Url, sources))
    (got,) = fetch_weights(["net"])
    assert got.source == f"{web.url}/net.bin"
    lines = capsys.readouterr().err.splitlines()
    told = [line for line in lines if line.startswith("    ")]
    assert len(told) == 4
    assert "404" in told[0]
    assert "cannot be reached" in told[1]
    assert HASH in told[2]
    assert "web page" in told[3]


def test_a_wrong_hash_leaves_nothing(home: Path, declare: Any, web: Any) -> None:
    web.files["/net.bin"] = DATA[::-1]
    declare(Url(f"{web.url}/net.bin"))
    with pytest.raises(RefbenchError, match=r"could not be fetched: net;[\s\S]*fetch net --from") as caught:
        fetch_weights(["net"])
    assert caught.value.exit_code == 2
    assert files(home) == []


def test_one_that_cannot_be_had_does_not_stop_the_others(home: Path, declare: Any, web: Any) -> None:
    web.files["/b.bin"] = DATA
    declare(Url(f"{web.url}/a.bin"), name="a", file="a.bin")
    declare(Url(f"{web.url}/b.bin"), name="b", file="b.bin")
    with pytest.raises(RefbenchError, match="could not be fetched: a;"):
        fetch_weights(["a", "b"])
    assert weight_files.find("b") == home / "b.bin"


def test_a_cut_off_fetch_is_taken_up_by_the_next_run(home: Path, declare: Any, web: Any) -> None:
    web.files["/net.bin"] = DATA
    web.cuts["/net.bin"] = [1000, 1000, 1000]
    declare(Url(f"{web.url}/net.bin"))
    with pytest.raises(RefbenchError, match="could not be fetched"):
        fetch_weights(["net"])
    assert fetch_weights(["net"])[0].path.read_bytes() == DATA
    assert web.requests[-1][2] == "bytes=3000-"
    assert files(home) == ["net.bin", "net.json"]


def test_a_mirror_comes_first(home: Path, declare: Any, web: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    web.files["/mirror/net.bin"] = DATA
    declare(Url("http://no-such-host.invalid/x"))
    monkeypatch.setenv("REFBENCH_MIRROR", f"{web.url}/mirror/")
    assert fetch_weights(["net"])[0].source == f"{web.url}/mirror/net.bin"


def test_first_use_is_recorded_and_only_again_forgets_it(home: Path, declare: Any, web: Any) -> None:
    web.files["/net.bin"] = b"first"
    declare(Url(f"{web.url}/net.bin"), sha256=None)
    fetch_weights(["net"])
    (home / "net.bin").unlink()
    web.files["/net.bin"] = b"second"
    with pytest.raises(RefbenchError, match="could not be fetched"):
        fetch_weights(["net"])
    fetch_weights(["net"], again=True)
    assert weight_files.path("net").read_bytes() == b"second"


def test_a_damaged_file_is_fetched_anew(home: Path, declare: Any, web: Any) -> None:
    web.files["/net.bin"] = DATA
    declare(Url(f"{web.url}/net.bin"))
    home.mkdir()
    (home / "net.bin").write_bytes(b"half")
    assert fetch_weights(["net"])[0].source == f"{web.url}/net.bin"
    assert weight_files.path("net").read_bytes() == DATA


def test_a_file_of_one_s_own(home: Path, declare: Any, tmp_path: Path) -> None:
    declare(Url("http://no-such-host.invalid/x"))
    own = tmp_path / "elsewhere.bin"
    own.write_bytes(DATA)
    assert fetch_weights(["net"], given=own)[0].path == home / "net.bin"
    assert own.read_bytes() == DATA
    (tmp_path / "folder").mkdir()
    shutil.copy(own, tmp_path / "folder" / "net.bin")
    assert fetch_weights(["net"], given=tmp_path / "folder")[0].sha256 == HASH
    own.write_bytes(b"another")
    with pytest.raises(InvalidInputError, match="is not net"):
        fetch_weights(["net"], given=own)
    assert weight_files.path("net").read_bytes() == DATA
    with pytest.raises(RefbenchError, match="could not be fetched"):
        fetch_weights(["net"], given=tmp_path / "absent.bin")
    with pytest.raises(RefbenchError, match="one file cannot be 8 weights"):
        fetch_weights(["demo"], given=own)
