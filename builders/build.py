"""Photos -> reference set, in one call."""

from __future__ import annotations

import os
import shutil
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import numpy as np

from .. import weights
from ..errors import RefbenchError
from ..faces.detect import DETECTORS
from ..faces.recognise import RECOGNISERS, RecogniserKind, own_recogniser
from ..files import replacing, sha256_file
from ..images import find_photos
from ..progress import say
from .identify import People, identify
from .identities import names
from .intake import Candidate, examine, gather, hash_photos, other_files, set_apart
from .keys import keys_of
from .manifest import SPLITS, ReferenceSet, SetInfo, Target, content_hash
from .options import BuildOptions
from .pairs import Pairs, Vectors, find_pairs
from .photos import Bench
from .references import Reference, candidates, ordered
from .report import BuildReport, Line
from .splits import draw_splits

CACHE = ".cache"
EMBEDDINGS = "embeddings.npy"
NEAR_DUPLICATE = {
    "mobilefacenet": 0.015,
    "dlib-resnet": 0.003,
    "webface-r50": 0.1,
    "webface-r50-five-point": 0.1,
}
"""Cosine distance under which two images are copies of one picture more often than two pictures: for the
official network FFHQ-Ref's, for the embedded ones between recompressed copies and London's pairs."""


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
    kind = recogniser_of(options)
    versions = weight_versions(options, kind)
    options = settled(options, kind)
    found = [path.relative_to(photos).as_posix() for path in find_photos(photos)]
    lines = [*other_files(photos)]
    digests, unopened = hash_photos(photos, found)
    lines += unopened
    existed, cached = out.exists(), (out / CACHE).exists()
    bench = Bench.of(out / CACHE, options, versions)
    done, reused = examine(photos, digests, bench, options, lines)
    gathered = gather(done, keys_of(found), bench, lines)
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
    people = identify(chosen, vectors, options.threshold or 0.0, options, lines)
    chosen, vectors = [chosen[row] for row in people.rows], vectors[people.rows]
    targets = choose(chosen, vectors, people, options)
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
    report = BuildReport(
        out=out,
        counts=info.counts,
        lines=tuple(sorted(lines, key=lambda line: (line.source, line.key, line.reason))),
        warnings=tuple(warn(targets, options)),
        comparison=people.found,
        reused=reused,
    )
    made = ReferenceSet(out, info, tuple(targets))
    pictures = {candidate.key: candidate.picture for candidate in chosen}
    return write_set(made, pictures, vectors, report)


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


def recogniser_of(options: BuildOptions) -> RecogniserKind:
    """The declared recogniser, or one's own by the path of its file; `RefbenchError` if there is neither."""
    return RECOGNISERS.get(options.recogniser) or own_recogniser(Path(options.recogniser))


def weight_versions(options: BuildOptions, kind: RecogniserKind) -> dict[str, str]:
    """Hash of every network file that a build depends on, by name.

    Raises:
        RefbenchError: an unknown detector, or weights that are not there.
    """
    if options.detector not in DETECTORS:
        raise RefbenchError(f"no detector is called {options.detector!r}; there are: {', '.join(DETECTORS)}")
    detector = () if options.aligned else DETECTORS[options.detector].weights
    return {name: weights.digest(name) for name in sorted(detector)} | kind.digests()


def settled(options: BuildOptions, kind: RecogniserKind) -> BuildOptions:
    """The options with the recogniser's own distances where the user gave none.

    Raises:
        RefbenchError: the recogniser has no measured threshold and the user gave none.
    """
    threshold = kind.clustering_threshold if options.threshold is None else options.threshold
    if np.isnan(threshold):
        raise RefbenchError(f"{kind.name} has no measured threshold; give one (cosine distance, 0 to 2)")
    own = min(NEAR_DUPLICATE.get(kind.name, 0.0), threshold / 2)
    least = own if options.min_distance is None else options.min_distance
    if least >= threshold:
        raise RefbenchError(
            f"the least distance of a reference ({least:g}) is not under the threshold ({threshold:g}); "
            "no image would have a reference"
        )
    return options.model_copy(update={"threshold": threshold, "min_distance": round(least, 6)})


def choose(
    chosen: Sequence[Candidate], vectors: Vectors, people: People, options: BuildOptions
) -> list[Target]:
    """Reference lists and splits: a target for every candidate, in order of key."""
    pairs = everyone(people, vectors) if options.identities == "folders" else people.pairs
    found = candidates(len(chosen), pairs, people.labels)
    least = options.min_distance or 0.0
    usable = [sum(reference.distance >= least for reference in references) for references in found]
    splits = split_units(chosen, people, usable, options)
    keys = [candidate.key for candidate in chosen]
    targets = []
    for row, (candidate, identity) in enumerate(zip(chosen, names(people.labels), strict=True)):
        minimum = 0.0 if splits[row] == "train" else least
        references = ordered(
            found[row], vectors, minimum, options.order, options.start, options.max_references
        )
        targets.append(_target(candidate, identity, splits[row], references, keys, options))
    return targets


def everyone(people: People, vectors: Vectors) -> Pairs:
    """All pairs of images of one person, however far apart: for identities that folders vouch for."""
    found = []
    for label in range(int(people.labels.max(initial=-1)) + 1):
        rows = np.flatnonzero(people.labels == label)
        near = find_pairs(vectors[rows], 2.0)
        found.append((rows[near.first], rows[near.second], near.distance))
    first, second, distance = (np.concatenate(column) for column in zip(*found, strict=True))
    return Pairs(first, second, distance)


def split_units(
    chosen: Sequence[Candidate], people: People, usable: Sequence[int], options: BuildOptions
) -> list[str]:
    """The split of every candidate. A unit may be in val or test if all its images have references enough."""
    first_key: dict[int, str] = {}
    for candidate, unit in zip(chosen, people.units, strict=True):
        first_key.setdefault(int(unit), candidate.key)
    sizes = Counter(int(unit) for unit in people.units)
    short = {
        int(unit)
        for unit, many in zip(people.units, usable, strict=True)
        if min(many, options.max_references) < min(options.min_references, options.max_references)
    }
    eligible = {first_key[unit]: sizes[unit] for unit in sizes if unit not in short}
    drawn = draw_splits(eligible, options.val, options.test, options.split_by, options.seed)
    return [drawn.get(first_key[int(unit)], "train") for unit in people.units]


def _target(
    candidate: Candidate,
    identity: str,
    split: str,
    references: Sequence[Reference],
    keys: Sequence[str],
    options: BuildOptions,
) -> Target:
    return Target(
        key=candidate.key,
        identity=identity,
        split=split,
        hq=f"images/{candidate.key}.png",
        hq_sha256=candidate.face.png_sha256,
        width=options.image_size,
        height=options.image_size,
        references=tuple(keys[reference.row] for reference in references),
        reference_distances=tuple(reference.distance for reference in references),
        landmarks=candidate.face.landmarks,
        quality=candidate.face.quality,
        source=candidate.source,
        licence=options.licence,
    )


def count(targets: Sequence[Target], photos: int) -> dict[str, int]:
    """What a set holds, by name."""
    counts = {
        "photos": photos,
        "images": len(targets),
        "images_with_references": sum(bool(target.references) for target in targets),
        "identities": len({target.identity for target in targets}),
    }
    for split in SPLITS:
        inside = [target for target in targets if target.split == split]
        counts[f"{split}_images"] = len(inside)
        counts[f"{split}_images_with_references"] = sum(bool(target.references) for target in inside)
        counts[f"{split}_identities"] = len({target.identity for target in inside})
    return counts


def warn(targets: Sequence[Target], options: BuildOptions) -> list[str]:
    """What the user should know of the set as a whole."""
    warnings = []
    if not any(target.references for target in targets):
        warnings.append("no image has a reference: nobody is seen twice, or the threshold is too strict")
    for split, size in (("test", options.test), ("val", options.val)):
        if size and not any(target.split == split for target in targets):
            warnings.append(f"the split {split} is empty: too few identities have references")
    return warnings


def nothing_usable(photos: Path, found: int, lines: Sequence[Line]) -> RefbenchError:
    """The fault of a folder that gives no face at all, with the first reasons."""
    reasons = [f"  - {line.source}: {line.reason}" for line in lines if line.dropped]
    more = [f"  ... and {len(reasons) - 20} more"] if len(reasons) > 20 else []
    head = f"{photos}: no face can be used of {found} picture files; a set needs photos of faces"
    return RefbenchError("\n".join([head, *reasons[:20], *more]))


def write_set(
    made: ReferenceSet, pictures: Mapping[str, Path], vectors: Vectors, report: BuildReport
) -> BuildReport:
    """Put a set into its folder: pictures, embeddings, report, manifest, and ``set.json`` last.

    An earlier set there loses its ``set.json`` first, so that nobody takes a half-replaced one for whole.
    """
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
    if there.info != made.info or there.targets != made.targets:
        return False
    pictures = ((made.hq_path(target.key), target.hq_sha256) for target in made.targets)
    return all(path.is_file() and sha256_file(path) == digest for path, digest in pictures)


def _link(kept: Path, path: Path) -> None:
    with replacing(path) as partial:
        partial.unlink(missing_ok=True)
        try:
            os.link(kept, partial)
        except OSError:
            shutil.copyfile(kept, partial)
