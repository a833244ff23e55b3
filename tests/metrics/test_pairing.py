"""Pairs by key: all that is wrong with a submission is said at once, before anything is computed."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from refbench.errors import FaultListError
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


def test_undecodable_files_are_not_faults_of_pairing(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_text("this is text")
    (tmp_path / "b.png").write_bytes(b"")
    images = {"a": tmp_path / "a.png", "b": tmp_path / "b.png", "c": tmp_path / "absent.png"}
    found = pair([bare_target(key) for key in "abc"], images, "a model")
    assert found["a"].sha256
    assert not found["a"].reason
    assert "cannot be opened" in found["c"].reason


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


def test_the_size_of_a_rotated_image_is_the_upright_one(tmp_path: Path) -> None:
    from PIL import Image

    image = Image.new("RGB", (8, 12))
    exif = image.getexif()
    exif[0x0112] = 6
    image.save(tmp_path / "a.png", exif=exif)
    wide = bare_target("a", width=12)
    assert pair([wide], {"a": tmp_path / "a.png"}, "x")["a"].path == tmp_path / "a.png"
