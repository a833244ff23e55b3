"""Candidates of a set: faces of photos that meet the quality filters; a report line for everything else."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from ...errors import InvalidInputError
from ...files import sha256_file, walk_files
from ...images import PHOTO_SUFFIXES
from ...progress import say, track
from ..settings.options import BuildOptions
from .keys import face_key
from .photo_cache import FaceResult, PhotoCache, PhotoResult
from .photos import process_photos
from .report import ReportLine

SMALLER = "smaller than another face of the photo (faces: largest)"


@dataclass(frozen=True, slots=True)
class Candidate:
    """A face that met the quality filters.

    Attributes:
        key: of the image that it becomes.
        source: path of its photo below the folder of photos, with forward slashes.
        face: measurements, hashes, landmarks and embedding.
        picture: PNG file of the aligned image in the photo cache.
        person: that folders or a CSV give; empty where identities are found by clustering.
        split: that folders or a CSV give; empty where splits are drawn.
    """

    key: str
    source: str
    face: FaceResult
    picture: Path
    person: str = ""
    split: str = ""


@dataclass(frozen=True, slots=True)
class HashedPhotos:
    """Photos by content.

    Attributes:
        digests: SHA-256 by source, for the first photo of every content.
        copies: source of each further photo, and the source of the first with the same bytes.
        lines: one report line for every photo that cannot be opened.
    """

    digests: dict[str, str]
    copies: dict[str, str]
    lines: list[ReportLine]


def files_without_photos(photos: Path) -> Iterable[ReportLine]:
    """Report lines for all that is no picture: other suffixes, closed folders, links to folders, pipes.

    Hidden files have none.
    """
    found = walk_files(photos)
    known = " ".join(sorted(PHOTO_SUFFIXES))
    for path in found.files:
        if path.suffix.lower() not in PHOTO_SUFFIXES:
            inside = path.relative_to(photos).as_posix()
            yield ReportLine(inside, f"no picture by its suffix; read are {known}", True)
    for path, reason in found.others.items():
        yield ReportLine(path.relative_to(photos).as_posix(), reason, True)


def hash_photos(photos: Path, sources: Sequence[str]) -> HashedPhotos:
    """SHA-256 of every photo; of photos with the same bytes, the first in order is kept."""
    hashed = HashedPhotos({}, {}, [])
    first: dict[str, str] = {}
    for source in sources:
        try:
            digest = sha256_file(photos / source)
        except OSError as error:
            hashed.lines.append(ReportLine(source, f"cannot be opened: {error.strerror or error}", True))
            continue
        if digest in first:
            hashed.copies[source] = first[digest]
        else:
            first[digest] = source
            hashed.digests[source] = digest
    return hashed


def collect_results(
    photos: Path,
    digests: Mapping[str, str],
    photo_cache: PhotoCache,
    *,
    options: BuildOptions,
    lines: list[ReportLine],
) -> tuple[list[PhotoResult], int]:
    """Results of all photos in order of path, and how many were cached; faults and notes go to ``lines``."""
    reused = 0
    results = []
    found = process_photos(photos, digests, photo_cache, options=options)
    for result, is_cached in track("faces", found, len(digests)):
        reused += is_cached
        results.append(largest_face_alone(result) if options.largest_only else result)
    if reused:
        say(f"faces: {reused} of {len(digests)} photos were processed by an earlier run")
    results.sort(key=lambda result: result.source)
    for result in results:
        if result.fault:
            lines.append(ReportLine(result.source, result.fault, True))
        lines += [ReportLine(result.source, note, False) for note in result.notes]
    return results, reused


def largest_face_alone(result: PhotoResult) -> PhotoResult:
    """The result with every face but the largest refused; cached results hold all faces."""
    others = (face if face.refused else replace(face, refused=SMALLER) for face in result.faces[1:])
    return replace(result, faces=(*result.faces[:1], *others))


def usable_faces(
    results: Iterable[PhotoResult],
    keys: Mapping[str, str],
    photo_cache: PhotoCache,
    *,
    lines: list[ReportLine],
) -> list[Candidate]:
    """Every face that met the quality filters, in order of key; each other face adds a line to ``lines``."""
    usable = []
    for result in results:
        for number, face in enumerate(result.faces, start=1):
            key = face_key(keys[result.source], number)
            if face.refused:
                which = f"face {number}: " if len(result.faces) > 1 else ""
                lines.append(ReportLine(result.source, which + face.refused, True, key))
            else:
                picture = photo_cache.face(result.sha256, number)
                usable.append(Candidate(key, result.source, face, picture))
    return sorted(usable, key=lambda candidate: candidate.key)


def without_dropped(
    usable: Sequence[Candidate], options: BuildOptions, lines: list[ReportLine]
) -> list[Candidate]:
    """The candidates without those that the overrides drop and without later copies of one picture.

    Raises:
        InvalidInputError: the overrides drop every image.
    """
    first: dict[str, str] = {}
    chosen = []
    for candidate in usable:
        original = first.setdefault(candidate.face.png_sha256, candidate.key)
        if candidate.key in options.overrides.drop:
            lines.append(ReportLine(candidate.source, "left out by the overrides", True, candidate.key))
        elif original != candidate.key:
            reason = f"the same face picture as {original}"
            lines.append(ReportLine(candidate.source, reason, True, candidate.key))
        else:
            chosen.append(candidate)
    if not chosen:
        raise InvalidInputError("the overrides leave out every image")
    return chosen
