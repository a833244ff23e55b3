"""From a folder of photos to the faces that may enter a set, with a line for everything that may not."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ...errors import InvalidInputError
from ...files import sha256_file
from ...images import PHOTO_SUFFIXES
from ...progress import say, track
from ..settings.options import BuildOptions
from .keys import face_key
from .photo_cache import Bench, FaceFound, PhotoDone
from .photos import work_through
from .report import Line


@dataclass(frozen=True, slots=True)
class Candidate:
    """A face that passed the gates: its key, its photo, and its aligned picture on the bench."""

    key: str
    source: str
    face: FaceFound
    picture: Path


@dataclass(frozen=True, slots=True)
class Hashed:
    """Photos by content: ``digests`` by source, ``copies`` with the source they equal, lines for the rest."""

    digests: dict[str, str]
    copies: dict[str, str]
    lines: list[Line]


def other_files(photos: Path) -> Iterable[Line]:
    """A line for every file without a picture's suffix and every link to a folder; none for hidden ones."""
    for path in sorted(photos.rglob("*")):
        inside = path.relative_to(photos)
        if any(part.startswith(".") for part in inside.parts):
            continue
        if path.is_symlink() and path.is_dir():
            yield Line(inside.as_posix(), "a link to a folder, which is not followed; name its target", True)
        elif path.is_file() and path.suffix.lower() not in PHOTO_SUFFIXES:
            known = " ".join(sorted(PHOTO_SUFFIXES))
            yield Line(inside.as_posix(), f"not among the kinds of pictures read: {known}", True)


def hash_photos(photos: Path, sources: Sequence[str]) -> Hashed:
    """Hash every photo; of photos with the same bytes, the first in order is the one that counts."""
    hashed = Hashed({}, {}, [])
    first: dict[str, str] = {}
    for source in sources:
        try:
            digest = sha256_file(photos / source)
        except OSError as error:
            hashed.lines.append(Line(source, f"cannot be opened: {error.strerror or error}", True))
            continue
        if digest in first:
            hashed.copies[source] = first[digest]
        else:
            first[digest] = source
            hashed.digests[source] = digest
    return hashed


def examine(
    photos: Path, digests: Mapping[str, str], bench: Bench, *, options: BuildOptions, lines: list[Line]
) -> tuple[list[PhotoDone], int]:
    """What came of every photo, in order of path, and how many an earlier run had done; adds to ``lines``."""
    reused = 0
    done = []
    for outcome, recalled in track(
        "faces", work_through(photos, digests, bench, options=options), len(digests)
    ):
        reused += recalled
        done.append(outcome)
    if reused:
        say(f"faces: {reused} of {len(digests)} photos were done by an earlier run")
    done.sort(key=lambda outcome: outcome.source)
    for outcome in done:
        if outcome.fault:
            lines.append(Line(outcome.source, outcome.fault, True))
        lines += [Line(outcome.source, note, False) for note in outcome.notes]
    return done, reused


def gather(
    done: Iterable[PhotoDone], keys: Mapping[str, str], bench: Bench, *, lines: list[Line]
) -> list[Candidate]:
    """Every face that passed the gates, in order of key; adds a line for every face that did not."""
    gathered = []
    for outcome in done:
        for number, face in enumerate(outcome.faces, start=1):
            key = face_key(keys[outcome.source], number)
            if face.refused:
                which = f"face {number}: " if len(outcome.faces) > 1 else ""
                lines.append(Line(outcome.source, which + face.refused, True, key))
            else:
                gathered.append(Candidate(key, outcome.source, face, bench.face(outcome.sha256, number)))
    return sorted(gathered, key=lambda candidate: candidate.key)


def set_apart(gathered: Sequence[Candidate], options: BuildOptions, lines: list[Line]) -> list[Candidate]:
    """The candidates without those that the user dropped and without pictures that are there already."""
    first: dict[str, str] = {}
    chosen = []
    for candidate in gathered:
        twin = first.setdefault(candidate.face.png_sha256, candidate.key)
        if candidate.key in options.overrides.drop:
            lines.append(Line(candidate.source, "left out by the overrides", True, candidate.key))
        elif twin != candidate.key:
            lines.append(Line(candidate.source, f"the same face picture as {twin}", True, candidate.key))
        else:
            chosen.append(candidate)
    if not chosen:
        raise InvalidInputError("the overrides leave out every image")
    return chosen
