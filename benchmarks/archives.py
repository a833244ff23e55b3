"""Mutated archives and cards at the door for submissions: no traceback, no file outside, bounded memory.

    python benchmarks/archives.py [--count 12000] [--seed 0] [--quick] [--json]

Every archive starts as a sound one (zip, tar, tar.gz, tar.xz, or a hostile seed) and is damaged at random:
bits flipped, parts cut, doubled, moved or replaced by interesting numbers, names and whole headers of
others; cards are damaged as text. An audit hook watches every file that Python opens for writing.
"""

from __future__ import annotations

import argparse
import gzip
import io
import lzma
import os
import resource
import struct
import sys
import tarfile
import tempfile
import time
import zipfile
from collections import Counter
from pathlib import Path

import numpy as np
from refbench.errors import RefbenchError
from refbench.images import encode_png
from refbench.leaderboard.submission.submission import check_submission
from refbench.records.card import Card, card_text
from report import Report, main

NAMES = (
    "../evil.png",
    "/tmp/evil.png",
    "a.png",
    "A.PNG",
    "x/../../y.png",
    "con.png",
    "\x00.png",
    "é.png",
    "s.zip",
)
NUMBERS = (0, 1, 0xFF, 0x7FFF, 0xFFFF, 0x7FFFFFFF, 0xFFFFFFFF, 1 << 40)
WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND


def sound_archives(generator: np.random.Generator) -> list[bytes]:
    pixels = generator.integers(0, 256, (12, 12, 3), dtype=np.uint8)
    png = encode_png(pixels)
    files = {"submission.yaml": card_text(Card(model="M")).encode(), "a.png": png, "b.png": png}
    seeds = []
    for extra in (
        {},
        {"../evil.png": png},
        {"w/a.png": png},
        {"z.png": b"\0" * 300_000},
        {"inner.zip": b"PK\x03\x04"},
    ):
        for pack in (zipped, tarred):
            seeds.append(pack(files | extra))
    seeds += [gzip.compress(seeds[1]), lzma.compress(seeds[1]), linked()]
    return seeds


def zipped(files: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return buffer.getvalue()


def tarred(files: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for name, data in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            info.pax_headers = {"comment": "x" * 20}
            archive.addfile(info, io.BytesIO(data))
    return buffer.getvalue()


def linked() -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for kind in (tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE):
            info = tarfile.TarInfo(f"l{kind.decode()}.png")
            info.type, info.linkname = kind, "/etc/passwd"
            archive.addfile(info)
    return buffer.getvalue()


def mutate(data: bytes, others: list[bytes], generator: np.random.Generator) -> bytes:
    """One to eight random changes of a kind that parsers stumble over."""
    changed = bytearray(data)
    for _ in range(int(generator.integers(1, 9))):
        if not changed:
            break
        at = int(generator.integers(len(changed)))
        kind = int(generator.integers(8))
        if kind == 0:
            changed[at] ^= 1 << int(generator.integers(8))
        elif kind == 1:
            changed[at : at + int(generator.integers(1, 64))] = b""
        elif kind == 2:
            changed[at:at] = changed[at : at + int(generator.integers(1, 600))]
        elif kind == 3:
            number = NUMBERS[int(generator.integers(len(NUMBERS)))]
            changed[at : at + 8] = struct.pack("<Q", number)[: int(generator.choice([2, 4, 8]))]
        elif kind == 4:
            name = NAMES[int(generator.integers(len(NAMES)))].encode()
            changed[at : at + len(name)] = name
        elif kind == 5:
            other = others[int(generator.integers(len(others)))]
            start = int(generator.integers(len(other)))
            changed[at : at + 512] = other[start : start + 512]
        elif kind == 6:
            del changed[at:]
        else:
            for marker in (b"PK\x01\x02", b"PK\x05\x06", b"ustar", b"IHDR"):
                spot = changed.find(marker)
                if spot >= 0:
                    inside = spot + int(generator.integers(4, 60))
                    changed[inside : inside + 1] = bytes([int(generator.integers(256))])
                    break
    return bytes(changed)


class Watch:
    """Notes every file opened for writing, and every link or folder made, outside the allowed folder."""

    def __init__(self, allowed: Path) -> None:
        self.allowed = str(allowed)
        self.outside: list[str] = []
        self.on = False
        sys.addaudithook(self)

    def __call__(self, event: str, arguments: tuple[object, ...]) -> None:
        """Note what one event wrote."""
        if not self.on:
            return
        wrote = event == "open" and isinstance(arguments[2], int) and arguments[2] & WRITING
        if wrote or event in ("os.mkdir", "os.symlink", "os.link", "os.rename"):
            path = os.fsdecode(arguments[0]) if isinstance(arguments[0], (str, bytes, os.PathLike)) else ""
            if path and not os.path.abspath(path).startswith(self.allowed):  # noqa: PTH100
                self.outside.append(f"{event} {path}")


def measure(given: argparse.Namespace, report: Report) -> None:
    """Throw mutated archives and cards at the check of submissions."""
    count = 1_000 if given.quick else given.count
    generator = np.random.default_rng(given.seed)
    seeds = sound_archives(generator)
    outcomes: Counter[str] = Counter()
    tracebacks: list[str] = []
    said, sys.stderr = sys.stderr, io.StringIO()
    with tempfile.TemporaryDirectory() as scratch:
        root = Path(scratch).resolve()
        (root / "t").mkdir()
        tempfile.tempdir = str(root / "t")
        watch = Watch(root)
        check_submission(_write(root, seeds[0]))
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        start = time.monotonic()
        for number in range(count):
            if number % 10 == 9:
                card = mutate(card_text(Card(model="M"), explained=True).encode(), seeds, generator)
                data = zipped({"submission.yaml": card})
            else:
                data = mutate(seeds[number % len(seeds)], seeds, generator)
            path = _write(root, data)
            watch.on = True
            try:
                outcomes["faulty" if check_submission(path).faults else "sound"] += 1
            except RefbenchError:
                outcomes["refused"] += 1
            except Exception as error:
                tracebacks.append(f"{number}: {type(error).__name__}: {error}")
            watch.on = False
        seconds = time.monotonic() - start
        grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
        left = [path.name for path in (root / "t").iterdir()]
        tempfile.tempdir, sys.stderr = None, said
    for fault in (*tracebacks[:10], *watch.outside[:10], *left[:10]):
        print(fault, file=sys.stderr)
    report.workload |= {"mutated": count, "seed": given.seed}
    for name, found in {
        "tracebacks": tracebacks,
        "files outside": watch.outside,
        "left behind": left,
    }.items():
        report.add(name, unit="archives", ours=len(found), goal="ours <= 0")
    for outcome in ("sound", "faulty", "refused"):
        report.add(outcome, unit="archives", ours=outcomes[outcome])
    report.add("checked", unit="archives/s", ours=count / seconds)
    report.add("memory growth", unit="MiB", ours=grown / 1024)


def _write(root: Path, data: bytes) -> Path:
    path = root / "s.archive"
    path.write_bytes(data)
    return path


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--count", type=int, default=12_000, help="archives; 1,000 with --quick")
    parser.add_argument("--seed", type=int, default=0)


if __name__ == "__main__":
    sys.exit(main(measure, __doc__, arguments))
