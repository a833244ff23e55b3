"""Two runs at once: the second is told who holds the folder; a lock of a killed run is taken over."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from refbench import folder_lock as module
from refbench.builders.exchange import exchange as export
from refbench.builders.exchange.exchange import export_set
from refbench.degradations.lq.synthesise import synthesise_lq
from refbench.degradations.recipes.lookup import load_recipe
from refbench.errors import RefbenchError
from refbench.files import machine_id, partial_path, replacing, sweep_partials, write_text
from refbench.folder_lock import HOLDER, LOCK, FolderInUseError, Holder, folder_lock, has_files
from refbench.images import write_png
from toys import write_noise_set

pytestmark = pytest.mark.core
HOLD = """
import sys, time
from pathlib import Path
from refbench.folder_lock import folder_lock
with folder_lock(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(60)
"""


@contextmanager
def held_elsewhere(folder: Path) -> Iterator[subprocess.Popen[str]]:
    """Another process holds the folder."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(folder)], stdout=subprocess.PIPE, text=True, cwd=folder.parent
    )
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        yield process
    finally:
        process.kill()
        process.communicate()


def dead_pid() -> int:
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


def note_of(folder: Path, **other: object) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    facts = {"host": "far", "pid": 1, "machine": "0" * 8, "command": "refbench build x", "since": "then"}
    (folder / HOLDER).write_text(json.dumps(facts | other))


def test_a_held_folder_is_refused_with_its_holder_and_free_after_a_kill(tmp_path: Path) -> None:
    out = tmp_path / "out"
    with held_elsewhere(out) as process:
        with pytest.raises(FolderInUseError) as refused, folder_lock(out):
            raise AssertionError("two runs in one folder")
        said = str(refused.value)
        assert refused.value.exit_code == 2
        assert "another run is at work" in said
        assert f"process {process.pid} on" in said
        assert "`-c" in said
        assert "since 20" in said
        assert "\n" not in said
        with pytest.raises(FolderInUseError):
            synthesise_lq({"a": tmp_path / "a.png"}, load_recipe("refldm-severe"), out, seed=0)
        process.kill()
        process.wait()
        assert (out / HOLDER).exists()
        with folder_lock(out):
            assert Holder.read(out / HOLDER) == Holder.me()
    assert not out.exists() or not list(out.iterdir())


def test_nothing_is_left_of_a_lock_and_of_the_folders_it_made(tmp_path: Path) -> None:
    with folder_lock(tmp_path / "a" / "b"):
        assert not has_files(tmp_path / "a" / "b")
        write_text(tmp_path / "a" / "kept.txt", "x")
    assert [path.name for path in tmp_path.rglob("*")] == ["a", "kept.txt"]


def test_a_lock_counts_in_one_process_too_but_not_for_a_verb_inside_a_verb(tmp_path: Path) -> None:
    refused: list[str] = []

    def second() -> None:
        try:
            with folder_lock(tmp_path):
                refused.append("was not refused")
        except FolderInUseError as error:
            refused.append(str(error))

    with folder_lock(tmp_path), folder_lock(tmp_path):
        other = threading.Thread(target=second)
        other.start()
        other.join()
        assert (tmp_path / HOLDER).exists()
    assert len(refused) == 1
    assert "another run" in refused[0]


@pytest.mark.parametrize("has_locks", [True, False])
def test_a_note_alone_decides_where_the_file_system_has_no_locks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, has_locks: bool
) -> None:
    if not has_locks:
        monkeypatch.setattr(module, "_take_file_lock", lambda *_: False)
    note_of(tmp_path, machine=machine_id(), pid=dead_pid())
    with folder_lock(tmp_path):
        pass
    note_of(tmp_path, machine=machine_id(), pid=os.getppid(), host="here")
    with (
        pytest.raises(FolderInUseError, match=r"process \d+ on here, `refbench build x`"),
        folder_lock(tmp_path),
    ):
        pass
    note_of(tmp_path)
    with pytest.raises(FolderInUseError, match="120 s after its last sign of life"), folder_lock(tmp_path):
        pass
    long_ago = time.time() - 600
    os.utime(tmp_path / HOLDER, (long_ago, long_ago))
    with folder_lock(tmp_path):
        pass


def test_a_holder_shows_signs_of_life(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "HEARTBEAT", 0.01)
    with folder_lock(tmp_path):
        os.utime(tmp_path / HOLDER, (1, 1))
        until = time.monotonic() + 5
        while (tmp_path / HOLDER).stat().st_mtime < 2 and time.monotonic() < until:
            time.sleep(0.01)
        assert (tmp_path / HOLDER).stat().st_mtime > 2


@pytest.mark.skipif(os.geteuid() == 0, reason="root writes everywhere")
def test_a_folder_that_cannot_be_written_is_not_locked(tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir(mode=0o555)
    with folder_lock(out):
        assert not list(out.iterdir())
    with folder_lock(out / "inner"):
        assert not (out / "inner").exists()


def test_an_unwritable_file_system_is_not_locked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def read_only(*_: object) -> bool:
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr(module, "_take_file_lock", read_only)
    with folder_lock(tmp_path):
        assert not list(tmp_path.iterdir())
    write_text(tmp_path / "file", "x")
    with folder_lock(tmp_path / "file"):
        pass


def test_a_left_lock_is_no_content(tmp_path: Path) -> None:
    made = write_noise_set(tmp_path / "set").root
    out = tmp_path / "out"
    note_of(out, machine=machine_id(), pid=dead_pid())
    (out / LOCK).touch()
    files = export_set(made, out, "folders")
    assert files
    assert not [path for path in out.rglob("*") if path.name in module.NAMES]


def test_leftovers_of_killed_runs_are_swept_and_those_of_living_ones_kept(tmp_path: Path) -> None:
    here, images = machine_id(), tmp_path / "images"
    images.mkdir()
    dead = dead_pid()
    swept = [
        images / f".a.png.{dead}-{here}-0.part",
        images / ".b.png.part",
        images / ".c.png.7-00000000-1.part",
    ]
    kept = [
        images / f".d.png.{os.getpid()}-{here}-0.part",
        images / f".e.png.{os.getppid()}-{here}-0.part",
        images / ".f.png.7-00000000-1.part",
        images / ".g.png.part",
        images / ".weights.zip.part",
        images / "h.part",
    ]
    long_ago = time.time() - 2 * 86_400
    for path in [*swept, *kept]:
        path.write_bytes(b"half")
    for path in [*swept[1:], kept[4], kept[5]]:
        os.utime(path, (long_ago, long_ago))
    folder = tmp_path / f".record.{dead}-{here}-3.part"
    (folder / "inner").mkdir(parents=True)
    with folder_lock(tmp_path):
        pass
    assert sorted(images.iterdir()) == sorted(kept)
    assert not folder.exists()


def test_partial_names_are_unique_and_fit(tmp_path: Path) -> None:
    path = tmp_path / ("n" * 250)
    with replacing(path) as first, replacing(path) as second:
        assert first != second
        first.write_bytes(b"1")
        second.write_bytes(b"2")
    assert path.read_bytes() == b"1"
    assert len({partial_path(path) for _ in range(5)}) == 5
    assert sweep_partials(tmp_path) == 0


def test_lq_images_made_by_threads_at_once_are_whole(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    write_png(tmp_path / "a.png", rng.integers(0, 255, (64, 64, 3), dtype=np.uint8))
    ended: list[str] = []

    def degrade() -> None:
        try:
            synthesise_lq({"a": tmp_path / "a.png"}, load_recipe("refldm-severe"), tmp_path / "lq", seed=0)
            ended.append("done")
        except FolderInUseError:
            ended.append("in use")

    runs = [threading.Thread(target=degrade) for _ in range(4)]
    for run in runs:
        run.start()
    for run in runs:
        run.join()
    assert len(ended) == 4
    assert "done" in ended
    assert sorted(path.name for path in (tmp_path / "lq").iterdir()) == ["a.png", "draws.parquet", "lq.json"]


def test_an_interrupted_export_goes_on_and_another_one_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made, out = write_noise_set(tmp_path / "set").root, tmp_path / "out"
    real = export.write_webdataset

    def interrupted(*given: Any, **named: Any) -> None:
        real(*given, **named)
        raise KeyboardInterrupt

    monkeypatch.setattr(export, "write_webdataset", interrupted)
    with pytest.raises(KeyboardInterrupt):
        export_set(made, out, "webdataset")
    assert (out / module.UNFINISHED).is_file()
    monkeypatch.setattr(export, "write_webdataset", real)
    with pytest.raises(RefbenchError, match="not an empty folder"):
        export_set(made, out, "folders")
    files = export_set(made, out, "webdataset")
    assert sorted(path for path in out.rglob("*") if path.is_file()) == sorted(files)
    with pytest.raises(RefbenchError, match="not an empty folder"):
        export_set(made, out, "webdataset")


def test_a_refused_export_leaves_no_folder(tmp_path: Path) -> None:
    made = write_noise_set(tmp_path / "set").root
    with pytest.raises(RefbenchError, match="no LQ images of 'none'"):
        export_set(made, tmp_path / "out", recipes=["none"])
    assert not (tmp_path / "out").exists()
