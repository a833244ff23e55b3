"""Reference sets for challenges: no image that is scored is a reference, so references can be handed out."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import replace
from itertools import groupby
from pathlib import Path

from ...builders.references.assign import count_targets
from ...errors import InvalidInputError, RefbenchError
from ...files import StrPath, canonical_json, sha256_json
from ...folder_lock import begin, finish, locks
from ...progress import track
from ...records.reference_set import ReferenceSet, Target, content_hash


def hold_out(targets: Sequence[Target], per_person: int = 1) -> tuple[Target, ...]:
    """The same targets with some of them held out for restoring; a held-out image is no reference.

    Up to ``per_person`` images of each person are held out, in the order of the SHA-256 of their keys, as
    long as each keeps a reference that is not held out. All other targets lose their reference lists: they
    serve as references only.
    """
    chosen: dict[str, tuple[str, ...]] = {}
    for _, group in groupby(sorted(targets, key=lambda t: (t.identity, sha256_json(t.key))), _identity):
        chosen |= _of_person(list(group), per_person)
    return tuple(_reduced(target, chosen.get(target.key, ())) for target in targets)


def _identity(target: Target) -> str:
    return target.identity


def _of_person(person: Sequence[Target], per_person: int) -> dict[str, tuple[str, ...]]:
    held: list[Target] = []
    for target in person:
        trial = [*held, target]
        keys = {each.key for each in trial}
        if len(trial) <= per_person and all(set(each.references) - keys for each in trial):
            held = trial
    keys = {each.key for each in held}
    return {each.key: tuple(key for key in each.references if key not in keys) for each in held}


def _reduced(target: Target, references: Sequence[str]) -> Target:
    distances = dict(zip(target.references, target.reference_distances, strict=True))
    return replace(
        target,
        references=tuple(references),
        reference_distances=tuple(distances[key] for key in references),
    )


@locks("out")
def write_challenge_set(reference_set: ReferenceSet, out: StrPath, per_person: int = 1) -> ReferenceSet:
    """Copy a reference set for a challenge, with targets held out as `hold_out` says.

    The copy has no LQ images: `degrade` makes them. The set that is copied is not changed.

    Args:
        reference_set: whose images are copied.
        out: new or empty folder.
        per_person: most images of a person to restore.

    Raises:
        InvalidInputError: ``out`` holds files.
        RefbenchError: no image has references.
    """
    out = Path(out)
    if not begin(out, canonical_json(["challenge", reference_set.info.content_hash, per_person])):
        raise InvalidInputError(f"{out} holds files; a set goes into a new or empty folder")
    targets = hold_out(reference_set.targets, per_person)
    kept = [target for target in targets if target.references]
    if not kept:
        raise RefbenchError(f"{reference_set.root}: no image has references, so there is nothing to restore")
    for path in track("copying images", (target.hq for target in targets), len(targets)):
        (out / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(reference_set.root / path, out / path)
    info = reference_set.info.model_copy(
        update={
            "name": f"{reference_set.info.name}-challenge",
            "content_hash": content_hash(targets),
            "settings": reference_set.info.settings
            | {"held out per person": per_person, "held out of": reference_set.info.content_hash},
            "counts": count_targets(targets, reference_set.info.counts.get("photos", len(targets))),
            "files": {},
        }
    )
    made = ReferenceSet(out, info, targets)
    made.write()
    finish(out)
    return made
