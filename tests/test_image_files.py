"""The one reader of pictures: colours, depth, orientation and metadata of files as people have them."""

from __future__ import annotations

import io
import os
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageCms
from refbench.errors import UnreadableImageError
from refbench.image_files.decoding import MALFORMED, is_readable, size_in_header
from refbench.images import Photo, decode, find_photos, read_plain_file
from toy_pictures import (
    chunk,
    deep_png,
    encoded,
    exif,
    srgb_profile,
    tiff,
    turned,
    wide_gamut_profile,
    with_chunk,
)

pytestmark = pytest.mark.core
SIDEWAYS = (0x0112, 3, 1, struct.pack("<HH", 6, 0))
BROKEN_EXIF = {
    "signed byte for a width": (0x0100, 6, 1, b"\xff\0\0\0"),
    "infinite width": (0x0100, 11, 1, struct.pack("<f", float("inf"))),
    "XMP packet stored as text": (0x02BC, 2, 4, b"abc\0"),
    "negative pointer": (0x8769, 9, 1, struct.pack("<i", -5)),
    "pointer behind the end": (0x8769, 4, 1, struct.pack("<I", 1 << 30)),
}


@pytest.fixture(scope="module")
def pixels() -> np.ndarray:
    rows, columns = np.mgrid[0:48, 0:64]
    return np.stack([rows * 5, columns * 3, (rows + columns) * 2], axis=2).astype(np.uint8)


def read(data: bytes) -> Photo:
    return decode(data, Path("a"))


@pytest.mark.parametrize("case", BROKEN_EXIF)
@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "TIFF"])
def test_broken_exif_is_noted_and_the_photo_is_turned(pixels: np.ndarray, kind: str, case: str) -> None:
    block = exif(SIDEWAYS, BROKEN_EXIF[case])
    picture = Image.fromarray(pixels)
    options = {"quality": 95} if kind in ("JPEG", "WEBP") else {}
    if kind == "TIFF":
        data = tiff_with(encoded(picture, "TIFF"), (274, 3, 1, SIDEWAYS[3]), BROKEN_EXIF[case])
    else:
        data = encoded(picture, kind, exif=block, **options)
    photo = read(data)
    if kind == "TIFF" and case in ("signed byte for a width", "infinite width"):
        return  # in a TIFF, these are the size of the picture itself
    assert np.abs(photo.pixels.astype(int) - np.rot90(pixels, -1)).mean() < 8
    assert "turned upright as its EXIF says" in photo.notes
    assert case == "XMP packet stored as text" or kind == "TIFF" or MALFORMED in photo.notes


def tiff_with(data: bytes, *entries: tuple[int, int, int, bytes]) -> bytes:
    """A TIFF whose directory is copied to its end, with more entries."""
    at = struct.unpack_from("<I", data, 4)[0]
    count = struct.unpack_from("<H", data, at)[0]
    listed = [data[at + 2 + 12 * number : at + 14 + 12 * number] for number in range(count)]
    taken = {struct.unpack_from("<H", entry)[0] for entry in listed}
    listed += [struct.pack("<HHI", *entry[:3]) + entry[3] for entry in entries if entry[0] not in taken]
    listed.sort(key=lambda entry: struct.unpack_from("<H", entry)[0])
    data += b"\0" * (len(data) % 2)
    directory = struct.pack("<H", len(listed)) + b"".join(listed) + bytes(4)
    return data[:4] + struct.pack("<I", len(data)) + data[8:] + directory


@pytest.mark.parametrize("orientation", [0, 1, 9])
def test_an_orientation_that_turns_nothing_is_not_noted(pixels: np.ndarray, orientation: int) -> None:
    photo = read(encoded(Image.fromarray(pixels), "PNG", exif=turned(orientation)))
    assert photo.notes == ()
    np.testing.assert_array_equal(photo.pixels, pixels)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_every_orientation_is_turned_alike_in_every_format(pixels: np.ndarray, orientation: int) -> None:
    as_png = read(encoded(Image.fromarray(pixels), "PNG", exif=turned(orientation)))
    as_tiff = read(tiff(pixels, orientation=orientation))
    deep = read(tiff(pixels.astype(np.uint16) * 257, orientation=orientation))
    np.testing.assert_array_equal(as_png.pixels, as_tiff.pixels)
    np.testing.assert_array_equal(as_png.pixels, deep.pixels)
    assert as_png.notes == as_tiff.notes
    for data in (tiff(pixels, orientation=orientation),):
        assert size_in_header(data, Path("a")) == as_png.pixels.shape[1::-1]


def test_a_wide_gamut_is_brought_to_srgb_and_noted(pixels: np.ndarray) -> None:
    profile = wide_gamut_profile()
    muted = Image.fromarray((pixels // 2 + 64).astype(np.uint8))
    wide = ImageCms.profileToProfile(
        muted, ImageCms.createProfile("sRGB"), ImageCms.ImageCmsProfile(io.BytesIO(profile))
    )
    assert wide is not None
    photo = read(encoded(wide, "PNG", icc_profile=profile))
    assert photo.notes == ("colours converted from its profile (Adobe RGB) to sRGB",)
    assert np.abs(photo.pixels.astype(int) - np.asarray(muted)).max() <= 3
    assert np.abs(np.asarray(wide, dtype=int) - np.asarray(muted)).max() > 10


def test_alpha_stays_where_colours_are_converted(pixels: np.ndarray) -> None:
    half = Image.fromarray(pixels).convert("RGBA")
    half.putalpha(128)
    photo = read(encoded(half, "PNG", icc_profile=wide_gamut_profile()))
    plain = read(encoded(Image.fromarray(pixels), "PNG", icc_profile=wide_gamut_profile()))
    np.testing.assert_allclose(photo.pixels, plain.pixels * (128 / 255) + 255 * (127 / 255), atol=1.01)
    assert len(photo.notes) == 2


def test_srgb_changes_no_level_and_a_broken_profile_is_noted(pixels: np.ndarray) -> None:
    picture = Image.fromarray(pixels)
    assert read(encoded(picture, "PNG", icc_profile=srgb_profile())).notes == ()
    broken = read(encoded(picture, "PNG", icc_profile=b"no profile"))
    np.testing.assert_array_equal(broken.pixels, pixels)
    assert broken.notes == ("its colour profile is broken; read as sRGB",)
    grey = read(encoded(picture.convert("CMYK"), "JPEG", icc_profile=wide_gamut_profile()))
    assert any("not for these colours" in note for note in grey.notes)


def test_sixteen_bits_are_rounded_and_noted() -> None:
    deep = np.random.default_rng(0).integers(0, 65536, (33, 21, 4), dtype=np.uint16)
    deep[..., 3] = 65535
    wanted = np.rint(deep[..., :3] / 257.0)
    for data in (deep_png(deep[..., :3]), deep_png(deep), tiff(deep[..., :3])):
        photo = read(data)
        np.testing.assert_array_equal(photo.pixels, wanted)
        assert "rounded from 16 bits per channel to 8" in photo.notes


def test_sixteen_bits_in_separate_planes_are_refused() -> None:
    deep = np.zeros((8, 8, 3), np.uint16)
    with pytest.raises(UnreadableImageError, match="separate planes"):
        read(tiff(deep, planes=True))


@pytest.mark.parametrize(
    ("levels", "reason"),
    [
        (np.full((8, 8), 128.0, np.float32), "128 to 128; only 0 .black. to 1"),
        (np.full((8, 8), np.nan, np.float32), "NaN"),
        (np.full((8, 8), 128, np.int32), "which of them is white"),
        (np.full((8, 8), 128, np.int16), "which of them is white"),
    ],
)
def test_numbers_without_a_clear_meaning_are_refused(levels: np.ndarray, reason: str) -> None:
    with pytest.raises(UnreadableImageError, match=reason):
        read(tiff(levels, photometric=1))


def test_numbers_with_a_clear_meaning_are_read_by_one_rule() -> None:
    unit = np.linspace(0, 0.5, 64, dtype=np.float32).reshape(8, 8)
    wanted = np.rint(unit.astype(np.float64) * 255)
    deep = np.rint(unit.astype(np.float64) * 65535).astype(np.uint16)
    np.testing.assert_array_equal(read(tiff(unit, photometric=1)).pixels[..., 0], wanted)
    np.testing.assert_allclose(read(tiff(deep, photometric=1)).pixels[..., 0], wanted, atol=1)
    np.testing.assert_allclose(read(tiff(65535 - deep, photometric=0)).pixels[..., 0], wanted, atol=1)


def test_an_opaque_alpha_channel_is_no_transparency(pixels: np.ndarray) -> None:
    photo = read(encoded(Image.fromarray(pixels).convert("RGBA"), "PNG"))
    np.testing.assert_array_equal(photo.pixels, pixels)
    assert photo.notes == ("its alpha channel, which is opaque everywhere, was left out",)
    lab = read(encoded(Image.fromarray(pixels).convert("LAB"), "TIFF"))
    assert lab.notes == ("converted from LAB to RGB",)


@pytest.mark.parametrize("kind", ["PNG", "WEBP", "TIFF", "GIF"])
def test_further_pictures_of_a_file_are_noted(pixels: np.ndarray, kind: str) -> None:
    first, second = Image.fromarray(pixels), Image.fromarray(255 - pixels)
    data = encoded(first, kind, save_all=True, append_images=[second, first])
    assert "the first of 3 pictures in the file" in read(data).notes


@pytest.mark.parametrize("kind", [b"zTXt", b"iTXt", b"tEXt"])
def test_long_texts_do_not_decide(pixels: np.ndarray, kind: bytes) -> None:
    packed = zlib.compress(b"edited " * 600_000)
    head = {b"zTXt": b"History\0\0", b"iTXt": b"History\0\1\0\0\0", b"tEXt": b"History\0"}[kind]
    body = b"edited " * 600_000 if kind == b"tEXt" else packed
    data = with_chunk(encoded(Image.fromarray(pixels), "PNG"), chunk(kind, head + body))
    np.testing.assert_array_equal(read(data).pixels, pixels)


def test_a_metadata_chunk_with_a_wrong_checksum_is_noted(pixels: np.ndarray) -> None:
    bad = chunk(b"tEXt", b"Comment\0hello")[:-1] + b"\0"
    photo = read(with_chunk(encoded(Image.fromarray(pixels), "PNG"), bad))
    np.testing.assert_array_equal(photo.pixels, pixels)
    assert photo.notes == (MALFORMED,)


def test_other_formats_and_failing_decoders_are_refused_in_words(pixels: np.ndarray) -> None:
    for kind in ("EPS", "TGA", "ICO"):
        with pytest.raises(UnreadableImageError, match="not a picture, or of a format that is not read"):
            read(encoded(Image.fromarray(pixels), kind))
    if is_readable("AVIF"):
        whole = encoded(Image.fromarray(pixels), "AVIF")
        assert np.abs(read(whole).pixels.astype(int) - pixels).mean() < 8
        with pytest.raises(UnreadableImageError, match="damaged"):
            read(whole[:-200] + bytes(200))


def test_heic_is_read_or_the_extra_is_named(pixels: np.ndarray) -> None:
    if not is_readable("HEIF"):
        with pytest.raises(UnreadableImageError, match=r"refbench\[heic\]"):
            read(b"\0\0\0\x18ftypheic" + bytes(12))
        pytest.skip("pillow-heif is not installed")
    data = encoded(Image.fromarray(pixels), "HEIF", quality=95, exif=turned(6))
    photo = read(data)
    assert photo.pixels.shape in ((64, 48, 3), (48, 64, 3))
    with pytest.raises(UnreadableImageError, match="damaged"):
        read(data[:-300])


def test_only_plain_files_are_opened(tmp_path: Path, pixels: np.ndarray) -> None:
    (tmp_path / "a.png").write_bytes(encoded(Image.fromarray(pixels), "PNG"))
    (tmp_path / "link.png").symlink_to(tmp_path / "a.png")
    (tmp_path / "gone.png").symlink_to(tmp_path / "nowhere.png")
    (tmp_path / "folder.png").mkdir()
    os.mkfifo(tmp_path / "pipe.png")
    assert [path.name for path in find_photos(tmp_path)] == ["a.png", "link.png"]
    for name, word in (("folder.png", "a folder"), ("pipe.png", "a named pipe"), ("gone.png", "absent")):
        with pytest.raises(UnreadableImageError, match=word):
            read_plain_file(tmp_path / name)


def test_the_limit_of_pixels_can_be_raised_beyond_pillows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1000)
    data = encoded(Image.new("1", (100, 100)), "PNG")
    assert decode(data, Path("a"), 0.01).pixels.shape == (100, 100, 3)
    with pytest.raises(UnreadableImageError, match=r"the limit is 0\.009"):
        decode(data, Path("a"), 0.009)
    assert Image.MAX_IMAGE_PIXELS == 1000
