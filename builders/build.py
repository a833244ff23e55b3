"""Photos -> reference set, in one call."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import numpy as np

from ..devices import pick_device
from ..errors import RefbenchError
from ..faces.embeddings import Embeddings
from ..files import replacing
from ..images import find_photos
from ..progress import say
from ..records.reference_set import ReferenceSet, SetInfo, content_hash
from .identities.identify import identify
from .photos.candidates import examine, gather, hash_photos, other_files, set_apart
from .photos.keys import hash_keys, keys_of
from .photos.photo_cache import Bench
from .photos.report import REPORTS, BuildReport, Line, in_order
from .references.assign import choose, count, warn
from .settings.options import BuildOptions
from .settings.provenance import package_versions, recogniser_of, settled, weight_versions
from .verify import verify_set

CACHE = ".cache"
EMBEDDINGS = "embeddings.npy"


def build_set(photos: Path, out: Path, options: BuildOptions | None = None) -> BuildReport:
    """Build a reference set from a folder of photos.

    Work on single photos is kept below ``out/.cache`` by content: a run that was killed goes on where it
    stopped, a run after photos were added does the new ones alone, and both end with the same bytes as one
    run over all. The folder ``.cache`` may be removed at any time.

    Args:
        photos: folder of photos, searched with its folders; never written to.
        out: folder of the set: new, empty, or an earlier build, which is replaced once the new one is ready.
        options: every choice; None for the defaults.

    Raises:
        RefbenchError: folders that cannot be used so, missing weights, or no face that can be used in any
            photo; nothing is left behind.
    """
    options = options or BuildOptions()
    check_folders(photos, out)
    options = options.model_copy(update={"device": pick_device(options.device)})
    kind = recogniser_of(options)
    versions = weight_versions(options, kind) | package_versions()
    options = settled(options, kind)
    found = [path.relative_to(photos).as_posix() for path in find_photos(photos)]
    lines = [*other_files(photos)]
    hashed = hash_photos(photos, found)
    lines += hashed.lines
    lines += (Line(copy, f"the same file as {first}", True) for copy, first in hashed.copies.items())
    existed, cached = out.exists(), (out / CACHE).exists()
    bench = Bench.of(out / CACHE, options, versions)
    done, reused = examine(photos, hashed.digests, bench, options=options, lines=lines)
    keys = keys_of(found) if options.keys == "paths" else hash_keys(hashed.digests)
    gathered = gather(done, keys, bench, lines=lines)
    if not gathered:
        if not cached:
            shutil.rmtree(out / CACHE, ignore_errors=True)
        if not existed:
            with suppress(OSError):
                out.rmdir()
        raise nothing_usable(photos, len(found), lines)
    options.overrides.check(candidate.key for candidate in gathered)
    chosen = set_apart(gathered, options, lines)
    vectors = np.stack([candidate.face.vector() for candidate in chosen])
    people = identify(
        chosen, vectors, options.threshold or 0.0, options=options, lines=lines, journal=out / CACHE / "pairs"
    )
    chosen, vectors = [chosen[row] for row in people.rows], vectors[people.rows]
    targets = choose(chosen, vectors, people, options=options)
    info = SetInfo(
        name=options.name or out.resolve().name,
        content_hash=content_hash(targets),
        image_size=options.image_size,
        settings=options.settings(),
        versions=versions,
        counts=count(targets, len(found)),
        licence=options.licence,
        consent=options.consent,
    )
    warnings = (*people.warnings, *warn(targets, options))
    report = BuildReport(out, info.counts, in_order(lines), warnings, people.found, reused)
    pictures = {candidate.key: candidate.picture for candidate in chosen}
    report = write_set(ReferenceSet(out, info, tuple(targets)), pictures, vectors, report=report)
    bench.prune(done)
    return report


def check_folders(photos: Path, out: Path) -> None:
    """Refuse ``photos`` that is no folder and ``out`` that lies within it, around it, or is not ours."""
    if not photos.is_dir():
        raise RefbenchError(f"{photos} is not a folder; name a folder of photos")
    inner, outer = out.resolve(), photos.resolve()
    if inner == outer or outer in inner.parents or inner in outer.parents:
        raise RefbenchError(
            f"the set ({out}) and the photos ({photos}) lie in one another; choose a folder apart"
        )
    if out.exists() and not out.is_dir():
        raise RefbenchError(f"{out} is a file; name a folder for the set")
    ours = ("set.json", "manifest.parquet", CACHE)
    if out.is_dir() and any(out.iterdir()) and not any((out / name).exists() for name in ours):
        raise RefbenchError(f"{out} holds other files already; name a new or empty folder for the set")


def nothing_usable(photos: Path, found: int, lines: Sequence[Line]) -> RefbenchError:
    """The fault of a folder that gives no face at all, with the first reasons."""
    reasons = [f"  - {line.source}: {line.reason}" for line in lines if line.dropped]
    more = [f"  ... and {len(reasons) - 20} more"] if len(reasons) > 20 else []
    head = f"{photos}: no face can be used of {found} picture files; a set needs photos of faces"
    return RefbenchError("\n".join([head, *reasons[:20], *more]))


def write_set(
    made: ReferenceSet, pictures: Mapping[str, Path], vectors: Embeddings, *, report: BuildReport
) -> BuildReport:
    """Put a set into its folder: pictures, embeddings, report, manifest, and ``set.json`` last.

    An earlier set there loses its ``set.json`` first, so that nobody takes a half-replaced one for whole.
    """
    info = made.info.model_copy(update={"files": dict.fromkeys((EMBEDDINGS, *REPORTS), "")})
    made = replace(made, info=info)
    if _is_there(made):
        say(f"{made.root}: unchanged")
        return replace(report, changed=False)
    (made.root / "set.json").unlink(missing_ok=True)
    wanted = {f"{target.key}.png": target for target in made.targets}
    folder = made.root / "images"
    folder.mkdir(parents=True, exist_ok=True)
    for path in folder.glob("*.png"):
        if path.name not in wanted:
            path.unlink()
    for name, target in wanted.items():
        _link(pictures[target.key], folder / name)
    with replacing(made.root / EMBEDDINGS) as partial, partial.open("wb") as stream:
        np.save(stream, vectors)
    report.write()
    made.write()
    return report


def _is_there(made: ReferenceSet) -> bool:
    try:
        there = ReferenceSet.read(made.root)
    except RefbenchError:
        return False
    same = there.info.model_copy(update={"files": made.info.files}) == made.info
    return same and there.targets == made.targets and verify_set(made.root).is_whole


def _link(kept: Path, path: Path) -> None:
    with replacing(path) as partial:
        partial.unlink(missing_ok=True)
        try:
            os.link(kept, partial)
        except OSError:
            shutil.copyfile(kept, partial)
