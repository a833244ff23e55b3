"""SIGINT and SIGTERM: a message, the right exit code, never in the middle of an import; no child is left."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from refbench.interruption import Interruptions, deferred_interruption
from refbench.subprocesses import run_program

pytestmark = [pytest.mark.core, pytest.mark.skipif(os.name == "nt", reason="POSIX signals")]
BUSY = """
import sys, time
import refbench.cli
from refbench.__main__ import run

def main():
    {main}

refbench.cli.main = main
run()
"""
WAIT = "print('begun', flush=True); time.sleep(60)"


def stopped(tmp_path: Path, number: signal.Signals, main: str = WAIT) -> tuple[int, str]:
    """Exit code and stderr of a run that gets a signal once it has begun."""
    process = subprocess.Popen(
        [sys.executable, "-c", BUSY.format(main=main)],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )
    assert process.stdout is not None
    process.stdout.readline()
    process.send_signal(number)
    _, said = process.communicate(timeout=30)
    return process.returncode, said


@pytest.mark.parametrize(
    ("number", "code", "word"), [(signal.SIGINT, 130, "interrupted"), (signal.SIGTERM, 143, "terminated")]
)
def test_a_signal_ends_with_its_code_and_a_message(
    tmp_path: Path, number: signal.Signals, code: int, word: str
) -> None:
    said = f"refbench: {word}; run the same command again to go on\n"
    assert stopped(tmp_path, number) == (code, said)


def test_a_signal_during_an_import_waits_for_its_end(tmp_path: Path) -> None:
    (tmp_path / "fragile.py").write_text(
        "import time\nprint('begun', flush=True)\n"
        "try:\n    time.sleep(1)\nexcept BaseException:\n    raise ImportError('half of it is missing')\n"
        "whole = open('whole', 'w')\n"
    )
    code, said = stopped(tmp_path, signal.SIGINT, "sys.path.insert(0, ''); import fragile; time.sleep(60)")
    assert (code, said) == (130, "refbench: interrupted; run the same command again to go on\n")
    assert (tmp_path / "whole").exists()


def test_an_interruption_that_a_library_turned_into_another_error_is_told_as_one(tmp_path: Path) -> None:
    turned = "\n    ".join(
        [
            "try:",
            f"    {WAIT}",
            "except KeyboardInterrupt:",
            "    raise RuntimeError('initialisation failed')",
        ]
    )
    code, said = stopped(tmp_path, signal.SIGTERM, turned)
    assert (code, said) == (143, "refbench: terminated; run the same command again to go on\n")


def test_a_deferred_signal_waits_for_the_caller_and_a_second_one_does_not() -> None:
    with Interruptions() as interruptions:
        with deferred_interruption() as interrupted:
            assert not interrupted()
            os.kill(os.getpid(), signal.SIGTERM)
            time.sleep(0.01)
            assert interrupted()
            with pytest.raises(KeyboardInterrupt):  # noqa: PT012
                os.kill(os.getpid(), signal.SIGTERM)
                time.sleep(1)
        assert interruptions.code == 143
    assert signal.getsignal(signal.SIGTERM) == signal.SIG_DFL


def test_without_the_command_line_nothing_is_deferred() -> None:
    with deferred_interruption() as interrupted:
        assert not interrupted()


def test_a_program_that_is_given_up_leaves_no_process(tmp_path: Path) -> None:
    inner = "import os, pathlib, time; pathlib.Path('pid').write_text(str(os.getpid())); time.sleep(60)"
    words = f"[sys.executable, '-c', {inner!r}], cwd={str(tmp_path)!r}"
    outer = f"import subprocess, sys; subprocess.run({words})"
    with pytest.raises(subprocess.TimeoutExpired):
        run_program([sys.executable, "-c", outer], time_limit=1.5)
    pid = int((tmp_path / "pid").read_text())
    until = time.monotonic() + 5
    while Path(f"/proc/{pid}").exists() and "Z" not in _state(pid) and time.monotonic() < until:
        time.sleep(0.02)
    assert not Path(f"/proc/{pid}").exists() or "Z" in _state(pid)


def _state(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return "Z"


def test_what_a_program_prints_may_be_any_bytes() -> None:
    write = "import sys; sys.stdout.buffer.write(b'one\\ncaf\\xe9 \\xff\\n')"
    ended = run_program([sys.executable, "-c", write])
    assert (ended.code, ended.last_line()) == (0, "caf\\xe9 \\xff")
    assert run_program([sys.executable, "-c", ""]).last_line() == "no output"
