"""Targets of a set: a reference list and a split for every image, with counts and warnings of the whole."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np

from ...faces.embeddings import Embeddings
from ...names import kept
from ...records.reference_set import SPLITS, Target, image_folder_digits, image_path
from ..identities.clustering import identity_names, rows_by_label
from ..identities.identify import IdentityAssignment
from ..identities.labels import given_names
from ..identities.pair_search import Pairs, find_pairs
from ..photos.candidates import Candidate
from ..photos.phash import are_copies
from ..settings.options import BuildOptions
from .references import Reference, order_references, reference_candidates
from .splits import draw_splits

ENLARGED = 1.5


def make_targets(
    chosen: Sequence[Candidate], vectors: Embeddings, assignment: IdentityAssignment, *, options: BuildOptions
) -> tuple[list[Target], tuple[tuple[str, str], ...]]:
    """A target for every candidate, in order of key, and the keys of copies of one picture (`are_copies`).

    Copies are images of a person like others, but never references of each other.

    Args:
        chosen: candidates in order of key.
        vectors: their embeddings, (N, D) float32.
        assignment: their identities.
        options: of the build.
    """
    pairs = (
        pairs_within_identities(assignment, vectors)
        if all(candidate.person for candidate in chosen)
        else assignment.pairs
    )
    copied = are_copies(
        [candidate.face.phash for candidate in chosen], pairs.first, pairs.second, distances=pairs.distance
    )
    labels = assignment.labels
    others = Pairs(pairs.first[~copied], pairs.second[~copied], pairs.distance[~copied])
    found = reference_candidates(len(chosen), others, labels)
    least = options.min_distance or 0.0
    usable = [sum(reference.distance >= least for reference in references) for references in found]
    splits = assign_splits(chosen, assignment, usable, options=options)
    keys = [candidate.key for candidate in chosen]
    targets = []
    names = given_names(chosen, labels) if options.identity_names == "given" else identity_names(labels)
    for row, (candidate, identity) in enumerate(zip(chosen, names, strict=True)):
        references = order_references(
            found[row],
            vectors,
            0.0 if splits[row] == "train" else least,
            order=options.order,
            start=options.start,
            max_references=options.max_references,
        )
        targets.append(
            _target(candidate, identity, splits[row], references=references, keys=keys, options=options)
        )
    same = copied & (labels[pairs.first] == labels[pairs.second])
    copies = sorted(
        (keys[first], keys[second])
        for first, second in zip(pairs.first[same].tolist(), pairs.second[same].tolist(), strict=True)
    )
    return targets, tuple(copies)


def pairs_within_identities(assignment: IdentityAssignment, vectors: Embeddings) -> Pairs:
    """All pairs of images of one identity at any distance, for identities that come from folders."""
    found = []
    for rows in rows_by_label(assignment.labels):
        near = find_pairs(vectors[rows], 2.0)
        found.append((rows[near.first], rows[near.second], near.distance))
    first, second, distance = (np.concatenate(column) for column in zip(*found, strict=True))
    return Pairs(first, second, distance)


def assign_splits(
    chosen: Sequence[Candidate],
    assignment: IdentityAssignment,
    usable: Sequence[int],
    *,
    options: BuildOptions,
) -> list[str]:
    """Split of every candidate: the given one, else drawn per split group.

    A group may go to val or test if each of its images has at least ``min_references`` of the ``usable``
    references.
    """
    first_key: dict[int, str] = {}
    for candidate, group in zip(chosen, assignment.split_groups, strict=True):
        first_key.setdefault(int(group), candidate.key)
    images = Counter(int(group) for group in assignment.split_groups)
    identities = Counter(
        group
        for group, _ in {*zip(assignment.split_groups.tolist(), assignment.labels.tolist(), strict=True)}
    )
    weights = images if options.split_by == "images" else identities
    short = {
        int(group)
        for group, many in zip(assignment.split_groups, usable, strict=True)
        if min(many, options.max_references) < min(options.min_references, options.max_references)
    }
    eligible = {first_key[group]: weight for group, weight in weights.items() if group not in short}
    given: dict[int, str] = {}
    for candidate, group in zip(chosen, assignment.split_groups.tolist(), strict=True):
        if candidate.split:
            given.setdefault(group, candidate.split)
    open_groups = {
        key: eligible[key] for group, key in first_key.items() if group not in given and key in eligible
    }
    drawn = draw_splits(open_groups, options.val, options.test, seed=options.seed)
    return [
        candidate.split or given.get(group) or drawn.get(first_key[group], "train")
        for candidate, group in zip(chosen, assignment.split_groups.tolist(), strict=True)
    ]


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
        hq=image_path(candidate.key, image_folder_digits(len(keys))),
        hq_sha256=candidate.face.png_sha256,
        width=options.image_size,
        height=options.image_size,
        references=tuple(keys[reference.row] for reference in references),
        reference_distances=tuple(reference.distance for reference in references),
        landmarks=candidate.face.landmarks,
        quality=candidate.face.quality,
        source=kept(candidate.source),
        licence=options.licence,
        phash=candidate.face.phash,
    )


def count_targets(targets: Sequence[Target], photos: int) -> dict[str, int]:
    """Numbers of photos, images, images with references and identities, whole and per split, by name."""
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


def set_warnings(targets: Sequence[Target], options: BuildOptions) -> tuple[str, ...]:
    """Warnings on a set as a whole: no references, enlarged images, empty splits."""
    warnings = []
    if options.max_references and not any(target.references for target in targets):
        warnings.append(
            "no image has a reference: every person has one image only, or the threshold is too small"
        )
    enlarged = sum(target.quality.get("scale", 1.0) > ENLARGED for target in targets)
    if enlarged:
        warnings.append(
            f"{enlarged} of {len(targets)} images were enlarged more than {ENLARGED:g} times and are poor "
            f"ground truth; the quality filter max_scale: {ENLARGED:g} leaves such photos out"
        )
    shrunk = [target.quality["scale"] for target in targets if target.quality.get("scale", 1.0) < 1.0]
    if options.aligned and shrunk:
        side = options.image_size
        sizes = " to ".join(f"{round(side / scale)}" for scale in dict.fromkeys((max(shrunk), min(shrunk))))
        warnings.append(
            f"{len(shrunk)} of {len(targets)} aligned images were shrunk from {sizes} pixels to {side}; "
            "image_size keeps more (at most 1024)"
        )
    for split, size in (("test", options.test), ("val", options.val)):
        if size and not any(target.split == split for target in targets):
            warnings.append(f"the split {split} is empty: too few identities have references")
    return tuple(warnings)
