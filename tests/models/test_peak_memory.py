"""Peak memory of a run, and restoring where the operating system does not tell it (Windows)."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from refbench.images import write_png
from refbench.models.restorers.baselines import LqCopy
from refbench.models.restorers.restore import peak_memory_mib, restore_images
from refbench.records.run_manifest import Job

IMPORT = "import sys; sys.modules['resource'] = None; import refbench.models.restorers.restore"


def test_memory_is_that_of_the_process() -> None:
    assert (peak_memory_mib() or 0) > 50


def test_restore_can_be_imported_without_the_resource_module() -> None:
    run = subprocess.run([sys.executable, "-c", IMPORT], capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr


def test_times_are_recorded_without_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_png(tmp_path / "lq.png", np.zeros((16, 16, 3), np.uint8))
    monkeypatch.setitem(sys.modules, "resource", None)
    report = restore_images([Job("a", tmp_path / "lq.png")], LqCopy(), tmp_path / "out", record_times=True)
    assert report.seconds_per_image is not None
    assert report.peak_memory_mib is None
