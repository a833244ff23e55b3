"""The Face Research Lab London Set, brought from its publisher by its DOI: real people, CC BY 4.0.

102 people photographed from the front, neutral and smiling (DeBruine & Jones 2017, figshare). The publisher's
interface lists the files of the article's version with their sizes and MD5 sums, which are checked here.
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
from ..files import CHUNK, replacing, write_json, write_text
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
    """Where the photos are, how many, and whether they were there before."""

    folder: Path
    photos: int
    was_here: bool


def fetch_london(out: Path, article: str = ARTICLE) -> London:
    """Bring the set's frontal photos to ``out`` as ``NNN_1.jpg`` (neutral) and ``NNN_2.jpg`` (smiling).

    Beside them come ``CARD.md`` with licence and attribution and, written last, ``source.json``. A run that
    was interrupted is taken up where it was; one that is done is left alone.

    Args:
        out: the folder to write: new, empty, or of an earlier run.
        article: address of the publisher's description of the article.

    Raises:
        RefbenchError: the publisher cannot be reached, or ``out`` holds something else.
        InvalidInputError: what came is not what the publisher describes.
    """
    done = _done(out)
    if done is not None:
        return done
    arriving = out / ".arriving"
    ours = arriving.is_dir() or (out / "source.json").is_file()
    if out.exists() and not ours and (not out.is_dir() or any(out.iterdir())):
        raise RefbenchError(f"{out} holds something else; name a new or empty folder")
    arriving.mkdir(parents=True, exist_ok=True)
    files = _described(article, arriving / "article.json")
    say("licence: CC BY 4.0, Lisa DeBruine and Benedict Jones (2017), Face Research Lab London Set")
    photos: dict[str, int] = {}
    for name, number in ARCHIVES.items():
        archive = _bring(files[name], arriving / name)
        photos |= _unpack(archive, number, out)
    write_text(out / "CARD.md", CARD)
    sums = {name: files[name]["computed_md5"] for name in ARCHIVES}
    write_json(out / "source.json", {"schema": 1, "doi": DOI, "md5": sums, "photos": photos})
    shutil.rmtree(arriving)
    return London(out, len(photos), was_here=False)


def _done(out: Path) -> London | None:
    """What an earlier run finished, if all of it is still there."""
    try:
        kept: dict[str, Any] = json.loads((out / "source.json").read_text("utf-8"))
        photos: dict[str, int] = kept["photos"]
        whole = all((out / name).stat().st_size == size for name, size in photos.items())
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None
    return London(out, len(photos), was_here=True) if whole and kept.get("doi") == DOI else None


def _described(article: str, target: Path) -> dict[str, Mapping[str, Any]]:
    """The publisher's entry of each wanted file."""
    _download(article, target, None)
    try:
        told = json.loads(target.read_text("utf-8"))
        licence = str(told["license"]["name"])
        files = {str(entry["name"]): entry for entry in told["files"]}
        wanted = {name: files[name] for name in ARCHIVES}
        for entry in wanted.values():
            int(entry["size"]), str(entry["download_url"]), bytes.fromhex(entry["computed_md5"])
    except (ValueError, KeyError, TypeError) as error:
        raise InvalidInputError(f"{article}: not the description expected of {DOI} ({error!r})") from error
    if licence != "CC BY 4.0":
        raise InvalidInputError(
            f"{article}: the licence is now {licence!r}, not CC BY 4.0; nothing was fetched"
        )
    return wanted


def _bring(entry: Mapping[str, Any], archive: Path) -> Path:
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
            f"the London set cannot be had from its publisher: {url}: {error}\n"
            f"it is at https://doi.org/{DOI}; try again where that can be reached"
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
        raise InvalidInputError(f"{member}: {size} bytes is no photo of this set")
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
