"""`refbench weights` on the command line."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from refbench.errors import InvalidInputError, RefbenchError
from refbench.weights import weight_files
from refbench.weights.commands import app
from refbench.weights.sources import Url
from refbench.weights.table import Weight
from typer.testing import CliRunner, Result

DATA = b"numbers"


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, web: Any) -> Path:
    monkeypatch.setenv("REFBENCH_WEIGHTS", str(tmp_path / "weights"))
    web.files |= {"/net.bin": DATA, "/free.bin": DATA}
    sha256 = hashlib.sha256(DATA).hexdigest()
    net = Weight("net", "a network", "net.bin", len(DATA), sha256, "CC0-1.0", (Url(f"{web.url}/net.bin"),))
    free = Weight("free", "another", "free.bin", None, None, "CC0-1.0", (Url(f"{web.url}/free.bin"),))
    monkeypatch.setattr(weight_files, "TABLE", {"net": net, "free": free})
    monkeypatch.setattr(weight_files, "GROUPS", {"both": ("net", "free")})
    return tmp_path / "weights"


def run(*words: str) -> Result:
    return CliRunner().invoke(app, list(words))


def test_list_fetch_list(home: Path) -> None:
    rows = json.loads(run("list", "--json").stdout)
    assert [(row["name"], row["state"], row["hash"]) for row in rows] == [
        ("net", "missing", "pinned"),
        ("free", "missing", "first use"),
    ]
    fetched = run("fetch", "both", "--json")
    assert fetched.exit_code == 0
    assert [row["name"] for row in json.loads(fetched.stdout)] == ["net", "free"]
    rows = json.loads(run("list", "both", "--json").stdout)
    assert {row["state"] for row in rows} == {"present"}
    assert rows[1]["sha256"] == hashlib.sha256(DATA).hexdigest()
    table = run("list").stdout
    assert "CC0-1.0" in table
    assert "first use: the publisher states no hash" in table


def test_fetch_says_what_was_here_already(home: Path) -> None:
    assert run("fetch", "net").stdout == f"net: {home / 'net.bin'}\n"
    assert run("fetch", "net").stdout == f"net: {home / 'net.bin'} (already there)\n"


def test_fetch_takes_a_local_file(home: Path, tmp_path: Path, web: Any) -> None:
    (tmp_path / "own.bin").write_bytes(DATA)
    assert run("fetch", "net", "--from", str(tmp_path / "own.bin")).exit_code == 0
    assert (home / "net.bin").read_bytes() == DATA
    assert not web.requests


def test_where(home: Path) -> None:
    assert run("where").stdout.strip() == str(home)
    missing = run("where", "net").exception
    assert isinstance(missing, RefbenchError)
    assert missing.exit_code == 2
    run("fetch", "net")
    assert run("where", "net").stdout.strip() == str(home / "net.bin")
    assert json.loads(run("where", "net", "--json").stdout) == {"net": str(home / "net.bin")}


def test_verify_judges_what_is_here(home: Path) -> None:
    assert "there are no weights in" in run("verify").stdout
    run("fetch", "net")
    assert run("verify").stdout.startswith("net: ok, sha256 ")
    (home / "net.bin").write_bytes(b"NUMBERS")
    os.utime(home / "net.bin", ns=(1, 1))
    result = run("verify", "--json")
    assert isinstance(result.exception, InvalidInputError)
    assert result.exception.exit_code == 1
    assert "its sha256 is" in json.loads(result.stdout)[0]["fault"]
    named = run("verify", "free")
    assert isinstance(named.exception, InvalidInputError)


def test_the_program_itself(tmp_path: Path) -> None:
    own = {**os.environ, "REFBENCH_WEIGHTS": str(tmp_path)}
    program = [sys.executable, "-c", "from refbench.weights.commands import app; app()"]
    done = subprocess.run([*program, "where"], capture_output=True, text=True, env=own)
    assert (done.returncode, done.stdout.strip()) == (0, str(tmp_path))
    assert not any(tmp_path.iterdir())
