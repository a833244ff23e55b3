"""Creation of a user study from a store, a reference set and submissions."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ...errors import InvalidInputError, RefbenchError
from ...files import StrPath
from ...records.ids import VersionedId, recipe_and_seed
from ...records.reference_set import ReferenceSet
from ...records.selection import lq_of
from ..integrity.flagging import match_submissions
from ..store.store import Store, StoredRecord
from ..submission.submission import Submission
from .study import QUESTION, key_path, plan_study, write_study


def create_study(
    store: Store,
    reference_set: ReferenceSet,
    submissions: Sequence[Submission],
    *,
    recipe: str,
    items: int,
    out: StrPath,
    seed: int = 0,
    question: str = "",
) -> tuple[Path, Path]:
    """Plan and write a study of submissions; returns its page and the path of its key.

    Args:
        store: with their records.
        reference_set: of the benchmark.
        submissions: at least two, on one benchmark.
        recipe: name of the recipe that was restored.
        items: questions per participant, attention checks not counted.
        out: new or empty folder of the page.
        seed: decides images, pairs and sides.
        question: asked above each pair; empty for the default.

    Raises:
        InvalidInputError: a submission has no record on that benchmark, there are several tracks, fewer
            than two models, no common image, or fewer items than pairs of models.
    """
    out = Path(out)
    of_recipe = [
        entry
        for entry in store.stored()
        if entry.record.info.benchmark.set_hash == reference_set.info.content_hash
        and VersionedId.parse(entry.record.info.benchmark.recipe).name == recipe_and_seed(recipe)[0]
    ]
    of_recipe = [entry for entry in of_recipe if _is_of(entry, reference_set, recipe)] or of_recipe
    matched, unmatched = match_submissions(of_recipe, submissions)
    if unmatched:
        names = ", ".join(str(found.root) for found in unmatched)
        raise InvalidInputError(
            f"{names}: no record on {recipe!r} in {store.root}; score it first: refbench score"
        )
    taken = [entry for entry in of_recipe if entry.folder in matched]
    if len({entry.track for entry in taken}) > 1:
        raise InvalidInputError(
            "these submissions have records on several tracks of that recipe; keep one store for each"
        )
    by_name = {entry.name: matched[entry.folder] for entry in taken}
    shared = [set(found.images) for found in by_name.values()]
    keys = sorted(set.intersection(*shared)) if shared else []
    benchmark = taken[0].record.info.benchmark.track.id if taken else ""
    key = plan_study(
        list(by_name), keys, items, benchmark=benchmark, seed=seed, question=question or QUESTION
    )
    page = write_study(key, out, reference_set, recipe=recipe, submissions=by_name)
    return page, key_path(out)


def _is_of(entry: StoredRecord, reference_set: ReferenceSet, recipe: str) -> bool:
    """Whether a record is of the LQ images in the recipe's folder, and not of those of another seed."""
    record = entry.record
    try:
        there = lq_of(reference_set, recipe, set(record.scores["key"]))
    except RefbenchError:
        return False
    return there.lq_hash == record.info.benchmark.lq_hash
