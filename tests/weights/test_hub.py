"""Weights on the Hugging Face Hub: in processes of their own, as its client reads its settings at import."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from refbench.weights.sources import HubFile, NpmFile
from toy_weights import DATA, HASH

HUB = """
from refbench import weights
from refbench.weights.fetch import fetch_weights
from refbench.weights.sources import HubFile
from refbench.weights.table import Weight
sources = (HubFile("a/b", "sub/net.bin"),)
weights.TABLE["net"] = Weight("net", "a network", "net.bin", None, {sha!r}, "CC0", sources)
print(fetch_weights(["net"])[0].path)
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
    assert "could not be fetched: net" in done.stderr


def test_a_hub_without_the_file_is_one_line(home: Path, web: Any) -> None:
    lines = run_hub(web.url, home).stderr.splitlines()
    first, last = (
        lines.index("  from Hugging Face Hub a/b, sub/net.bin"),
        lines.index("  no source has net.bin"),
    )
    assert last == first + 2
    assert "LocalEntryNotFoundError" in lines[first + 1]


def test_sources_say_what_they_are() -> None:
    assert str(HubFile("a/b", "c.bin")) == "Hugging Face Hub a/b, c.bin"
    assert str(NpmFile("@a/b", "1", "m/c.bin")) == "npm package @a/b 1, c.bin"
