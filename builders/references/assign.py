"""From identities to targets: reference lists and splits."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np

from ...faces.embeddings import Embeddings
from ...records.reference_set import SPLITS, Target
from ..identities.clustering import groups, names
from ..identities.identify import People
from ..identities.pair_search import Pairs, find_pairs
from ..photos.candidates import Candidate
from ..settings.options import BuildOptions
from .references import Reference, candidates, ordered
from .splits import draw_splits

ENLARGED = 1.5


def choose(
    chosen: Sequence[Candidate], vectors: Embeddings, people: People, *, options: BuildOptions
) -> list[Target]:
    """Reference lists and splits: a target for every candidate, in order of key."""
    pairs = everyone(people, vectors) if options.identities == "folders" else people.pairs
    found = candidates(len(chosen), pairs, people.labels)
    least = options.min_distance or 0.0
    usable = [sum(reference.distance >= least for reference in references) for references in found]
    splits = split_units(chosen, people, usable, options=options)
    keys = [candidate.key for candidate in chosen]
    targets = []
    for row, (candidate, identity) in enumerate(zip(chosen, names(people.labels), strict=True)):
        minimum = 0.0 if splits[row] == "train" else least
        references = ordered(
            found[row],
            vectors,
            minimum,
            order=options.order,
            start=options.start,
            most=options.max_references,
        )
        targets.append(
            _target(candidate, identity, splits[row], references=references, keys=keys, options=options)
        )
    return targets


def everyone(people: People, vectors: Embeddings) -> Pairs:
    """All pairs of images of one person, however far apart: for identities that folders vouch for."""
    found = []
    for rows in groups(people.labels):
        near = find_pairs(vectors[rows], 2.0)
        found.append((rows[near.first], rows[near.second], near.distance))
    first, second, distance = (np.concatenate(column) for column in zip(*found, strict=True))
    return Pairs(first, second, distance)


def split_units(
    chosen: Sequence[Candidate], people: People, usable: Sequence[int], *, options: BuildOptions
) -> list[str]:
    """The split of every candidate. A unit may be in val or test if all its images have references enough."""
    first_key: dict[int, str] = {}
    for candidate, unit in zip(chosen, people.units, strict=True):
        first_key.setdefault(int(unit), candidate.key)
    images = Counter(int(unit) for unit in people.units)
    identities = Counter(
        unit for unit, _ in {*zip(people.units.tolist(), people.labels.tolist(), strict=True)}
    )
    weights = images if options.split_by == "images" else identities
    short = {
        int(unit)
        for unit, many in zip(people.units, usable, strict=True)
        if min(many, options.max_references) < min(options.min_references, options.max_references)
    }
    eligible = {first_key[unit]: weight for unit, weight in weights.items() if unit not in short}
    drawn = draw_splits(eligible, options.val, options.test, seed=options.seed)
    return [drawn.get(first_key[int(unit)], "train") for unit in people.units]


def _target(
    candidate: Candidate,
    identity: str,
    split: str,
    *,
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
        phash=candidate.face.phash,
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


def warn(targets: Sequence[Target], options: BuildOptions) -> tuple[str, ...]:
    """What the user should know of the set as a whole."""
    warnings = []
    if not any(target.references for target in targets):
        warnings.append("no image has a reference: nobody is seen twice, or the threshold is too strict")
    enlarged = sum(target.quality.get("scale", 1.0) > ENLARGED for target in targets)
    if enlarged:
        warnings.append(
            f"{enlarged} of {len(targets)} images were enlarged more than {ENLARGED:g} times and are poor "
            f"ground truth; the gate max_scale: {ENLARGED:g} keeps such photos out"
        )
    for split, size in (("test", options.test), ("val", options.val)):
        if size and not any(target.split == split for target in targets):
            warnings.append(f"the split {split} is empty: too few identities have references")
    return tuple(warnings)
