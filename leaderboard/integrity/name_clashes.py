"""Check, before any work, that no other submission has the name of one that is to be scored or restored."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from ...errors import FaultListError
from ...files import sha256_file
from ...metrics.core.options import ScoreOptions
from ...records.card import Card, card_text, parse_card
from ...records.evaluation_modes import with_references
from ...records.record import Track
from ...records.reference_set import ReferenceSet
from ...records.selection import lq_of, targets_of
from ..store.store import Store
from ..submission.submission import Submission, submission_hash

OTHER_NAME = (
    "Give it another name or version: restore with --name or --version, or edit submission.yaml. "
    "Nothing was computed."
)


def _track(reference_set: ReferenceSet, recipe: str, split: str, *, mode: str) -> Track:
    """The track that images of a recipe restored under an evaluation mode are scored on."""
    keys = [target.key for target in targets_of(reference_set, split)]
    seen = with_references(reference_set, mode, split)
    lq = lq_of(reference_set, recipe, keys)
    return Track(
        name=seen.info.name,
        set_hash=seen.info.content_hash,
        split=split,
        recipe=lq.recipe_id,
        lq_hash=lq.lq_hash,
        images=len(keys),
        references=mode,
    )


def refuse_name_clashes(
    reference_set: ReferenceSet,
    recipe: str,
    submissions: Sequence[Submission],
    *,
    store: Store,
    options: ScoreOptions,
) -> None:
    """Refuse names under which the store, or another of the submissions, has other images.

    Args:
        reference_set: what is scored against.
        recipe: name of the recipe whose LQ images were restored.
        submissions: to be scored.
        store: that their records are added to.
        options: split and evaluation mode.

    Raises:
        FaultListError: every such name.
    """
    keys = [target.key for target in targets_of(reference_set, options.split)]
    faults: list[str] = []
    seen: dict[tuple[str, str, str], tuple[str, Path]] = {}
    for found in submissions:
        asked = options.references
        mode = str(found.card.references if asked is None else asked)
        digests = {key: sha256_file(path) for key, path in found.images.items() if key in set(keys)}
        digest = submission_hash(digests, keys)
        track = _track(reference_set, recipe, options.split, mode=mode)
        clash = store.name_clash(found.card, track, digest)
        faults += [f"{found.root}: {clash}"] if clash else []
        before = seen.setdefault((found.card.model, found.card.version, mode), (digest, found.root))
        if before[0] != digest:
            name = f"{found.card.model} {found.card.version}"
            faults.append(f"{found.root} and {before[1]} are both called {name!r} and hold other images")
    if faults:
        raise FaultListError(str(store.root), faults, OTHER_NAME)


def refusal_of_other_models(
    reference_set: Path, recipe: str, store: Store, *, split: str
) -> Callable[[Card], None]:
    """A check of a card before the first image is restored: has the store its name for another model?

    The check raises `FaultListError` where it has.
    """

    def refuse(card: Card) -> None:
        track = _track(ReferenceSet.read(reference_set), recipe, split, mode=card.references)
        as_read = parse_card(card_text(card).encode("utf-8"))
        clash = store.name_clash(as_read, track, "")
        if clash:
            raise FaultListError(str(store.root), [clash], OTHER_NAME)

    return refuse
