"""Fixtures that say clearly what is absent, and the switches of the test suite."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

ROOT = Path(__file__).resolve().parent.parent

os.environ.setdefault("NO_ALBUMENTATIONS_UPDATE", "1")
os.environ.setdefault("HF_HUB_OFFLINE", "1")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--golden",
        action="append",
        default=[],
        type=Path,
        metavar="DIR",
        help="also run the golden tests on this folder (laid out like tests/golden); may be repeated",
    )


@pytest.fixture(scope="session")
def golden_dirs(pytestconfig: pytest.Config) -> list[Path]:
    """The committed golden vectors, and every folder named by ``--golden``."""
    named: list[Path] = pytestconfig.getoption("--golden")
    absent = [str(folder) for folder in named if not folder.is_dir()]
    if absent:
        pytest.exit(f"--golden: no such folder: {', '.join(absent)}", returncode=2)
    return [ROOT / "tests" / "golden", *named]


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Folder with ``london/`` and ``lfw.zip``: ``$REFBENCH_SHARED``, or ``../shared/data``."""
    folder = Path(os.environ.get("REFBENCH_SHARED", ROOT.parent / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip(f"real photos are absent ({folder}); name their folder in REFBENCH_SHARED")
    return folder


@pytest.fixture(scope="session")
def london(shared_data: Path) -> Path:
    """The Face Research Lab London Set: ``NNN_1.jpg`` neutral, ``NNN_2.jpg`` smiling."""
    folder = shared_data / "london"
    if not folder.is_dir():
        pytest.skip(f"the London set is absent ({folder})")
    return folder


@pytest.fixture(scope="session")
def need_weights() -> Callable[..., None]:
    """Call with names of the weights table: skips the test, with the command to run, if one is absent."""

    def need(*names: str) -> None:
        from refbench import weights

        absent = [name for name in names if weights.find(name) is None]
        if absent:
            pytest.skip(f"weights are absent; run: refbench weights fetch {' '.join(absent)}")

    return need


@pytest.fixture(scope="session")
def astronaut() -> npt.NDArray[np.uint8]:
    """One public face, RGB uint8 (512, 512, 3)."""
    from skimage import data

    return np.asarray(data.astronaut(), dtype=np.uint8)
