"""Fetching weights: every kind of source, tried in order, hash-checked."""

from __future__ import annotations

import hashlib
import io
import json
import os
import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path
from typing import Any

import pytest
from refbench import downloads
from refbench.errors import InvalidInputError, RefbenchError
from refbench.weights import local as weights
from refbench.weights.fetch import fetch
from refbench.weights.sources import HubFile, NpmFile, PyPIFile, Source, Url
from refbench.weights.table import Weight

DATA = bytes(range(256)) * 500
HASH = hashlib.sha256(DATA).hexdigest()


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("REFBENCH_WEIGHTS", str(tmp_path / "weights"))
    monkeypatch.delenv("REFBENCH_MIRROR", raising=False)
    monkeypatch.setattr(downloads, "PAUSE", 0.0)
    return tmp_path / "weights"


@pytest.fixture
def declare(monkeypatch: pytest.MonkeyPatch) -> Any:
    def declare(
        *sources: Source, sha256: str | None = HASH, name: str = "net", file: str = "net.bin"
    ) -> None:
        entry = Weight(name, "a network", file, None, sha256, "CC0-1.0", sources)
        monkeypatch.setitem(weights.TABLE, name, entry)

    return declare


def files(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.rglob("*") if path.is_file())


def test_a_publisher_s_file(home: Path, declare: Any, web: Any, capsys: pytest.CaptureFixture[str]) -> None:
    web.files["/net.bin"] = DATA
    declare(Url(f"{web.url}/net.bin"))
    (got,) = fetch(["net"])
    assert (got.path, got.sha256, got.source) == (home / "net.bin", HASH, f"{web.url}/net.bin")
    assert got.path.read_bytes() == DATA
    assert files(home) == ["net.bin", "net.json"]
    assert "licence: CC0-1.0" in capsys.readouterr().err
    assert fetch(["net"])[0].source is None
    assert len(web.requests) == 1


def test_each_source_that_fails_gives_one_line_and_the_next_is_tried(
    home: Path, declare: Any, web: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    web.files |= {"/wrong.bin": b"wrong", "/page": b"<html>", "/net.bin": DATA}
    web.types["/page"] = "text/html"
    sources = [f"{web.url}/absent.bin", "http://no-such-host.invalid/net.bin", f"{web.url}/wrong.bin"]
    sources += [f"{web.url}/page", f"{web.url}/net.bin"]
    declare(*map(Url, sources))
    (got,) = fetch(["net"])
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
    with pytest.raises(RefbenchError, match=r"not had: net;[\s\S]*fetch net --from") as caught:
        fetch(["net"])
    assert caught.value.exit_code == 2
    assert files(home) == []


def test_one_that_cannot_be_had_does_not_stop_the_others(home: Path, declare: Any, web: Any) -> None:
    web.files["/b.bin"] = DATA
    declare(Url(f"{web.url}/a.bin"), name="a", file="a.bin")
    declare(Url(f"{web.url}/b.bin"), name="b", file="b.bin")
    with pytest.raises(RefbenchError, match="not had: a;"):
        fetch(["a", "b"])
    assert weights.find("b") == home / "b.bin"


def test_a_cut_off_fetch_is_taken_up_by_the_next_run(home: Path, declare: Any, web: Any) -> None:
    web.files["/net.bin"] = DATA
    web.cuts["/net.bin"] = [1000, 1000, 1000]
    declare(Url(f"{web.url}/net.bin"))
    with pytest.raises(RefbenchError, match="not had"):
        fetch(["net"])
    assert fetch(["net"])[0].path.read_bytes() == DATA
    assert web.requests[-1][2] == "bytes=3000-"
    assert files(home) == ["net.bin", "net.json"]


def test_a_mirror_comes_first(home: Path, declare: Any, web: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    web.files["/mirror/net.bin"] = DATA
    declare(Url("http://no-such-host.invalid/x"))
    monkeypatch.setenv("REFBENCH_MIRROR", f"{web.url}/mirror/")
    assert fetch(["net"])[0].source == f"{web.url}/mirror/net.bin"


def test_first_use_is_recorded_and_only_again_forgets_it(home: Path, declare: Any, web: Any) -> None:
    web.files["/net.bin"] = b"first"
    declare(Url(f"{web.url}/net.bin"), sha256=None)
    fetch(["net"])
    (home / "net.bin").unlink()
    web.files["/net.bin"] = b"second"
    with pytest.raises(RefbenchError, match="not had"):
        fetch(["net"])
    fetch(["net"], again=True)
    assert weights.path("net").read_bytes() == b"second"


def test_a_damaged_file_is_fetched_anew(home: Path, declare: Any, web: Any) -> None:
    web.files["/net.bin"] = DATA
    declare(Url(f"{web.url}/net.bin"))
    home.mkdir()
    (home / "net.bin").write_bytes(b"half")
    assert fetch(["net"])[0].source == f"{web.url}/net.bin"
    assert weights.path("net").read_bytes() == DATA


def test_a_file_of_one_s_own(home: Path, declare: Any, tmp_path: Path) -> None:
    declare(Url("http://no-such-host.invalid/x"))
    own = tmp_path / "elsewhere.bin"
    own.write_bytes(DATA)
    assert fetch(["net"], given=own)[0].path == home / "net.bin"
    assert own.read_bytes() == DATA
    (tmp_path / "folder").mkdir()
    shutil.copy(own, tmp_path / "folder" / "net.bin")
    assert fetch(["net"], given=tmp_path / "folder")[0].sha256 == HASH
    own.write_bytes(b"another")
    with pytest.raises(InvalidInputError, match="is not net"):
        fetch(["net"], given=own)
    assert weights.path("net").read_bytes() == DATA
    with pytest.raises(RefbenchError, match="not had"):
        fetch(["net"], given=tmp_path / "absent.bin")
    with pytest.raises(RefbenchError, match="one file cannot be 8 weights"):
        fetch(["demo"], given=own)


# Packages: pip and npm themselves, with an index that is a folder here.


def add(archive: tarfile.TarFile, name: str, data: bytes) -> None:
    entry = tarfile.TarInfo(name)
    entry.size = len(data)
    archive.addfile(entry, io.BytesIO(data))


@pytest.fixture
def index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that pip takes for its index."""
    folder = tmp_path / "index"
    folder.mkdir()
    for name in [name for name in os.environ if name.startswith("PIP_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    return folder


def write_wheel(folder: Path, version: str = "1.0") -> None:
    with zipfile.ZipFile(folder / f"netpack-{version}-py3-none-any.whl", "w") as wheel:
        wheel.writestr("netpack/data/net.bin", DATA)
        wheel.writestr(
            f"netpack-{version}.dist-info/METADATA",
            f"Metadata-Version: 2.1\nName: netpack\nVersion: {version}\n",
        )
        wheel.writestr(
            f"netpack-{version}.dist-info/WHEEL",
            "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        )
        wheel.writestr(f"netpack-{version}.dist-info/RECORD", "")


def test_a_file_inside_a_wheel(home: Path, declare: Any, index: Path) -> None:
    write_wheel(index)
    declare(PyPIFile("netpack", "1.0", "netpack/data/net.bin"))
    (got,) = fetch(["net"])
    assert got.path.read_bytes() == DATA
    assert got.source == "Python package netpack 1.0, net.bin"
    assert files(home) == ["net.bin", "net.json"]


def test_a_file_inside_a_source_archive_of_which_nothing_runs(
    home: Path, declare: Any, index: Path, tmp_path: Path
) -> None:
    trap = tmp_path / "it-ran"
    with tarfile.open(index / "netpack-1.0.tar.gz", "w:gz") as archive:
        add(
            archive,
            "netpack-1.0/setup.py",
            f"open({str(trap)!r}, 'w'); import setuptools; setuptools.setup()".encode(),
        )
        add(archive, "netpack-1.0/PKG-INFO", b"Metadata-Version: 1.0\nName: netpack\nVersion: 1.0\n")
        add(archive, "netpack-1.0/netpack/net.bin", DATA)
    write_wheel(index)
    declare(PyPIFile("netpack", "1.0", "netpack/net.bin", sdist=True))
    assert fetch(["net"])[0].path.read_bytes() == DATA
    assert not trap.exists()


def test_a_package_is_fetched_once_for_all_its_files(
    home: Path, declare: Any, index: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_wheel(index)
    real, runs = subprocess.run, []
    monkeypatch.setattr(subprocess, "run", lambda *a, **k: runs.append(a) or real(*a, **k))
    declare(PyPIFile("netpack", "1.0", "netpack/data/net.bin"))
    declare(PyPIFile("netpack", "1.0", "netpack/data/net.bin"), name="twin", file="twin.bin")
    assert len(fetch(["net", "twin"])) == 2
    assert len(runs) == 1


def test_what_pip_cannot_find_is_one_line(
    home: Path, declare: Any, index: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_wheel(index, "2.0")
    declare(
        PyPIFile("netpack", "1.0", "netpack/data/net.bin"), PyPIFile("netpack", "2.0", "netpack/other.bin")
    )
    with pytest.raises(RefbenchError, match="not had"):
        fetch(["net"])
    told = [line.strip() for line in capsys.readouterr().err.splitlines() if line.startswith("    ")]
    assert told[0].startswith("ERROR: Could not find a version that satisfies the requirement netpack==1.0")
    assert told[1].endswith("has no file netpack/other.bin")
    assert len(told) == 2


def test_an_index_that_cannot_be_reached_is_one_line(
    home: Path, declare: Any, index: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("PIP_NO_INDEX")
    monkeypatch.setenv("PIP_INDEX_URL", "https://127.0.0.1:9/simple")
    declare(PyPIFile("netpack", "1.0", "netpack/data/net.bin"))
    with pytest.raises(RefbenchError, match="not had"):
        fetch(["net"])
    assert "    the package index cannot be reached" in capsys.readouterr().err.splitlines()


@pytest.mark.parametrize(
    ("told", "line"),
    [
        ("WARNING: x\nERROR: Exception:\nTraceback\n  File y\nValueError: odd", "ValueError: odd"),
        (
            "npm error code E404\nnpm error 404 Not Found - GET\nnpm error 404",
            "npm error 404 Not Found - GET",
        ),
        ("npm error code ENOTFOUND\nnpm error network", "the package index cannot be reached"),
        ("/usr/bin/python: No module named pip", "pip is not installed here; get it with: "),
        ("", "failed without a word"),
    ],
)
def test_one_line_of_what_pip_or_npm_told(
    told: str,
    line: str,
    home: Path,
    declare: Any,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    done = subprocess.CompletedProcess([], 1, "", told)
    monkeypatch.setattr(subprocess, "run", lambda *a, **k: done)
    declare(PyPIFile("netpack", "1.0", "netpack/data/net.bin"))
    with pytest.raises(RefbenchError, match="not had"):
        fetch(["net"])
    (shown,) = [text for text in capsys.readouterr().err.splitlines() if text.startswith("    ")]
    assert shown.startswith(f"    {line}")


def test_a_disk_that_fills_while_pip_writes_ends_the_run(
    home: Path, declare: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    done = subprocess.CompletedProcess(
        [], 2, "", "ERROR: Exception:\nOSError: [Errno 28] No space left on device"
    )
    monkeypatch.setattr(subprocess, "run", lambda *a, **k: done)
    declare(PyPIFile("netpack", "1.0", "netpack/data/net.bin"))
    with pytest.raises(RefbenchError, match="the disk is full"):
        fetch(["net"])
    assert files(home) == []


npm = pytest.mark.skipif(shutil.which("npm") is None, reason="npm is not installed")


def serve_npm(web: Any, link: bool = False) -> None:
    """One npm package as a registry serves it; its wanted file is a link where ``link``."""
    held = io.BytesIO()
    with tarfile.open(fileobj=held, mode="w:gz") as archive:
        add(archive, "package/package.json", b'{"name": "netpack", "version": "1.0.0"}')
        add(archive, "elsewhere/model/net.bin.txt", b"not this one")
        if link:
            entry = tarfile.TarInfo("package/model/net.bin")
            entry.type, entry.linkname = tarfile.SYMTYPE, "/etc/passwd"
            archive.addfile(entry)
        else:
            add(archive, "package/model/net.bin", DATA)
    tarball = held.getvalue()
    dist = {"tarball": f"{web.url}/netpack.tgz", "shasum": hashlib.sha1(tarball).hexdigest()}
    version = {"name": "netpack", "version": "1.0.0", "dist": dist}
    web.files["/netpack.tgz"] = tarball
    web.types["/netpack"] = "application/json"
    packument = {"name": "netpack", "dist-tags": {"latest": "1.0.0"}, "versions": {"1.0.0": version}}
    web.files["/netpack"] = json.dumps(packument).encode()


@pytest.fixture
def registry(web: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setenv("npm_config_registry", f"{web.url}/")
    monkeypatch.setenv("npm_config_cache", str(tmp_path / "npm-cache"))
    return web


@npm
def test_a_file_inside_an_npm_package(home: Path, declare: Any, registry: Any) -> None:
    serve_npm(registry)
    declare(NpmFile("netpack", "1.0.0", "model/net.bin"))
    assert fetch(["net"])[0].path.read_bytes() == DATA
    assert files(home) == ["net.bin", "net.json"]


@npm
def test_a_link_in_a_package_is_not_followed(
    home: Path, declare: Any, registry: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    serve_npm(registry, link=True)
    declare(NpmFile("netpack", "1.0.0", "model/net.bin"), sha256=None)
    with pytest.raises(RefbenchError, match="not had"):
        fetch(["net"])
    assert "has no file model/net.bin" in capsys.readouterr().err


@npm
def test_an_npm_package_that_is_not_there_is_one_line(
    home: Path,
    declare: Any,
    registry: Any,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    declare(NpmFile("netpack", "1.0.0", "model/net.bin"))
    with pytest.raises(RefbenchError, match="not had"):
        fetch(["net"])
    told = [line for line in capsys.readouterr().err.splitlines() if line.startswith("    ")]
    assert len(told) == 1
    assert "404" in told[0]
    monkeypatch.setenv("PATH", "")
    with pytest.raises(RefbenchError, match="not had"):
        fetch(["net"])
    assert "npm is not installed" in capsys.readouterr().err


# The Hugging Face Hub reads its environment when it is imported, so it is tried in a process of its own.

HUB = """
from refbench import weights
from refbench.weights.fetch import fetch
from refbench.weights.sources import HubFile
from refbench.weights.table import Weight
sources = (HubFile("a/b", "sub/net.bin"),)
weights.TABLE["net"] = Weight("net", "a network", "net.bin", None, {sha!r}, "CC0", sources)
print(fetch(["net"])[0].path)
"""


def run_hub(endpoint: str, home: Path) -> subprocess.CompletedProcess[str]:
    own = {
        "HF_ENDPOINT": endpoint,
        "HF_HUB_OFFLINE": "0",
        "REFBENCH_WEIGHTS": str(home),
        "HF_HOME": str(home / "hf"),
    }
    code = HUB.format(sha=HASH)
    return subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env={**os.environ, **own}
    )


def test_a_file_on_the_hub(home: Path, web: Any) -> None:
    served = "/a/b/resolve/main/sub/net.bin"
    web.files[served] = DATA
    web.headers[served] = {"X-Repo-Commit": "0" * 40}
    done = run_hub(web.url, home)
    assert done.returncode == 0, done.stderr
    assert Path(done.stdout.strip()).read_bytes() == DATA


def test_a_hub_that_cannot_be_reached_is_one_line(home: Path) -> None:
    done = run_hub("http://127.0.0.1:9", home)
    assert "\n    cannot be reached (Connection refused)\n" in done.stderr
    assert "not had: net" in done.stderr


def test_a_hub_without_the_file_is_one_line(home: Path, web: Any) -> None:
    lines = run_hub(web.url, home).stderr.splitlines()
    first, last = (
        lines.index("  from Hugging Face Hub a/b, sub/net.bin"),
        lines.index("  no source gave net.bin"),
    )
    assert last == first + 2
    assert "LocalEntryNotFoundError" in lines[first + 1]


def test_sources_say_what_they_are() -> None:
    assert str(HubFile("a/b", "c.bin")) == "Hugging Face Hub a/b, c.bin"
    assert str(NpmFile("@a/b", "1", "m/c.bin")) == "npm package @a/b 1, c.bin"
