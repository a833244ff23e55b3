from __future__ import annotations

import json
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
HEAVY = ("torch", "pandas", "cv2", "numpy", "PIL", "pyarrow", "scipy", "jinja2", "pydantic")


def declared_packages() -> set[str]:
    return set(tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["packages"])


def test_every_room_is_a_declared_package() -> None:
    inside = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "*__init__.py"],
        cwd=ROOT, capture_output=True, text=True,
    )  # fmt: skip
    if inside.returncode:
        pytest.skip("not a git checkout")
    lines = inside.stdout.splitlines()
    folders = {Path(line).parent for line in lines if not line.startswith("tools/")}
    found = {".".join(("refbench", *folder.parts)) for folder in folders}
    assert found == declared_packages()


@pytest.mark.parametrize("statement", ["import refbench", "import refbench.cli"])
def test_importing_loads_nothing_heavy(statement: str) -> None:
    code = f"import sys; {statement}; print([name for name in {HEAVY!r} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_help_touches_neither_network_nor_disk(tmp_path: Path) -> None:
    code = (
        "import sys\n"
        "def watch(event, arguments):\n"
        "    if event.startswith('socket.') or (event == 'open' and set(str(arguments[1])) & set('wax+')):\n"
        "        print('TOUCHED', event, arguments, file=sys.stderr)\n"
        "sys.addaudithook(watch)\n"
        "sys.dont_write_bytecode = True\n"
        "sys.argv = ['refbench', '--help']\n"
        "from refbench.cli import main\n"
        "main()\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env={"HOME": str(tmp_path)},
    )
    assert done.returncode == 0
    assert "publish" in done.stdout
    assert "TOUCHED" not in done.stderr
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
def test_the_wheel_and_the_sdist_hold_all_that_runs(tmp_path: Path) -> None:
    """Build both, and run the wheel's code from a folder that knows nothing of the repository."""
    build = [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(tmp_path), str(ROOT)]
    done = subprocess.run(build, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    (wheel,) = tmp_path.glob("*.whl")
    names = set(zipfile.ZipFile(wheel).namelist())
    modules = {p.relative_to(ROOT).as_posix() for folder in packages_on_disk() for p in folder.glob("*.py")}
    assert {f"refbench/{name}" for name in modules} <= names
    assert "refbench/py.typed" in names
    for data in (
        "builders/review/templates",
        "samples/people",
        "models/checkpoints/minis",
        "leaderboard/rendering/published",
        "leaderboard/rendering/templates",
    ):
        on_disk = {f"refbench/{data}/{p.name}" for p in (ROOT / data).iterdir() if p.is_file()}
        assert on_disk
        assert on_disk <= names
    unpacked = tmp_path / "site"
    zipfile.ZipFile(wheel).extractall(unpacked)
    code = (
        f"import sys; sys.path.insert(0, {str(unpacked)!r})\n"
        "import json, refbench\n"
        "from refbench.samples import PEOPLE\n"
        "from refbench.verbs import build, publish\n"
        "print(json.dumps([refbench.__file__, len(list(PEOPLE.glob('*.jpg')))]))\n"
    )
    ran = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=tmp_path, check=True
    )
    where, photos = json.loads(ran.stdout)
    assert where.startswith(str(unpacked))
    assert photos >= 90


def packages_on_disk() -> list[Path]:
    return [ROOT.joinpath(*name.split(".")[1:]) for name in sorted(declared_packages())]
