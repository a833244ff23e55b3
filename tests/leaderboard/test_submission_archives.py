"""Safe extraction of untrusted archives: nothing outside the folder, every limit kept, every fault named."""

from __future__ import annotations

import bz2
import gzip
import io
import json
import lzma
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from refbench.leaderboard.submission.safe_extract import ArchiveLimits
from refbench.leaderboard.submission.submission import check_submission, read_submission
from toy_submissions import CARD, GOOD, PNG, faults_of, tar_with, tarred, zip_with, zipped

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
    "twice": (zip_with("a.png"), "is in the archive twice"),
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
    "method": (zip_with("c.png", compress_type=zipfile.ZIP_BZIP2), "an unsupported method"),
}


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


@pytest.mark.parametrize("case", ARCHIVE_FAULTS)
def test_hostile_archives_are_reported_and_write_nothing_outside(tmp_path: Path, case: str) -> None:
    data, word = ARCHIVE_FAULTS[case]
    path = tmp_path / "in" / "s.archive"
    path.parent.mkdir()
    path.write_bytes(data)
    assert word in faults_of(path)
    assert [p for p in tmp_path.rglob("*") if p.is_file()] == [path]
    assert not Path("/tmp/evil.png").exists()
    assert not Path("/evil.png").exists()


def test_an_entry_without_a_name_is_reported(tmp_path: Path) -> None:
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
        [sys.executable, str(script), "--json", "--count", "300", "--seed", "3"],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    told = json.loads(done.stdout)
    counts = {row["name"]: row["ours"] for row in told["rows"]}
    assert told["workload"]["mutated"] == 300
    assert counts["tracebacks"] == counts["files outside"] == counts["left behind"] == 0
    assert counts["faulty"] > 200


def test_an_encrypted_zip_is_reported(tmp_path: Path) -> None:
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
    assert "more files than" in faults_of(path, ArchiveLimits(entries=50))
    path.write_bytes(zipped(GOOD))
    assert "in one file" in faults_of(path, ArchiveLimits(file_bytes=100))
    assert "in all" in faults_of(path, ArchiveLimits(total_bytes=100))
    tar = tmp_path / "s.tar"
    tar.write_bytes(tarred(GOOD | {f"x{n}.txt": b"" for n in range(200)}))
    assert "more files than" in faults_of(tar, ArchiveLimits(entries=50))


def test_one_entry_more_than_the_limit_is_too_many(tmp_path: Path) -> None:
    path = tmp_path / "s.tar"
    path.write_bytes(tarred({f"{place}.png": PNG for place in range(6)}))
    assert "more files than" in faults_of(path, ArchiveLimits(entries=5))
    assert "more files than" not in faults_of(path, ArchiveLimits(entries=6))


@pytest.mark.parametrize("pack", [zipped, tarred, lambda files: gzip.compress(tarred(files))])
def test_the_total_size_is_that_of_all_files_together(
    tmp_path: Path, pack: Callable[[dict[str, bytes]], bytes]
) -> None:
    files = GOOD | {f"x{n}.txt": bytes(1_000) for n in range(10)}
    path = tmp_path / "s"
    path.write_bytes(pack(files))
    total = sum(map(len, files.values()))
    assert faults_of(path, ArchiveLimits(total_bytes=total)) == ""
    assert "GiB in all" in faults_of(path, ArchiveLimits(total_bytes=total - 1))


def test_the_growth_of_an_archive_is_that_of_all_files_together(tmp_path: Path) -> None:
    files = GOOD | {f"x{n}.txt": bytes(100_000) for n in range(10)}
    path = tmp_path / "s.zip"
    path.write_bytes(zipped(files))
    grown = sum(map(len, files.values())) / path.stat().st_size
    assert faults_of(path, ArchiveLimits(ratio=grown + 1, ratio_floor=0)) == ""
    assert "far more than its packed size" in faults_of(path, ArchiveLimits(ratio=grown - 1, ratio_floor=0))


def test_bytes_that_are_not_written_count_towards_the_total(tmp_path: Path) -> None:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for kind in (tarfile.SYMTYPE, tarfile.GNUTYPE_SPARSE):
            info = tarfile.TarInfo("skipped.png")
            info.type, info.size = kind, 50_000
            archive.addfile(info, io.BytesIO(bytes(50_000)))
    path = tmp_path / "s.tar"
    path.write_bytes(buffer.getvalue())
    assert "in all" in faults_of(path, ArchiveLimits(total_bytes=90_000))
    assert "a sparse file" in faults_of(path)


def test_an_xz_that_asks_for_much_memory_is_refused(tmp_path: Path) -> None:
    filters = [{"id": lzma.FILTER_LZMA2, "dict_size": 1 << 30}]
    path = tmp_path / "s.tar.xz"
    path.write_bytes(lzma.compress(tarred(GOOD), filters=filters))
    assert "damaged" in faults_of(path)


def windows_zip(names: dict[str, bytes], create_system: int) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, data in names.items():
            info = zipfile.ZipInfo("x")
            info.filename, info.create_system = name, create_system
            archive.writestr(info, data)
    return buffer.getvalue()


@pytest.mark.parametrize("create_system", [0, 3, 10])
def test_backslashes_of_windows_programs_are_slashes(tmp_path: Path, create_system: int) -> None:
    path = tmp_path / "s.zip"
    path.write_bytes(windows_zip({f"results\\{name}": data for name, data in GOOD.items()}, create_system))
    found = check_submission(path)
    assert found.faults == ()
    assert found.submission is not None
    assert set(found.submission.images) == {"a", "b"}


def test_backslashes_do_not_lead_out_and_elsewhere_are_named(tmp_path: Path) -> None:
    path = tmp_path / "s.zip"
    path.write_bytes(windows_zip(GOOD | {"x\\..\\..\\evil.png": PNG}, 0))
    assert "leads out of the folder" in faults_of(path)
    path.write_bytes(windows_zip(GOOD | {"results\\c.png": PNG}, 3))
    assert "a name with backslashes" in faults_of(path)
    assert "not every disk" not in faults_of(path)
