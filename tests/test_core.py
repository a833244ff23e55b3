"""The light core: every module imports, and the verbs run, without any optional package.

The packages of the extras are blocked in the processes started here, so these tests say the same in a full
environment and in one with the core alone. ``pytest -m core`` collects only files that hold core tests.
"""

from __future__ import annotations

import subprocess
import sys
import tomllib
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
import torch
from refbench.extras import EXTRAS, MissingPackageError, is_installed, optional
from refbench.samples.sample_people import PEOPLE
from refbench.weights import weight_files as weights

pytestmark = pytest.mark.core
ROOT = Path(__file__).resolve().parents[1]
NEED_AN_EXTRA = {"refbench.degradations.operations.true_colour", "refbench.degradations.training.transforms"}

BLOCKED = """
import sys
for name in {extras!r}:
    sys.modules[name] = None  # an import says that there is no such module; find_spec gives None
"""
IMPORT_ALL = """
import importlib
for name in {names!r}:
    importlib.import_module(name)
"""
COMMAND = """
sys.argv = ["refbench", *sys.argv[1:]]
from refbench.__main__ import run
run()
"""


def python(code: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run code in a process in which no optional package can be imported."""
    blocked = BLOCKED.format(extras=sorted(EXTRAS))
    return subprocess.run(
        [sys.executable, "-c", blocked + code, *arguments], capture_output=True, text=True, check=False
    )


def refbench(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    done = python(COMMAND, *map(str, arguments))
    assert done.returncode == 0, done.stderr
    return done


def modules() -> list[str]:
    rooms = [path.parent for path in ROOT.glob("*/__init__.py") if path.parent.name not in ("tests", "tools")]
    files = [*ROOT.glob("*.py"), *(path for room in rooms for path in room.rglob("*.py"))]
    dotted = (".".join(["refbench", *path.relative_to(ROOT).with_suffix("").parts]) for path in files)
    return sorted(
        name.removesuffix(".__init__")
        for name in dotted
        if not name.endswith("__main__") and ".templates." not in name
    )


def test_the_extras_are_declared_and_the_core_asks_for_none_of_them() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    core, extras = project["dependencies"], project["optional-dependencies"]
    for module, extra in EXTRAS.items():
        wanted = module.replace("_", "").replace("-", "")
        assert any(line.replace("_", "").replace("-", "").startswith(wanted) for line in extras[extra])
        assert not any(line.replace("_", "").replace("-", "").startswith(wanted) for line in core)
    (everything,) = extras["all"]
    assert set(EXTRAS.values()) - {"faiss"} <= set(everything[len("refbench[") : -1].split(","))


def test_every_module_imports_without_extras() -> None:
    names = [name for name in modules() if name not in NEED_AN_EXTRA]
    assert len(names) > 200
    done = python(IMPORT_ALL.format(names=names))
    assert done.returncode == 0, done.stderr


def needs_scrfd(folder: Path) -> None:
    from refbench.faces.detectors.scrfd import ScrfdDetector

    (folder / "det.onnx").touch()
    ScrfdDetector(folder / "det.onnx")


def needs_retinaface(folder: Path) -> None:
    from refbench.faces.detectors.retinaface import RetinaFaceDetector

    RetinaFaceDetector(folder / "weights.pth")


def needs_pyiqa(folder: Path) -> None:
    from refbench.metrics.catalogue import find

    find("pyiqa/niqe")


def needs_torch_fidelity(folder: Path) -> None:
    from refbench.metrics.protocols.inception import load_inception

    load_inception(folder / "weights.pth", torch.device("cpu"))


def needs_albumentations(folder: Path) -> None:
    from refbench.degradations.operations.albumentations_op import _build

    _build({"__class_fullname__": "Compose"})


def needs_faiss(folder: Path) -> None:
    from refbench.builders.identities.faiss_search import find_pairs_by_faiss

    find_pairs_by_faiss(np.eye(8, dtype=np.float32), 0.5)


def needs_onnxruntime(folder: Path) -> None:
    from refbench.models.restorers.user_restorers import OnnxRestorer

    OnnxRestorer(folder / "model.onnx")


def needs_accelerate(folder: Path) -> None:
    from refbench.models.training.distributed import Distributed

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("WORLD_SIZE", "2")
        Distributed.join()


NEEDS: Sequence[tuple[str, Callable[[Path], None]]] = [
    ("insightface", needs_scrfd),
    ("facexlib", needs_retinaface),
    ("pyiqa", needs_pyiqa),
    ("torch_fidelity", needs_torch_fidelity),
    ("albumentations", needs_albumentations),
    ("faiss", needs_faiss),
    ("onnxruntime", needs_onnxruntime),
    ("accelerate", needs_accelerate),
]


@pytest.mark.parametrize(("module", "use"), NEEDS, ids=[module for module, _ in NEEDS])
def test_an_absent_package_is_named_with_its_command(
    module: str, use: Callable[[Path], None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for loaded in [name for name in sys.modules if name.partition(".")[0] == module]:
        monkeypatch.delitem(sys.modules, loaded)
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(MissingPackageError, match=rf"{module}.*pip install 'refbench\[{EXTRAS[module]}\]'"):
        use(tmp_path)


def test_an_import_error_inside_a_package_is_not_taken_for_its_absence() -> None:
    with pytest.raises(ModuleNotFoundError, match="nowhere"), optional("pyiqa"):
        raise ModuleNotFoundError("No module named 'nowhere'", name="nowhere")
    assert not is_installed("a_package_that_nobody_made")


@pytest.mark.slow
def test_the_verbs_run_without_extras(tmp_path: Path) -> None:
    absent = [name for name in weights.GROUPS["demo"] if weights.state(name) == "missing"]
    if absent:
        pytest.skip(f"weights are absent: {', '.join(absent)}; refbench weights fetch demo")
    photos = tmp_path / "photos"
    photos.mkdir()
    for path in [*PEOPLE.glob("003_*.jpg"), *PEOPLE.glob("008_*.jpg")]:
        (photos / path.name).write_bytes(path.read_bytes())
    chosen, restored, store = tmp_path / "set", tmp_path / "classical", tmp_path / "store"
    refbench("build", photos, "--out", chosen, "--size", "128", "--val", "0", "--test", "1.0")
    refbench("degrade", chosen, "--recipe", "refldm-moderate")
    refbench("restore", chosen, "--recipe", "refldm-moderate", "--model", "classical", "--out", restored)
    protocols = ["psnr/rgb", "lpips/alex-v0.1", "ids/mobilefacenet-5pt-v1"]
    wanted = [word for id in protocols for word in ("--protocol", id)]
    refbench("score", chosen, restored, "--recipe", "refldm-moderate", "--store", store, *wanted)
    refbench("publish", store, "--out", tmp_path / "site")
    assert "Classical" in (tmp_path / "site" / "index.html").read_text("utf-8")
