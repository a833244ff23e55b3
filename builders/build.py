"""Build a reference set from a folder of photos: detect, align, embed, cluster, choose references, split."""

from __future__ import annotations

import os
import shutil
from collections.abc import Container, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from ..devices import pick_device
from ..errors import RefbenchError
from ..faces.embeddings import Embeddings
from ..files import StrPath, replacing
from ..folder_lock import folder_lock, has_files
from ..images import find_photos
from ..progress import say
from ..records.reference_set import (
    EMBEDDINGS,
    IMAGES,
    ReferenceSet,
    SetInfo,
    content_hash,
    image_folder_digits,
)
from .identities.identify import identify
from .identities.labels import labelled
from .photos.candidates import (
    collect_results,
    files_without_photos,
    hash_photos,
    usable_faces,
    without_dropped,
)
from .photos.keys import hash_keys, photo_keys
from .photos.photo_cache import PhotoCache
from .photos.report import REPORTS, BuildReport, ReportLine, sorted_lines
from .references.assign import count_targets, make_targets, set_warnings
from .review.derived_files import stale_files
from .settings.options import BuildOptions
from .settings.people import read_people
from .settings.provenance import package_versions, recogniser_of, weight_versions, with_defaults
from .verify import verify_set

CACHE = ".cache"


def build_set(photos: StrPath, out: StrPath, options: BuildOptions | None = None) -> BuildReport:
    """Build a reference set from a folder of photos.

    Results per photo are cached in ``out/.cache`` by content. An interrupted build resumes from there, and a
    build after photos were added processes the new ones only; both write the same bytes as one build of all
    photos. The folder ``.cache`` may be deleted at any time.

    Args:
        photos: folder of photos (JPEG, PNG and other pictures), searched recursively; it is only read.
        out: folder of the set: new, empty, or an earlier build, which is replaced when the new one is ready.
        options: all choices; None for the defaults.

    Returns:
        The counts of the set, and every photo or face that was left out or converted, with the reason.

    Raises:
        RefbenchError: folders that cannot be used, missing weights, options that contradict one another, or
            no usable face in any photo; then nothing is written.
    """
    photos = Path(photos)
    out = Path(out)
    check_folders(photos, out)
    with folder_lock(out):
        return _build(photos, out, options or BuildOptions())


def _build(photos: Path, out: Path, options: BuildOptions) -> BuildReport:
    options = options.model_copy(update={"device": pick_device(options.device)})
    kind = recogniser_of(options)
    versions = weight_versions(options, kind) | package_versions()
    options = with_defaults(options, kind)
    people = None if options.people is None else read_people(options.people)
    found = [path.relative_to(photos).as_posix() for path in find_photos(photos, {})]
    lines = [*files_without_photos(photos)]
    degraded = [source for source in found if _is_lq(photos, source)]
    lines += (ReportLine(source, "an LQ image of an export", True) for source in degraded)
    found = [source for source in found if source not in set(degraded)]
    hashed = hash_photos(photos, found)
    lines += hashed.lines
    lines += (ReportLine(copy, f"the same file as {first}", True) for copy, first in hashed.copies.items())
    cached = (out / CACHE).exists()
    photo_cache = PhotoCache.of(out / CACHE, options, versions)
    results, reused = collect_results(photos, hashed.digests, photo_cache, options=options, lines=lines)
    keys = photo_keys(found) if options.keys == "paths" else hash_keys(hashed.digests)
    usable = usable_faces(results, keys, photo_cache, lines=lines)
    if not usable:
        if not cached:
            shutil.rmtree(out / CACHE, ignore_errors=True)
        raise no_usable_face(photos, len(found), lines)
    options.overrides.check(candidate.key for candidate in usable)
    chosen = labelled(without_dropped(usable, options, lines), options, people, lines=lines)
    vectors = np.stack([candidate.face.vector() for candidate in chosen])
    assignment = identify(
        chosen, vectors, options.threshold or 0.0, options=options, lines=lines, journal=out / CACHE / "pairs"
    )
    chosen, vectors = [chosen[row] for row in assignment.rows], vectors[assignment.rows]
    if options.identity_names == "numbers" and all(candidate.person for candidate in chosen):
        say("identities are numbered, since names may be of people; identity_names: given keeps them")
    targets, copies = make_targets(chosen, vectors, assignment, options=options)
    info = SetInfo(
        name=options.name or out.resolve().name,
        content_hash=content_hash(targets),
        image_size=options.image_size,
        settings=options.settings(),
        versions=versions,
        counts=count_targets(targets, len(found)),
        licence=options.licence,
        consent=options.consent,
        image_folder_digits=image_folder_digits(len(targets)),
    )
    warnings = (*assignment.warnings, *set_warnings(targets, options))
    report = BuildReport(out, info.counts, sorted_lines(lines), warnings, assignment.found, copies, reused)
    pictures = {candidate.key: candidate.picture for candidate in chosen}
    report = write_set(ReferenceSet(out, info, tuple(targets)), pictures, vectors, report=report)
    photo_cache.prune(results)
    if report.changed:
        for line in stale_files(ReferenceSet.read(out)):
            say(line)
    return report


def _is_lq(photos: Path, source: str) -> bool:
    """Whether a picture is an LQ image of an export in folders, ``lq/RECIPE/KEY.png`` beside ``lq.json``."""
    parts = source.split("/")
    return len(parts) == 3 and parts[0] == "lq" and (photos / "lq" / parts[1] / "lq.json").is_file()


def check_folders(photos: Path, out: Path) -> None:
    """Check that ``photos`` is a folder and that ``out`` may become a set.

    Raises:
        RefbenchError: ``photos`` is no folder; one folder contains the other; ``out`` is a file, or a folder
            with files that are not a set's.
    """
    if not photos.is_dir():
        raise RefbenchError(f"{photos} is not a folder; name a folder of photos")
    inner, outer = out.resolve(), photos.resolve()
    if inner == outer or outer in inner.parents or inner in outer.parents:
        raise RefbenchError(
            f"the set ({out}) and the photos ({photos}) contain one another; name two separate folders"
        )
    if out.exists() and not out.is_dir():
        raise RefbenchError(f"{out} is a file; name a folder for the set")
    ours = ("set.json", "manifest.parquet", CACHE)
    if out.is_dir() and has_files(out) and not any((out / name).exists() for name in ours):
        raise RefbenchError(f"{out} holds other files already; name a new or empty folder for the set")


def no_usable_face(photos: Path, found: int, lines: Sequence[ReportLine]) -> RefbenchError:
    """The error for a folder without any usable face, with the first twenty reasons."""
    reasons = [f"  - {line.source}: {line.reason}" for line in lines if line.dropped]
    more = [f"  ... and {len(reasons) - 20} more"] if len(reasons) > 20 else []
    head = f"{photos}: no face can be used of {found} picture files; a set needs photos of faces"
    return RefbenchError("\n".join([head, *reasons[:20], *more]))


def write_set(
    made: ReferenceSet, pictures: Mapping[str, Path], vectors: Embeddings, *, report: BuildReport
) -> BuildReport:
    """Write a set into its folder: images, embeddings, report, manifest, and ``set.json`` last.

    The ``set.json`` of an earlier set is removed first, so that a partly replaced set cannot be read.

    Args:
        made: the set to write, at ``made.root``.
        pictures: PNG file of every key, linked or copied to ``images/KEY.png``.
        vectors: (N, D) float32 embeddings in order of the targets.
        report: of the build; its files are written beside the set.

    Returns:
        The report, with ``changed`` False where the same set was there already.
    """
    info = made.info.model_copy(update={"files": dict.fromkeys((EMBEDDINGS, *REPORTS), "")})
    made = replace(made, info=info)
    if _is_there(made):
        say(f"{made.root}: unchanged")
        return replace(report, changed=False)
    (made.root / "set.json").unlink(missing_ok=True)
    wanted = {made.root / target.hq: target.key for target in made.targets}
    _remove_others(made.root / IMAGES, wanted)
    for path, key in wanted.items():
        _link(pictures[key], path)
    with replacing(made.root / EMBEDDINGS) as partial, partial.open("wb") as stream:
        np.save(stream, vectors)
    report.write()
    made.write()
    return report


def _remove_others(folder: Path, wanted: Container[Path]) -> None:
    """Remove images of an earlier set, and the folders of two hex digits that they leave empty."""
    folder.mkdir(parents=True, exist_ok=True)
    for path in folder.rglob("*.png"):
        if path not in wanted:
            path.unlink()
    for inner in folder.iterdir():
        if inner.is_dir() and not any(inner.iterdir()):
            inner.rmdir()


def _is_there(made: ReferenceSet) -> bool:
    try:
        there = ReferenceSet.read(made.root)
    except RefbenchError:
        return False
    same = there.info.model_copy(update={"files": made.info.files}) == made.info
    return same and there.targets == made.targets and verify_set(made.root).is_valid


def _link(kept: Path, path: Path) -> None:
    with replacing(path) as partial:
        partial.unlink(missing_ok=True)
        try:
            os.link(kept, partial)
        except OSError:
            shutil.copyfile(kept, partial)
