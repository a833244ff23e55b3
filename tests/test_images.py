from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from refbench.errors import RefbenchError, UnreadableImageError
from refbench.images import decode, encode_png, find_photos, read_photo, to_uint8, write_png

pytestmark = pytest.mark.core


@pytest.fixture
def gradient() -> np.ndarray:
    rows, columns = np.mgrid[0:48, 0:64]
    return np.stack([rows * 5, columns * 3, (rows + columns) * 2], axis=2).astype(np.uint8)


def encoded(image: Image.Image, suffix: str, **options: object) -> bytes:
    stream = io.BytesIO()
    image.save(stream, suffix, **options)
    return stream.getvalue()


def test_png_round_trip_keeps_pixels_and_channel_order(gradient: np.ndarray, tmp_path: Path) -> None:
    write_png(tmp_path / "a.png", gradient)
    np.testing.assert_array_equal(read_photo(tmp_path / "a.png").pixels, gradient)
    np.testing.assert_array_equal(np.asarray(Image.open(tmp_path / "a.png")), gradient)


def test_exif_rotation_is_applied_and_noted(gradient: np.ndarray) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    photo = decode(encoded(Image.fromarray(gradient), "PNG", exif=exif), Path("a.png"))
    np.testing.assert_array_equal(photo.pixels, np.rot90(gradient, -1))
    assert photo.notes == ("turned upright as its EXIF says",)


@pytest.mark.parametrize(
    ("mode", "suffix", "word"),
    [
        ("CMYK", "JPEG", "CMYK"),
        ("L", "PNG", "from L"),
        ("P", "PNG", "from P"),
        ("RGBA", "PNG", "alpha"),
    ],
)
def test_other_colour_modes_are_converted_and_noted(
    gradient: np.ndarray, mode: str, suffix: str, word: str
) -> None:
    photo = decode(encoded(Image.fromarray(gradient).convert(mode), suffix), Path("a"))
    assert photo.pixels.shape == (48, 64, 3)
    assert photo.pixels.dtype == np.uint8
    assert any(word in note for note in photo.notes)


def test_sixteen_bits_keep_their_brightness() -> None:
    deep = np.linspace(0, 65535, 64 * 48).reshape(48, 64).astype(np.uint16)
    photo = decode(encoded(Image.fromarray(deep), "PNG"), Path("a.png"))
    np.testing.assert_allclose(photo.pixels[..., 0], deep / 257.0, atol=0.51)
    assert "8-bit" in photo.notes[0]


def test_transparent_pixels_become_white(gradient: np.ndarray) -> None:
    clear = np.dstack([gradient, np.zeros((48, 64), np.uint8)])
    assert (decode(encoded(Image.fromarray(clear), "PNG"), Path("a")).pixels == 255).all()


def test_a_truncated_jpeg_is_refused_by_name(gradient: np.ndarray) -> None:
    data = encoded(Image.fromarray(gradient), "JPEG")
    with pytest.raises(UnreadableImageError, match=r"(?i)cut\.jpg: damaged: .*truncated"):
        decode(data[: len(data) // 2], Path("cut.jpg"))


@pytest.mark.parametrize("data", [b"just some text", b"\x89PNG\r\n\x1a\n garbage"])
def test_what_is_no_picture_is_refused(data: bytes) -> None:
    with pytest.raises(UnreadableImageError, match=r"notes\.png"):
        decode(data, Path("notes.png"))


def test_too_many_megapixels_are_refused_before_decoding() -> None:
    data = encoded(Image.new("1", (10_000, 10_000)), "PNG")
    with pytest.raises(UnreadableImageError, match="100 megapixels; the limit is 64"):
        decode(data, Path("huge.png"))


def test_missing_and_empty_files_are_named(tmp_path: Path) -> None:
    (tmp_path / "empty.jpg").touch()
    with pytest.raises(UnreadableImageError, match=r"empty\.jpg: the file is empty"):
        read_photo(tmp_path / "empty.jpg")
    with pytest.raises(UnreadableImageError, match=r"gone\.jpg: cannot be opened"):
        read_photo(tmp_path / "gone.jpg")


def test_rounding_is_to_nearest_and_nan_is_refused() -> None:
    np.testing.assert_array_equal(to_uint8(np.array([0.999, 0.5, -1.0, 2.0])), [255, 128, 0, 255])
    with pytest.raises(RefbenchError, match="NaN"):
        to_uint8(np.array([np.nan]))


def test_png_wants_rgb_uint8(gradient: np.ndarray) -> None:
    with pytest.raises(RefbenchError, match="float64"):
        encode_png(gradient / 255.0)


def test_photos_are_found_in_order_and_hidden_ones_left_out(tmp_path: Path) -> None:
    for name in ("b/2.JPG", "a/1.png", "a/notes.txt", ".cache/3.png", "c.webp"):
        (tmp_path / name).parent.mkdir(exist_ok=True, parents=True)
        (tmp_path / name).touch()
    assert [p.relative_to(tmp_path).as_posix() for p in find_photos(tmp_path)] == [
        "a/1.png",
        "b/2.JPG",
        "c.webp",
    ]
    with pytest.raises(RefbenchError, match="not a folder"):
        find_photos(tmp_path / "none")


def test_luma_and_psnr_are_the_standard_ones() -> None:
    from refbench.images import LUMA_WEIGHTS, luma, psnr_of_error

    pixels = np.random.default_rng(0).integers(0, 256, (8, 8, 3), dtype=np.uint8)
    np.testing.assert_allclose(luma(pixels), pixels @ np.array(LUMA_WEIGHTS), atol=0.51)
    assert sum(LUMA_WEIGHTS) == pytest.approx(1.0)
    assert psnr_of_error(np.full((4, 4), 25.5)) == pytest.approx(20.0)
    assert psnr_of_error(np.zeros(3)) == float("inf")
