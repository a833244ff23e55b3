"""Submissions from strangers: every fault told at once, nothing outside the folder, memory bounded."""

from __future__ import annotations

import bz2
import gzip
import io
import json
import lzma
import struct
import subprocess
import sys
import tarfile
import tracemalloc
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from refbench.errors import FaultListError, RefbenchError
from refbench.images import encode_png
from refbench.leaderboard.examples.example import write_example
from refbench.leaderboard.submission.archives import Limits
from refbench.leaderboard.submission.png_check import inspect_png
from refbench.leaderboard.submission.submission import (
    check_submission,
    read_submission,
    submission_hash,
    write_card,
)
from refbench.records.card import Card, card_text, parse_card, read_card
from refbench.records.protocol import Protocol

CARD = Card(model="Mine", team="We")
PIXELS = np.random.default_rng(0).integers(0, 256, (24, 24, 3), dtype=np.uint8)
PNG = encode_png(PIXELS)


def saved(mode: str, kind: str = "PNG", **options: object) -> bytes:
    buffer = io.BytesIO()
    image = Image.fromarray(PIXELS)
    if mode == "I;16":
        image = Image.fromarray(PIXELS[..., 0].astype(np.uint16) * 257)
    elif mode != "RGB":
        image = image.convert(mode)
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def rgb16() -> bytes:
    """An RGB PNG of 16 bits per channel, which Pillow cannot write."""
    rows = b"".join(b"\0" + (PIXELS[y].astype(">u2") * 257).tobytes() for y in range(24))

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", 24, 24, 16, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(rows))
        + chunk(b"IEND", b"")
    )


def huge() -> bytes:
    """A tiny file whose header promises 60,000 x 60,000 pixels."""
    data = bytearray(PNG)
    data[16:24] = struct.pack(">II", 60_000, 60_000)
    data[29:33] = struct.pack(">I", zlib.crc32(bytes(data[12:29])))
    return bytes(data)


def too_much_data() -> bytes:
    """Pixel data that unpack to a gigabyte where the header has room for two kilobytes."""
    squeezer = zlib.compressobj(9)
    data = b"".join(squeezer.compress(b"\0" * (1 << 20)) for _ in range(64)) + squeezer.flush()
    head = PNG[: PNG.index(b"IDAT") - 4]
    body = struct.pack(">I", len(data)) + b"IDAT" + data + struct.pack(">I", zlib.crc32(b"IDAT" + data))
    return head + body + PNG[-12:]


def write_folder(folder: Path, files: dict[str, bytes]) -> Path:
    for name, data in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    return folder


GOOD = {"submission.yaml": card_text(CARD).encode(), "a.png": PNG, "b.png": PNG}


def zipped(files: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return buffer.getvalue()


def tarred(files: dict[str, bytes], dialect: int = tarfile.PAX_FORMAT) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=dialect) as archive:
        for name, data in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return buffer.getvalue()


def faults_of(path: Path, limits: Limits | None = None) -> str:
    return "\n".join(check_submission(path, limits=limits).faults)


def test_a_folder_reads_back(tmp_path: Path) -> None:
    write_folder(tmp_path / "s", {"a.png": PNG, "b.png": PNG, ".DS_Store": b"x", "restore.json": b"{}"})
    write_card(tmp_path / "s", CARD)
    found = read_submission(tmp_path / "s")
    assert found.card == CARD
    assert sorted(found.images) == ["a", "b"]
    assert found.images["a"].read_bytes() == PNG


@pytest.mark.parametrize("name", ["s.zip", "s.tar", "s.tar.gz", "s.tar.bz2", "s.tar.xz", "named-wrongly.zip"])
@pytest.mark.parametrize("top", ["", "wrapped/"])
def test_archives_of_every_kind_read_the_same(tmp_path: Path, name: str, top: str) -> None:
    files = {top + inner: data for inner, data in GOOD.items()} | {"__MACOSX/._a.png": b"junk"}
    packers: dict[str, Callable[[bytes], bytes]] = {
        ".gz": gzip.compress,
        ".bz2": bz2.compress,
        ".xz": lzma.compress,
    }
    data = zipped(files) if name == "s.zip" else packers.get(Path(name).suffix, bytes)(tarred(files))
    path = tmp_path / name
    path.write_bytes(data)
    found = read_submission(path)
    assert found.card == CARD
    assert {key: image.read_bytes() for key, image in found.images.items()} == {"a": PNG, "b": PNG}
    assert check_submission(path).faults == ()
    place = found.root
    del found
    assert not place.exists()


@pytest.mark.parametrize("dialect", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_long_and_foreign_names_in_every_tar_dialect(tmp_path: Path, dialect: int) -> None:
    key = "é" * 12 + "x" * (50 if dialect == tarfile.USTAR_FORMAT else 130)
    path = tmp_path / "s.tar"
    path.write_bytes(tarred({"submission.yaml": GOOD["submission.yaml"], f"{key}.png": PNG}, dialect))
    assert list(read_submission(path).images) == [key]


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


@pytest.mark.parametrize("options", [{}, {"optimize": True}, {"interlace": 1}, {"dpi": (72, 72)}])
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


def zip_with(name: str, data: bytes = PNG, **attributes: int) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for inner, content in GOOD.items():
            archive.writestr(inner, content)
        info = zipfile.ZipInfo(name)
        for attribute, value in attributes.items():
            setattr(info, attribute, value)
        archive.writestr(info, data)
    return buffer.getvalue()


def tar_with(name: str, kind: bytes = tarfile.REGTYPE, link: str = "") -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for inner, data in GOOD.items():
            info = tarfile.TarInfo(inner)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
        odd = tarfile.TarInfo(name)
        odd.type, odd.linkname = kind, link
        archive.addfile(odd)
    return buffer.getvalue()


ARCHIVE_FAULTS = {
    "up": (zip_with("../evil.png"), "leads out"),
    "up inside": (zip_with("x/../../evil.png"), "leads out"),
    "absolute": (zip_with("/tmp/evil.png"), "leads out"),
    "drive": (zip_with("C:evil.png"), "leads out"),
    "backslashes": (zip_with("..\\evil.png"), "leads out"),
    "tar up": (tar_with("../evil.png"), "leads out"),
    "tar absolute": (tar_with("/tmp/evil.png"), "leads out"),
    "control character": (zip_with("ev\x1bil.png"), "not every disk"),
    "reserved": (zip_with("con.png"), "not every disk"),
    "twice": (zip_with("a.png"), "stands twice"),
    "case": (zip_with("A.png"), "case of letters"),
    "link in zip": (zip_with("l.png", b"/etc/passwd", external_attr=0o120777 << 16), "link"),
    "link in tar": (tar_with("l.png", tarfile.SYMTYPE, "/etc/passwd"), "link"),
    "hard link": (tar_with("l.png", tarfile.LNKTYPE, "/etc/passwd"), "link"),
    "device": (tar_with("l.png", tarfile.CHRTYPE), "link or a device"),
    "pipe": (tar_with("l.png", tarfile.FIFOTYPE), "link or a device"),
    "nested": (zip_with("more.zip", zipped(GOOD)), "archive inside"),
    "bomb": (zipped(GOOD | {"z.png": b"\0" * (40 << 20)}), "far more than its packed size"),
    "tar bomb": (
        gzip.compress(tarred(GOOD | {"z.png": b"\0" * (40 << 20)})),
        "far more than its packed size",
    ),
    "file over a folder": (zip_with("a.png/x.png"), "cannot be unpacked"),
    "cut zip": (zipped(GOOD)[:-30], "damaged"),
    "cut tar": (tarred(GOOD)[:1500], "damaged"),
    "cut gzip": (gzip.compress(tarred(GOOD))[:-900], "damaged"),
    "method": (zip_with("c.png", compress_type=zipfile.ZIP_BZIP2), "in a way that is not read"),
}


@pytest.mark.parametrize("case", ARCHIVE_FAULTS)
def test_hostile_archives_are_told_and_write_nothing_outside(tmp_path: Path, case: str) -> None:
    data, word = ARCHIVE_FAULTS[case]
    path = tmp_path / "in" / "s.archive"
    path.parent.mkdir()
    path.write_bytes(data)
    assert word in faults_of(path)
    assert [p for p in tmp_path.rglob("*") if p.is_file()] == [path]
    assert not Path("/tmp/evil.png").exists()
    assert not Path("/evil.png").exists()


def test_an_entry_without_a_name_is_told(tmp_path: Path) -> None:
    """Found by the fuzzer: an empty name made the standard library fall over."""
    data = bytearray(zip_with("c.png"))
    at = data.rindex(b"PK\x01\x02")
    data[at + 28 : at + 30] = b"\0\0"
    del data[at + 46 : at + 51]
    end = data.rindex(b"PK\x05\x06")
    size = int.from_bytes(data[end + 12 : end + 16], "little") - 5
    data[end + 12 : end + 16] = size.to_bytes(4, "little")
    path = tmp_path / "s.zip"
    path.write_bytes(bytes(data))
    assert "not every disk" in faults_of(path)


def test_mutated_archives_never_escape(tmp_path: Path) -> None:
    """A few hundred of the mutations of benchmarks/archives.py, which throws 12,000."""
    script = Path(__file__).resolve().parents[2] / "benchmarks" / "archives.py"
    done = subprocess.run(
        [sys.executable, str(script), "--count", "300", "--seed", "3"], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr
    told = json.loads(done.stdout)
    assert told["mutated"] == 300
    assert told["tracebacks"] == told["outside"] == told["left_behind"] == []
    assert told["outcomes"]["faulty"] > 200


def test_an_encrypted_zip_is_told(tmp_path: Path) -> None:
    data = bytearray(zip_with("c.png"))
    for marker, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        at = data.rindex(marker)
        data[at + offset] |= 1
    path = tmp_path / "s.zip"
    path.write_bytes(bytes(data))
    assert "password" in faults_of(path)


def test_counts_and_sizes_are_limited(tmp_path: Path) -> None:
    path = tmp_path / "s.zip"
    path.write_bytes(zipped(GOOD | {f"x{n}.txt": b"" for n in range(200)}))
    assert "more files than" in faults_of(path, Limits(entries=50))
    path.write_bytes(zipped(GOOD))
    assert "in one file" in faults_of(path, Limits(file_bytes=100))
    assert "in all" in faults_of(path, Limits(total_bytes=100))
    tar = tmp_path / "s.tar"
    tar.write_bytes(tarred(GOOD | {f"x{n}.txt": b"" for n in range(200)}))
    assert "more files than" in faults_of(tar, Limits(entries=50))


def test_an_xz_that_asks_for_much_memory_is_refused(tmp_path: Path) -> None:
    filters = [{"id": lzma.FILTER_LZMA2, "dict_size": 1 << 30}]
    path = tmp_path / "s.tar.xz"
    path.write_bytes(lzma.compress(tarred(GOOD), filters=filters))
    assert "damaged" in faults_of(path)


def test_all_faults_come_at_once_and_alike_ones_in_one_line(tmp_path: Path) -> None:
    bad = {f"f{n:03d}.png": b"" for n in range(300)} | {"c.PNG": PNG, "d.jpg": PNG, "sub/e.png": PNG}
    write_folder(tmp_path / "s", bad | {"submission.yaml": b"team: nobody\n"})
    checked = check_submission(tmp_path / "s")
    text = "\n".join(checked.faults)
    for word in (
        "the file is empty",
        "and 295 more",
        "suffix is not .png",
        "folder of its own",
        "model is missing",
    ):
        assert word in text
    assert len(checked.faults) < 8
    assert checked.submission is None


def test_links_out_of_a_folder_are_not_followed(tmp_path: Path) -> None:
    secret = tmp_path / "secret.png"
    secret.write_bytes(PNG)
    folder = write_folder(tmp_path / "s", GOOD)
    (folder / "c.png").symlink_to(secret)
    checked = check_submission(folder)
    assert "link" in "\n".join(checked.faults)
    assert checked.submission is not None
    assert "c" not in checked.submission.images


def test_extra_files_are_noted_and_harmless(tmp_path: Path) -> None:
    write_folder(tmp_path / "s", GOOD | {f"note{n}.txt": b"x" for n in range(3000)})
    checked = check_submission(tmp_path / "s")
    assert checked.faults == ()
    assert "2,995 more" in checked.notes[0]


def test_the_set_decides_keys_and_sizes(tmp_path: Path, protocols: dict[str, Protocol]) -> None:
    _, chosen, folders = write_example(tmp_path, protocols, models=1, identities=3, size=24)
    folder = folders[0]
    keys = sorted(target.key for target in chosen.select("test"))
    assert check_submission(folder, chosen).faults == ()
    (folder / f"{keys[0]}.png").unlink()
    (folder / f"{keys[1]}.png").write_bytes(encode_png(PIXELS[:12]))
    (folder / "stranger.png").write_bytes(PNG)
    text = "\n".join(check_submission(folder, chosen).faults)
    assert f"{keys[0]}: the restored image is missing" in text
    assert f"{keys[1]}.png (24x12, wanted 24x24)" in text
    assert "stranger: not a key of this set" in text


@pytest.fixture
def protocols() -> dict[str, Protocol]:
    facts = ("dB", (0.0, 80.0), "hq", 2, (), "words", "Apache-2.0", "someone")
    return {"psnr/rgb": Protocol("psnr/rgb", "PSNR (RGB)", True, *facts)}  # type: ignore[arg-type]


def test_nothing_there_and_not_an_archive(tmp_path: Path) -> None:
    with pytest.raises(RefbenchError, match="no such folder"):
        read_submission(tmp_path / "absent")
    (tmp_path / "s.rar").write_bytes(b"Rar!" + b"\0" * 600)
    with pytest.raises(RefbenchError, match="neither a folder, a zip nor a tar"):
        read_submission(tmp_path / "s.rar")


def test_the_hash_of_a_submission_names_absent_images() -> None:
    assert submission_hash({"a": "1"}, ["b", "a"]) == submission_hash({"a": "1", "z": "9"}, ["a", "b"])
    assert submission_hash({"a": "1"}, ["a", "b"]) != submission_hash({"a": "1"}, ["a"])


# Cards


def test_a_card_survives_its_file(tmp_path: Path) -> None:
    card = Card(
        model="Résumé: #1 'x'\n",
        version="1.0",
        team="yes",
        parameters=54_000_000,
        references_used=0,
        seconds_per_image=0.25,
        notes="- a\n- b: c",
    )
    assert read_card(write_card(tmp_path, card)) == card
    assert parse_card(card_text(card, explained=True).encode()) == card


@settings(max_examples=100, deadline=None)
@given(st.text(min_size=1), st.text(), st.none() | st.integers(0, 10**15))
def test_any_card_survives_its_text(model: str, notes: str, parameters: int | None) -> None:
    try:
        card = Card(model=model, notes=notes, parameters=parameters)
        data = card_text(card).encode()
    except (UnicodeEncodeError, yaml.YAMLError):
        return
    read = parse_card(data)
    assert (read.model, read.parameters) == (model, parameters)
    assert read.notes == notes or notes.strip().lower() in {"", "unknown", "none", "null", "n/a", "~"}


def test_unknown_is_said_and_versions_stay_text() -> None:
    card = parse_card(b"model: M\nversion: 1.10\nparameters: unknown\nreferences_used:\nteam: null\n")
    assert (card.version, card.parameters, card.references_used, card.team) == ("1.10", None, None, "unknown")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (b"", "not a card"),
        (b"- a\n- b\n", "not a card"),
        (b"model: [1, 2]\n", "model"),
        (b"model: M\nreferences_used: -1\nparameters: many\ncolour: blue\n", "references_used"),
        (b"model: M\ncolour: blue\n", "'colour' is not a field"),
        (b"\xff\xfe\x00", "not UTF-8"),
        (b"a: &x [1]\nb: [*x, *x]\n", "aliases"),
        (b"a: {b: [c\n", "not valid YAML"),
        (b"model: M\nparameters: " + b"9" * 5000, "parameters"),
        (b"[" * 5000, "not"),
        (b"model: !!python/object/apply:os.system ['true']\n", "model"),
    ],
)
def test_faulty_cards_are_told(text: bytes, words: str) -> None:
    with pytest.raises(FaultListError, match=words):
        parse_card(text)


def test_every_fault_of_a_card_comes_at_once_and_a_card_is_a_page(tmp_path: Path) -> None:
    with pytest.raises(FaultListError) as caught:
        parse_card(b"references_used: -1\nparameters: many\ncolour: blue\n")
    assert len(caught.value.faults) == 4
    (tmp_path / "submission.yaml").write_bytes(b"#" * 100_000)
    with pytest.raises(FaultListError, match="64 KiB"):
        read_card(tmp_path / "submission.yaml")
