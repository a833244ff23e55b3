"""Import of a published set: reference lists and splits from its release files, images from a folder."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import numpy as np

from ...devices import pick_device
from ...errors import RefbenchError
from ...files import StrPath
from ...folder_lock import folder_lock
from ...images import find_photos
from ...names import kept, normal
from ...records.reference_set import (
    ReferenceSet,
    SetInfo,
    Target,
    content_hash,
    image_folder_digits,
    image_path,
)
from ..build import CACHE, check_folders, write_set
from ..identities.clustering import identity_names, relabel
from ..identities.cosine_distance import paired_distances
from ..photos.candidates import Candidate, collect_results, hash_photos
from ..photos.keys import photo_keys
from ..photos.photo_cache import PhotoCache, PhotoResult
from ..photos.report import BuildReport, ReportLine, sorted_lines
from ..references.assign import count_targets
from ..references.references import DECIMALS
from ..settings.options import BuildOptions, ImportOptions
from ..settings.provenance import package_versions, recogniser_of, weight_versions
from ..settings.quality_filters import NO_FILTERS
from .ffhq_ref import read_release
from .release import Release


@dataclass(frozen=True)
class LocatedImages:
    """Photos of the images of a release by name, and a report line for every image that is missing."""

    sources: dict[str, str]
    lines: list[ReportLine]


def import_release(
    release: StrPath, images: StrPath, out: StrPath, *, options: ImportOptions | None = None
) -> BuildReport:
    """Make a reference set of a release (FFHQ-Ref, CelebA-Test-Ref) and the folder of its aligned images.

    Every image that is missing or cannot be read gets a line in the report, as a target and as a reference;
    the others are imported. Results per image are cached, and an interrupted import resumes, as in a build.

    Args:
        release: folder of the release, or a single CSV of test images; it is only read.
        images: folder of the aligned images, named as in the release, searched recursively; suffixes may
            differ. It is only read.
        out: folder of the set: new, empty, or an earlier set, which is replaced.
        options: all choices; None for the defaults.

    Returns:
        The counts of the set, and every missing or converted image, with the reason.

    Raises:
        FaultListError: all faults of the release's files.
        RefbenchError: no usable image, folders that cannot be used, or missing weights.
    """
    release = Path(release)
    images = Path(images)
    out = Path(out)
    check_folders(images, out)
    with folder_lock(out):
        return _import(release, images, out, options=options or ImportOptions())


def _import(release: Path, images: Path, out: Path, *, options: ImportOptions) -> BuildReport:
    contents = read_release(release)
    warnings = contents.differences_from_published(options.published) if options.published else []
    chosen = BuildOptions(
        aligned=True,
        recogniser=options.recogniser,
        image_size=options.image_size,
        quality_filters=NO_FILTERS,
        workers=options.workers,
        device=pick_device(options.device),
    )
    versions = weight_versions(chosen, recogniser_of(chosen)) | package_versions()
    wanted = sorted(contents.splits() if options.everything else _linked_images(contents))
    located = locate(images, wanted)
    photo_cache = PhotoCache.of(out / CACHE, chosen, versions)
    candidates, results = _import_candidates(images, located, photo_cache, options=chosen)
    if not candidates:
        raise RefbenchError(
            f"{images}: none of the {len(wanted)} images of {release} can be used; the first is {wanted[0]}"
            if wanted
            else f"{release} names no image"
        )
    vectors = np.stack([candidate.face.vector() for candidate in candidates.values()])
    targets = list(_targets(contents, candidates, vectors, options=options, lines=located.lines))
    info = SetInfo(
        name=options.name or out.resolve().name,
        content_hash=content_hash(targets),
        image_size=options.image_size,
        settings={"imported": release.name, "recogniser": options.recogniser},
        versions=versions,
        counts=count_targets(targets, len(wanted)),
        licence=options.licence,
        consent=options.consent,
        image_folder_digits=image_folder_digits(len(targets)),
    )
    report = BuildReport(out, info.counts, sorted_lines(located.lines), tuple(warnings))
    pictures = {candidate.key: candidate.picture for candidate in candidates.values()}
    report = write_set(ReferenceSet(out, info, tuple(targets)), pictures, vectors, report=report)
    photo_cache.prune(results)
    return report


def locate(images: Path, wanted: Sequence[str]) -> LocatedImages:
    """The photo of every wanted name: by its path, then its file name, each with or without suffix.

    Names are compared in their composed form, whatever form the disk and the list have.
    """
    by_path: dict[str, list[str]] = {}
    by_bare_path: dict[str, list[str]] = {}
    by_name: dict[str, list[str]] = {}
    by_stem: dict[str, list[str]] = {}
    for photo in find_photos(images):
        source = photo.relative_to(images).as_posix()
        by_path.setdefault(normal(source), []).append(source)
        by_bare_path.setdefault(normal(str(PurePosixPath(source).with_suffix(""))), []).append(source)
        by_name.setdefault(normal(photo.name), []).append(source)
        by_stem.setdefault(normal(photo.stem), []).append(source)
    sources, lines = {}, []
    for name in wanted:
        path = PurePosixPath(normal(name))
        bare = str(path.with_suffix(""))
        places = (
            by_path.get(str(path)),
            by_bare_path.get(str(path)) or by_bare_path.get(bare),
            by_name.get(path.name),
            by_stem.get(path.name) or by_stem.get(path.stem),
        )
        found = next((place for place in places if place), [])
        if len(found) == 1:
            sources[name] = found[0]
        elif found:
            lines.append(
                ReportLine(name, f"there are {len(found)} files of this name: {', '.join(found[:3])}", True)
            )
        else:
            lines.append(ReportLine(name, "is missing", True))
    return LocatedImages(sources, lines)


def _linked_images(release: Release) -> Iterable[str]:
    rows = [row for rows in release.rows.values() for row in rows]
    return {name for row in rows for name in (row.target, *row.references)}


def _import_candidates(
    images: Path, located: LocatedImages, photo_cache: PhotoCache, *, options: BuildOptions
) -> tuple[dict[str, Candidate], list[PhotoResult]]:
    """Candidates by name in the release, in order of key, and all results; faults become report lines."""
    hashed = hash_photos(images, sorted(set(located.sources.values())))
    located.lines.extend(hashed.lines)
    results, _ = collect_results(images, hashed.digests, photo_cache, options=options, lines=located.lines)
    by_source = {result.source: result for result in results}
    keys = photo_keys(located.sources)
    found = {}
    for name, source in located.sources.items():
        result = by_source.get(hashed.copies.get(source, source))
        if result is not None and result.faces:
            picture = photo_cache.face(result.sha256, 1)
            found[name] = Candidate(keys[name], source, result.faces[0], picture)
    return dict(sorted(found.items(), key=lambda item: item[1].key)), results


def _targets(
    release: Release,
    candidates: Mapping[str, Candidate],
    vectors: np.ndarray,
    *,
    options: ImportOptions,
    lines: list[ReportLine],
) -> Iterable[Target]:
    place = {name: row for row, name in enumerate(candidates)}
    lists = {row.target: row.references for rows in release.rows.values() for row in rows}
    splits, people = release.splits(), release.identities()
    identities = identity_names(relabel([people[name] for name in candidates]))
    for name, identity in zip(candidates, identities, strict=True):
        candidate = candidates[name]
        wanted = lists.get(name, ())
        references = [reference for reference in wanted if reference in candidates]
        missing = [reference for reference in wanted if reference not in candidates]
        if missing:
            reason = f"{len(missing)} of {len(wanted)} references are missing: {', '.join(missing)}"
            lines.append(ReportLine(name, reason, False, candidate.key))
        rows = np.array([place[reference] for reference in references], dtype=np.int64)
        distances = paired_distances(vectors, np.full(len(rows), place[name]), rows)
        yield Target(
            key=candidate.key,
            identity=identity,
            split=splits[name],
            hq=image_path(candidate.key, image_folder_digits(len(candidates))),
            hq_sha256=candidate.face.png_sha256,
            width=options.image_size,
            height=options.image_size,
            references=tuple(candidates[reference].key for reference in references),
            reference_distances=tuple(round(max(0.0, float(d)), DECIMALS) for d in distances),
            landmarks=candidate.face.landmarks,
            quality=candidate.face.quality,
            source=kept(candidate.source),
            licence=options.licence,
            phash=candidate.face.phash,
        )
