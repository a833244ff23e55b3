"""Checks of untrusted PNG files: every kind of wrong image is named, in bounded memory."""

from __future__ import annotations

import os
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from refbench.image_files.decoding import decode_stored
from refbench.image_files.png_check import inspect_png
from toy_pictures import srgb_profile, turned, wide_gamut_profile
from toy_submissions import GOOD, PIXELS, PNG, faults_of, huge, rgb16, saved, too_much_data, write_folder

IMAGE_FAULTS = {
    "16-bit grey": (saved("I;16"), "not 8 bits"),
    "16-bit RGB": (rgb16(), "not 8 bits"),
    "alpha": (saved("RGBA"), "alpha channel"),
    "grey and alpha": (saved("LA"), "alpha channel"),
    "palette": (saved("P"), "palette"),
    "grey": (saved("L"), "grey image"),
    "one bit": (saved("1"), "not 8 bits"),
    "JPEG renamed": (saved("RGB", "JPEG"), "JPEG"),
    "CMYK JPEG renamed": (saved("CMYK", "JPEG"), "JPEG"),
    "WebP renamed": (saved("RGB", "WEBP"), "WebP"),
    "text": (b"hello, I am a picture", "not a PNG"),
    "LFS pointer": (b"version https://git-lfs.github.com/spec/v1\n", "Git LFS"),
    "empty": (b"", "empty"),
    "cut off": (PNG[:-40], "damaged"),
    "cut after the header": (PNG[:40], "damaged"),
    "a flipped bit": (PNG[:200] + bytes([PNG[200] ^ 1]) + PNG[201:], "damaged"),
    "rows missing": (PNG[: PNG.index(b"IDAT") - 4] + PNG[-12:], "damaged"),
    "bomb by size": (huge(), "megapixels"),
    "bomb by data": (too_much_data(), "more pixel data"),
    "one colour transparent": (saved("RGB", transparency=(1, 2, 3)), "transparent"),
    "turned by its EXIF": (saved("RGB", exif=turned(6)), "turn"),
    "a wide gamut": (saved("RGB", icc_profile=wide_gamut_profile()), "profile"),
    "animated": (saved("RGB", save_all=True, append_images=[Image.new("RGB", (24, 24))]), "animated"),
}


@pytest.mark.parametrize("case", IMAGE_FAULTS)
def test_every_kind_of_wrong_image_is_named(tmp_path: Path, case: str) -> None:
    data, word = IMAGE_FAULTS[case]
    write_folder(tmp_path / "s", GOOD | {"a.png": data})
    faults = faults_of(tmp_path / "s")
    assert word in faults
    assert "a.png" in faults
    assert "b.png" not in faults


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"optimize": True},
        {"interlace": 1},
        {"dpi": (72, 72)},
        {"exif": turned(9)},
        {"icc_profile": srgb_profile()},
        {"icc_profile": b"broken"},
    ],
)
def test_every_way_to_write_an_8_bit_rgb_png_is_fine(tmp_path: Path, options: dict[str, object]) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(saved("RGB", **options))
    found = inspect_png(path)
    assert found.faults == ()
    assert (found.width, found.height) == (24, 24)


def test_a_png_bomb_costs_no_memory(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(too_much_data())
    tracemalloc.start()
    inspect_png(path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 4 << 20


def test_a_folder_and_a_pipe_are_named_without_being_opened(tmp_path: Path) -> None:
    (tmp_path / "a.png").mkdir()
    os.mkfifo(tmp_path / "b.png")
    details = [inspect_png(tmp_path / name).faults[0][1] for name in ("a.png", "b.png")]
    assert details == ["a folder", "a named pipe"]


@pytest.mark.parametrize(
    "options", [{}, {"interlace": 1}, {"icc_profile": srgb_profile()}, {"exif": turned(6)}]
)
def test_a_submitted_png_is_read_as_it_is_stored(options: dict[str, object]) -> None:
    np.testing.assert_array_equal(decode_stored(saved("RGB", **options), Path("a.png")).pixels, PIXELS)
