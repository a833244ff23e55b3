"""Pairs by key: all that is wrong with a submission is said at once, before anything is computed."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from refbench.errors import FaultListError
from refbench.image_files.png_check import inspect_png
from refbench.images import write_png
from refbench.metrics.scoring.pairing import lossy, pair
from toys import bare_target


def picture(folder: Path, name: str, side: int = 8) -> Path:
    path = folder / name
    write_png(path, np.full((side, side, 3), 100, np.uint8))
    return path


def test_every_fault_is_listed_at_once(tmp_path: Path) -> None:
    targets = [bare_target(key) for key in ("a", "b", "c", "d")]
    images = {
        "a": picture(tmp_path, "a.png"),
        "A": picture(tmp_path, "A.png"),
        "b": picture(tmp_path, "b.png", side=9),
        "d": tmp_path / "a.png",
        "stranger": picture(tmp_path, "stranger.png"),
    }
    with pytest.raises(FaultListError) as caught:
        pair(targets, images, "a model")
    text = str(caught.value)
    for word in (
        "missing: c",
        "extra: A",
        "extra: stranger",
        "A and a are one key",
        "same file",
        "9x9",
        "8x8",
    ):
        assert word in text
    assert caught.value.exit_code == 1


def test_long_lists_are_cut_but_counted(tmp_path: Path) -> None:
    with pytest.raises(FaultListError, match="missing: 30 more"):
        pair([bare_target(f"k{index:02d}") for index in range(50)], {}, "a model")


def test_damaged_files_are_not_faults_of_pairing(tmp_path: Path) -> None:
    cut = picture(tmp_path, "a.png")
    cut.write_bytes(cut.read_bytes()[:-20])
    (tmp_path / "b.png").write_bytes(b"")
    images = {"a": tmp_path / "a.png", "b": tmp_path / "b.png", "c": tmp_path / "absent.png"}
    found = pair([bare_target(key) for key in "abc"], images, "a model")
    assert found["a"].sha256
    assert "damaged" in found["a"].reason
    assert "empty" in found["b"].reason
    assert "cannot be opened" in found["c"].reason


def test_pngs_that_the_check_refuses_are_refused_with_the_same_words(tmp_path: Path) -> None:
    from PIL import Image

    image = Image.new("RGB", (8, 8), (200, 10, 10))
    image.save(tmp_path / "a.png", "JPEG")
    image.convert("L").save(tmp_path / "b.png")
    image.save(tmp_path / "c.png", transparency=(200, 10, 10))
    with pytest.raises(FaultListError) as caught:
        pair([bare_target(key) for key in "abc"], {key: tmp_path / f"{key}.png" for key in "abc"}, "a model")
    for path, told in zip("abc", caught.value.faults, strict=True):
        (kind, _), *_ = inspect_png(tmp_path / f"{path}.png").faults
        assert told == f"{kind.what}: {path}.png; {kind.fix}"


def test_missing_images_may_be_allowed(tmp_path: Path) -> None:
    found = pair(
        [bare_target("a"), bare_target("b")], {"a": picture(tmp_path, "a.png")}, "a model", allow_missing=True
    )
    assert (found["a"].reason, found["b"].reason) == ("", "no image was submitted")


def test_lossy_formats_are_counted(tmp_path: Path) -> None:
    from PIL import Image

    Image.new("RGB", (8, 8)).save(tmp_path / "a.jpg")
    found = pair(
        [bare_target("a"), bare_target("b")], {"a": tmp_path / "a.jpg", "b": picture(tmp_path, "b.png")}, "x"
    )
    assert lossy(found) == 1


def test_the_size_of_a_rotated_jpeg_is_the_upright_one_and_a_rotated_png_is_refused(tmp_path: Path) -> None:
    from PIL import Image

    image = Image.new("RGB", (8, 12))
    exif = image.getexif()
    exif[0x0112] = 6
    for name in ("a.jpg", "a.png"):
        image.save(tmp_path / name, exif=exif)
    wide = bare_target("a", width=12)
    assert pair([wide], {"a": tmp_path / "a.jpg"}, "x")["a"].path == tmp_path / "a.jpg"
    with pytest.raises(FaultListError, match=r"EXIF asks for a turn: a\.png"):
        pair([bare_target("a", height=12)], {"a": tmp_path / "a.png"}, "x")
