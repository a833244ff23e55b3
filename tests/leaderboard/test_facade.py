"""The public names of the room: all there, documented, loaded lazily, never hidden by a sub-package."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import refbench.leaderboard as leaderboard

HEAVY = ("torch", "pandas", "numpy", "cv2", "scipy", "pydantic", "jinja2", "huggingface_hub")


@pytest.mark.parametrize("name", leaderboard.__all__)
def test_every_public_name_is_there_and_documented(name: str) -> None:
    found = getattr(leaderboard, name)
    assert found.__name__ == name
    assert found.__doc__
    assert found.__module__.startswith("refbench.")


def test_no_public_name_is_a_sub_package_or_module() -> None:
    root = Path(leaderboard.__file__).parent
    inside = {path.stem for path in root.glob("*.py")} | {path.name for path in root.iterdir()}
    assert not inside & set(leaderboard.__all__)


def test_importing_the_room_loads_nothing_heavy() -> None:
    code = f"import sys, refbench.leaderboard; print(*(set({HEAVY}) & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""
