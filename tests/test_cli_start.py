"""How quickly the command line answers, what it loads for that, and the codes it ends with."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest
from refbench import cli
from refbench.command_line.arguments import emit
from refbench.errors import FaultListError, RefbenchError

HEAVY = ("torch", "cv2", "pandas", "pyarrow", "numpy", "scipy", "PIL", "pydantic", "jinja2", "yaml")
TRIES = 3


def processor_seconds(*words: str) -> float:
    """User and system time of a Python process, the least of a few tries."""

    def once() -> float:
        process = subprocess.Popen([sys.executable, *words], stdout=subprocess.DEVNULL)
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        assert process.returncode == 0
        return used.ru_utime + used.ru_stime

    return min(once() for _ in range(TRIES))


@pytest.mark.skipif(not hasattr(os, "wait4"), reason="processor time of a child is measured with wait4")
@pytest.mark.parametrize(
    ("limit", "words"),
    [
        (0.4, ("-m", "refbench", "--help")),
        (0.2, ("-c", "import refbench")),
        (0.2, ("-c", "import refbench; dir(refbench)")),
    ],
    ids=["help", "import", "names"],
)
def test_the_start_is_quick(limit: float, words: tuple[str, ...]) -> None:
    assert processor_seconds(*words) < limit


def test_help_loads_nothing_heavy() -> None:
    code = (
        "import sys\n"
        "from refbench.cli import app\n"
        "sys.argv = ['refbench', '--help']\n"
        "try:\n"
        "    app()\n"
        "except SystemExit:\n"
        f"    print('LOADED', [name for name in {HEAVY!r} if name in sys.modules])\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "Housekeeping" in done.stdout
    assert "LOADED []" in done.stdout


@pytest.mark.parametrize(
    ("raised", "code", "said"),
    [
        (RefbenchError("no such set"), 2, "refbench: no such set\n"),
        (FaultListError("x.zip", ["too large"]), 1, "refbench: x.zip: 1 fault\n  - too large\n"),
        (OSError(28, "No space left on device", "out.png"), 2, "refbench: out.png: the disk is full"),
        (PermissionError(13, "Permission denied", "out.png"), 2, "refbench: out.png: Permission denied\n"),
    ],
    ids=["wrong use", "faulty input", "full disk", "no permission"],
)
def test_an_error_ends_with_its_code_and_one_message(
    raised: Exception,
    code: int,
    said: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def fail() -> None:
        raise raised

    monkeypatch.setattr(cli, "app", fail)
    with pytest.raises(SystemExit) as stopped:
        cli.main()
    assert stopped.value.code == code
    assert capsys.readouterr().err.startswith(said)


def test_a_number_that_is_not_there_is_null_in_json(capsys: pytest.CaptureFixture[str]) -> None:
    emit({"rows": [{"psnr": float("nan"), "ids": 0.5}], "limits": (1, float("inf"))}, True, "")
    said = json.loads(capsys.readouterr().out)
    assert said == {"rows": [{"psnr": None, "ids": 0.5}], "limits": [1, None]}


def test_text_for_people_is_printed_as_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    emit({"a": 1}, False, "one set")
    assert capsys.readouterr().out == "one set\n"
