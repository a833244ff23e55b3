"""A published set taken in: its reference lists and splits as they are, its images from the user's disk."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import numpy as np

from ...errors import RefbenchError
from ...images import find_photos
from ...records.reference_set import ReferenceSet, SetInfo, Target, content_hash
from ..build import CACHE, check_folders, write_set
from ..identities.clustering import names, relabel
from ..identities.pair_search import exact_distances
from ..photos.candidates import Candidate, examine, hash_photos
from ..photos.keys import keys_of
from ..photos.photo_cache import Bench, PhotoDone
from ..photos.report import BuildReport, Line, in_order
from ..references.assign import count
from ..references.references import DECIMALS
from ..settings.options import BuildOptions, ImportOptions
from ..settings.provenance import package_versions, recogniser_of, weight_versions
from ..settings.quality_filters import NO_FILTERS
from .ffhq_ref import read_release
from .release import Release


@dataclass(frozen=True)
class Found:
    """Where the images of a release are: photo by name, and a line for every one that is not there."""

    sources: dict[str, str]
    lines: list[Line]


def adopt(release: Path, images: Path, out: Path, *, options: ImportOptions | None = None) -> BuildReport:
    """Make a reference set of a release and the folder of its aligned images.

    Every image that is missing or cannot be read gets a line in the report, as target and as reference; the
    rest goes on. Work is kept and resumed as in a build.

    Args:
        release: folder of the release, or a single CSV of test images.
        images: folder of the aligned images, named as in the release, in any folders below; another suffix
            will do.
        out: folder of the set.
        options: None for the defaults.

    Raises:
        FaultListError: what is wrong in the release's files.
        RefbenchError: no image can be used, or folders or weights that cannot be.
    """
    options = options or ImportOptions()
    check_folders(images, out)
    taken = read_release(release)
    warnings = taken.unlike(options.published) if options.published else []
    chosen = BuildOptions(
        aligned=True,
        recogniser=options.recogniser,
        image_size=options.image_size,
        quality_filters=NO_FILTERS,
        workers=options.workers,
        device=options.device,
    )
    versions = weight_versions(chosen, recogniser_of(chosen)) | package_versions()
    wanted = sorted(taken.splits() if options.everything else _linked(taken))
    located = locate(images, wanted)
    bench = Bench.of(out / CACHE, chosen, versions)
    candidates, done = _take_in(images, located, bench, options=chosen)
    if not candidates:
        raise RefbenchError(
            f"{images}: none of the {len(wanted)} images of {release} can be used; the first is {wanted[0]}"
            if wanted
            else f"{release} names no image"
        )
    vectors = np.stack([candidate.face.vector() for candidate in candidates.values()])
    targets = list(_targets(taken, candidates, vectors, options=options, lines=located.lines))
    info = SetInfo(
        name=options.name or out.resolve().name,
        content_hash=content_hash(targets),
        image_size=options.image_size,
        settings={"imported": release.name, "recogniser": options.recogniser},
        versions=versions,
        counts=count(targets, len(wanted)),
        licence=options.licence,
        consent=options.consent,
    )
    report = BuildReport(out, info.counts, in_order(located.lines), tuple(warnings))
    pictures = {candidate.key: candidate.picture for candidate in candidates.values()}
    report = write_set(ReferenceSet(out, info, tuple(targets)), pictures, vectors, report=report)
    bench.prune(done)
    return report


def locate(images: Path, wanted: Sequence[str]) -> Found:
    """The photo of every wanted name: by its path, else by its file name, else by that without suffix."""
    by_path: dict[str, str] = {}
    by_name: dict[str, list[str]] = {}
    by_stem: dict[str, list[str]] = {}
    for photo in find_photos(images):
        source = photo.relative_to(images).as_posix()
        by_path[source] = source
        by_name.setdefault(photo.name, []).append(source)
        by_stem.setdefault(photo.stem, []).append(source)
    sources, lines = {}, []
    for name in wanted:
        path = PurePosixPath(name)
        exact = [by_path[name]] if name in by_path else []
        found = exact or by_name.get(path.name, []) or by_stem.get(path.stem, [])
        if len(found) == 1:
            sources[name] = found[0]
        elif found:
            lines.append(Line(name, f"is there {len(found)} times: {', '.join(found[:3])}", True))
        else:
            lines.append(Line(name, "is missing", True))
    return Found(sources, lines)


def _linked(release: Release) -> Iterable[str]:
    rows = [row for rows in release.rows.values() for row in rows]
    return {name for row in rows for name in (row.target, *row.references)}


def _take_in(
    images: Path, located: Found, bench: Bench, *, options: BuildOptions
) -> tuple[dict[str, Candidate], list[PhotoDone]]:
    """Candidates by name of the release, in order of key, and what was done; faults become lines."""
    hashed = hash_photos(images, sorted(set(located.sources.values())))
    located.lines.extend(hashed.lines)
    done, _ = examine(images, hashed.digests, bench, options=options, lines=located.lines)
    by_source = {outcome.source: outcome for outcome in done}
    keys = keys_of(located.sources)
    found = {}
    for name, source in located.sources.items():
        outcome = by_source.get(hashed.copies.get(source, source))
        if outcome is not None and outcome.faces:
            picture = bench.face(outcome.sha256, 1)
            found[name] = Candidate(keys[name], source, outcome.faces[0], picture)
    return dict(sorted(found.items(), key=lambda item: item[1].key)), done


def _targets(
    release: Release,
    candidates: Mapping[str, Candidate],
    vectors: np.ndarray,
    *,
    options: ImportOptions,
    lines: list[Line],
) -> Iterable[Target]:
    place = {name: row for row, name in enumerate(candidates)}
    lists = {row.target: row.references for rows in release.rows.values() for row in rows}
    splits, people = release.splits(), release.identities()
    identities = names(relabel([people[name] for name in candidates]))
    for name, identity in zip(candidates, identities, strict=True):
        candidate = candidates[name]
        wanted = lists.get(name, ())
        references = [reference for reference in wanted if reference in candidates]
        gone = [reference for reference in wanted if reference not in candidates]
        if gone:
            reason = f"{len(gone)} of {len(wanted)} references are missing: {', '.join(gone)}"
            lines.append(Line(name, reason, False, candidate.key))
        rows = np.array([place[reference] for reference in references], dtype=np.int64)
        distances = exact_distances(vectors, np.full(len(rows), place[name]), rows)
        yield Target(
            key=candidate.key,
            identity=identity,
            split=splits[name],
            hq=f"images/{candidate.key}.png",
            hq_sha256=candidate.face.png_sha256,
            width=options.image_size,
            height=options.image_size,
            references=tuple(candidates[reference].key for reference in references),
            reference_distances=tuple(round(max(0.0, float(d)), DECIMALS) for d in distances),
            landmarks=candidate.face.landmarks,
            quality=candidate.face.quality,
            source=candidate.source,
            licence=options.licence,
            phash=candidate.face.phash,
        )
