"""Download of the Face Research Lab London Set from its publisher by DOI: photos of real people, CC BY 4.0.

102 people photographed from the front, neutral and smiling (DeBruine and Jones 2017, figshare). The
publisher's API lists the files of an article with sizes and MD5 sums, which are checked here.
"""

from __future__ import annotations

import hashlib
import json
import re
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from zipfile import BadZipFile, ZipFile

from ..downloads import DownloadError, download
from ..errors import InvalidInputError, RefbenchError
from ..files import CHUNK, StrPath, replacing, write_json, write_text
from ..folder_lock import has_files, locks
from ..progress import say, track

DOI = "10.6084/m9.figshare.5047666.v5"
ARTICLE = "https://api.figshare.com/v2/articles/5047666/versions/5"
ARCHIVES = {"neutral_front.zip": 1, "smiling_front.zip": 2}
LARGEST_PHOTO = 64_000_000

CARD = f"""\
# Face Research Lab London Set: neutral and smiling, front

- Authors: Lisa DeBruine and Benedict Jones (2017), Face Research Lab, version 5
- Publisher: figshare, https://doi.org/{DOI}
- Licence: CC BY 4.0, https://creativecommons.org/licenses/by/4.0/
- Consent: everyone photographed signed consent for the use of their photos in research, "in their original or
  altered forms"

`NNN_1.jpg` is person NNN with a neutral face, `NNN_2.jpg` the same person smiling. The photos are as
published; only the files' names are changed. Name the authors wherever you show them or what is made of them.
"""


@dataclass(frozen=True)
class London:
    """Result of `fetch_london`.

    Attributes:
        folder: of the photos.
        photos: their number.
        was_here: True where an earlier run had fetched all of them.
    """

    folder: Path
    photos: int
    was_here: bool


@locks("out")
def fetch_london(out: StrPath, article: str = ARTICLE) -> London:
    """Download the frontal photos of the London Set to ``out``, as ``NNN_1.jpg`` and ``NNN_2.jpg``.

    ``NNN_1`` is person NNN with a neutral face, ``NNN_2`` smiling. ``CARD.md`` holds licence and attribution;
    ``source.json`` is written last. An interrupted download resumes; a finished one is not repeated.

    Args:
        out: folder to write: new, empty, or of an earlier run.
        article: URL of the publisher's description of the article (JSON).

    Raises:
        RefbenchError: the publisher cannot be reached, or ``out`` contains other files.
        InvalidInputError: the files differ from the publisher's description, or the licence has changed.
    """
    out = Path(out)
    finished = _finished(out)
    if finished is not None:
        return finished
    incoming = out / ".arriving"
    ours = incoming.is_dir() or (out / "source.json").is_file()
    if out.exists() and not ours and (not out.is_dir() or has_files(out)):
        raise RefbenchError(f"{out} contains other files; name a new or empty folder")
    incoming.mkdir(parents=True, exist_ok=True)
    files = _file_entries(article, incoming / "article.json")
    say("licence: CC BY 4.0, Lisa DeBruine and Benedict Jones (2017), Face Research Lab London Set")
    photos: dict[str, int] = {}
    for name, number in ARCHIVES.items():
        archive = _fetch_archive(files[name], incoming / name)
        photos |= _unpack(archive, number, out)
    write_text(out / "CARD.md", CARD)
    sums = {name: files[name]["computed_md5"] for name in ARCHIVES}
    write_json(out / "source.json", {"schema": 1, "doi": DOI, "md5": sums, "photos": photos})
    shutil.rmtree(incoming)
    return London(out, len(photos), was_here=False)


def _finished(out: Path) -> London | None:
    """The result of an earlier run; None where any of its files is missing."""
    try:
        kept: dict[str, Any] = json.loads((out / "source.json").read_text("utf-8"))
        photos: dict[str, int] = kept["photos"]
        whole = all((out / name).stat().st_size == size for name, size in photos.items())
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None
    return London(out, len(photos), was_here=True) if whole and kept.get("doi") == DOI else None


def _file_entries(article: str, target: Path) -> dict[str, Mapping[str, Any]]:
    """The publisher's entry of each wanted file."""
    _download(article, target, None)
    try:
        description = json.loads(target.read_text("utf-8"))
        licence = str(description["license"]["name"])
        files = {str(entry["name"]): entry for entry in description["files"]}
        wanted = {name: files[name] for name in ARCHIVES}
        for entry in wanted.values():
            int(entry["size"]), str(entry["download_url"]), bytes.fromhex(entry["computed_md5"])
    except (ValueError, KeyError, TypeError) as error:
        raise InvalidInputError(f"{article}: not the description expected of {DOI} ({error!r})") from error
    if licence != "CC BY 4.0":
        raise InvalidInputError(
            f"{article}: the licence is now {licence!r}, not CC BY 4.0; nothing was downloaded"
        )
    return wanted


def _fetch_archive(entry: Mapping[str, Any], archive: Path) -> Path:
    wanted = str(entry["computed_md5"]).lower()
    if archive.is_file() and _md5(archive) == wanted:
        return archive
    _download(str(entry["download_url"]), archive, int(entry["size"]))
    found = _md5(archive)
    if found != wanted:
        archive.unlink()
        raise InvalidInputError(
            f"{archive.name}: its md5 is {found}, the publisher states {wanted}; run again"
        )
    return archive


def _download(url: str, target: Path, size: int | None) -> None:
    try:
        download(url, target, size)
    except DownloadError as error:
        raise RefbenchError(
            f"the London Set cannot be downloaded from its publisher: {url}: {error}\n"
            f"its address is https://doi.org/{DOI}; run again where that can be reached"
        ) from error


def _unpack(archive: Path, number: int, out: Path) -> dict[str, int]:
    """Write the photos ``NNN_*.jpg`` of ``archive`` as ``NNN_<number>.jpg``; name and size of each."""
    photos: dict[str, int] = {}
    try:
        with ZipFile(archive) as opened:
            members = {
                f"{person[1]}_{number}.jpg": member
                for member in sorted(opened.namelist())
                if (person := re.fullmatch(r"(?:(?!__MACOSX)[^/]+/)*(\d{3})_\d+\.jpe?g", member)) is not None
            }
            for name, member in track(archive.name, members.items(), len(members)):
                photos[name] = _unpack_photo(opened, member, out / name)
    except (BadZipFile, EOFError, NotImplementedError, RuntimeError) as error:
        raise InvalidInputError(f"{archive.name} is damaged ({error})") from error
    if not photos:
        raise InvalidInputError(f"{archive.name} holds no photos named like 001_03.jpg")
    return photos


def _unpack_photo(opened: ZipFile, member: str, target: Path) -> int:
    size = opened.getinfo(member).file_size
    if size > LARGEST_PHOTO:
        raise InvalidInputError(f"{member}: {size} bytes are more than a photo of this set has")
    with opened.open(member) as stream, replacing(target) as partial, partial.open("wb") as written:
        if stream.read(3) != b"\xff\xd8\xff":
            raise InvalidInputError(f"{member}: not a JPEG file")
        stream.seek(0)
        shutil.copyfileobj(stream, written, CHUNK)
    return size


def _md5(path: Path) -> str:
    digest = hashlib.md5(usedforsecurity=False)
    with path.open("rb") as stream:
        while chunk := stream.read(CHUNK):
            digest.update(chunk)
    return digest.hexdigest()
