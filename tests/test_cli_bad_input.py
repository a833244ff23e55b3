"""What a folder of real life throws at `refbench build`: one clear line each, and the rest goes on."""

from __future__ import annotations

import io
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from refbench.__main__ import run as entry

CLI = (sys.executable, "-m", "refbench")


def run(*arguments: str | Path, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*CLI, *map(str, arguments)],
        capture_output=True,
        text=True,
        env=os.environ | environment,
        timeout=280,
    )


def heed_interruptions() -> None:
    """A background job of a shell ignores them, and so would its children."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


@pytest.fixture(scope="module")
def odd_photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two photos of one face, and everything else that folders hold."""
    from skimage import data

    folder = tmp_path_factory.mktemp("photos")
    face = Image.fromarray(data.astronaut())
    face.save(folder / "first.jpg", quality=95)
    face.crop((40, 0, 440, 400)).save(folder / "second.png")
    face.convert("CMYK").save(folder / "cmyk.jpg")
    turned = Image.Exif()
    turned[0x0112] = 6
    face.rotate(90, expand=True).save(folder / "turned.jpg", exif=turned, quality=95)
    deep = np.asarray(face.convert("L")).astype(np.uint16) * 257
    Image.fromarray(deep).save(folder / "deep.png")
    stream = io.BytesIO()
    face.save(stream, "JPEG")
    (folder / "cut.jpg").write_bytes(stream.getvalue()[: len(stream.getvalue()) // 2])
    Image.new("RGB", (1, 1)).save(folder / "dot.png")
    Image.new("RGB", (640, 480), "teal").save(folder / "wall.png")
    Image.new("1", (10_000, 10_000)).save(folder / "huge.png")
    (folder / "notes.png").write_text("this is a text, not a picture")
    (folder / "empty.jpg").touch()
    (folder / "lost.jpg").symlink_to(folder / "nowhere.jpg")
    return folder


@pytest.fixture(scope="module")
def built(
    odd_photos: Path, tmp_path_factory: pytest.TempPathFactory, need_weights: Callable[..., None]
) -> tuple[Path, subprocess.CompletedProcess[str]]:
    need_weights("mtcnn-pnet", "mtcnn-rnet", "mtcnn-onet", "mobilefacenet")
    out = tmp_path_factory.mktemp("out") / "set"
    return out, run("build", odd_photos, "--out", out, "--max-megapixels", "64", "--json")


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("cut.jpg", "damaged"),
        ("dot.png", "no face"),
        ("wall.png", "no face"),
        ("huge.png", "100 megapixels"),
        ("notes.png", "not a picture"),
        ("empty.jpg", "empty"),
        ("lost.jpg", "cannot be opened"),
    ],
)
def test_each_bad_file_has_its_line_and_reason(
    built: tuple[Path, subprocess.CompletedProcess[str]], name: str, reason: str
) -> None:
    out, done = built
    assert done.returncode == 0, done.stderr
    dropped = json.loads((out / "report.json").read_text())["dropped"]
    lines = [entry["reason"] for entry in dropped if entry["source"] == name]
    assert len(lines) == 1
    assert reason in lines[0]
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("name", "word"), [("cmyk.jpg", "CMYK"), ("deep.png", "8-bit"), ("turned.jpg", "upright")]
)
def test_what_was_converted_is_in_the_set_and_said_so(
    built: tuple[Path, subprocess.CompletedProcess[str]], name: str, word: str
) -> None:
    out, done = built
    assert done.returncode == 0, done.stderr
    converted = json.loads((out / "report.json").read_text())["converted"]
    assert any(entry["source"] == name and word in entry["reason"] for entry in converted)


def test_all_photos_of_the_one_face_are_one_person(
    built: tuple[Path, subprocess.CompletedProcess[str]],
) -> None:
    from refbench.records.reference_set import ReferenceSet

    targets = ReferenceSet.read(built[0]).targets
    assert {target.source for target in targets} == {
        "cmyk.jpg", "deep.png", "first.jpg", "second.png", "turned.jpg"
    }  # fmt: skip
    assert len({target.identity for target in targets}) == 1


def test_a_folder_without_a_face_ends_with_2_and_nothing_written(
    tmp_path: Path, need_weights: Callable[..., None]
) -> None:
    need_weights("mtcnn-pnet", "mtcnn-rnet", "mtcnn-onet", "mobilefacenet")
    photos = tmp_path / "photos"
    photos.mkdir()
    Image.new("RGB", (300, 200), "teal").save(photos / "wall.png")
    done = run("build", photos, "--out", tmp_path / "set")
    assert done.returncode == 2
    assert "wall.png" in done.stderr
    assert "no face" in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "set" / "set.json").exists()
    assert not (tmp_path / "set" / "images").exists()


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        (("build", "nowhere", "--out", "set"), "not a folder"),
        (("degrade", "nowhere", "--recipe", "refldm-severe"), "not a reference set"),
        (("build", ".", "--out", "set", "--val", "many"), "share"),
        (("build", ".", "--out", "set", "--threshold", "3"), "threshold"),
        (("score", "nowhere", "x", "--recipe", "refldm-severe", "--store", "s"), "not a reference set"),
        (("demo", "--photos", "nowhere"), "not a folder"),
        (("restore", "nowhere", "-r", "x", "-m", "y", "--out", "z", "--device", "tpu"), "nowhere"),
    ],
)
def test_wrong_use_ends_with_2_and_one_message(
    arguments: tuple[str, ...], word: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    done = run(*arguments)
    assert done.returncode == 2
    assert word in done.stderr
    assert "Traceback" not in done.stderr


def test_absent_weights_name_the_command_that_brings_them(tmp_path: Path) -> None:
    done = run("demo", "--out", tmp_path / "demo", REFBENCH_WEIGHTS=str(tmp_path / "none"))
    assert done.returncode == 2
    assert "refbench weights fetch demo" in done.stderr


def test_ctrl_c_ends_with_130_and_the_next_run_goes_on(
    tmp_path: Path, astronaut: np.ndarray, need_weights: Callable[..., None]
) -> None:
    need_weights("mtcnn-pnet", "mtcnn-rnet", "mtcnn-onet", "mobilefacenet")
    photos = tmp_path / "photos"
    photos.mkdir()
    for number in range(24):
        shifted = Image.fromarray(np.roll(astronaut, 4 * number, axis=1))
        shifted.save(photos / f"{number:02}.jpg", quality=95)
    whole, cut = tmp_path / "whole", tmp_path / "cut"
    process = subprocess.Popen(
        [*CLI, "build", str(photos), "--out", str(cut)],
        stderr=subprocess.PIPE,
        preexec_fn=heed_interruptions,
    )
    deadline = time.monotonic() + 60
    while not list(cut.rglob("*.*")) and time.monotonic() < deadline:
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    _, stderr = process.communicate(timeout=60)
    assert process.returncode == 130
    assert b"Traceback" not in stderr
    assert not (cut / "set.json").exists()
    assert run("build", photos, "--out", cut, "--name", "x").returncode == 0
    assert run("build", photos, "--out", whole, "--name", "x").returncode == 0
    assert visible_bytes(cut) == visible_bytes(whole)


def test_an_interruption_before_the_first_command_has_no_traceback(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupted() -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("refbench.cli.main", interrupted)
    with pytest.raises(SystemExit) as stopped:
        entry()
    assert stopped.value.code == 130
    assert capsys.readouterr().err == "refbench: interrupted; run the same command again to go on\n"


def visible_bytes(folder: Path) -> dict[str, bytes]:
    files = (path for path in folder.rglob("*") if path.is_file())
    return {
        name: path.read_bytes()
        for path in files
        if not (name := path.relative_to(folder).as_posix()).startswith(".")
    }
