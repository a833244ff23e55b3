"""A weights folder of the test's own, and declaring a weight in the table."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from refbench import downloads
from refbench.weights import weight_files
from refbench.weights.sources import Source
from refbench.weights.table import Weight
from toy_weights import HASH


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
        monkeypatch.setitem(weight_files.TABLE, name, entry)

    return declare
