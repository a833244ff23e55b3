"""The verbs as functions: build, degrade, restore, score, publish; `evaluate` is restore, check and score.

Each takes paths or names first, then its options: as one object, as keywords of the same names, or as both,
where a keyword wins. A path is a `Path` or a string, and a list of one may be that one itself. Sets,
submissions and stores are named by their folders, so a verb can be taken up on another day, by another person
or on another machine; what is done already is kept.
"""

from __future__ import annotations

from collections.abc import Sequence
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Unpack

from .builders.build import build_set
from .builders.photos.report import BuildReport
from .builders.settings.options import BuildKeywords, BuildOptions
from .degradations.lq.degrade_set import degrade_set, verify_lq_of_set
from .degradations.lq.options import DegradeKeywords, DegradeOptions
from .degradations.lq.verify import Verification
from .degradations.recipes.recipe import Recipe
from .errors import FaultListError, InvalidInputError
from .files import StrPath, write_text
from .leaderboard.site.options import HubKeywords, PublishOptions
from .leaderboard.tables.summary import summary
from .metrics.core.options import ScoreKeywords, ScoreOptions
from .models.restorers.options import RestoreKeywords, RestoreOptions
from .progress import say
from .records.ids import lq_folder_name
from .records.lq_set import LqInfo
from .records.reference_set import ReferenceSet
from .records.selection import require_lq, targets_of

if TYPE_CHECKING:
    from .evaluate_options import EvaluateKeywords, EvaluateOptions
    from .models.restorers.restore import RestoreReport
    from .records.record import Record

__all__ = ["build", "degrade", "evaluate", "publish", "restore", "score", "summary", "verify_lq"]


def build(
    photos: StrPath, out: StrPath, options: BuildOptions | None = None, **given: Unpack[BuildKeywords]
) -> BuildReport:
    """Build a reference set from a folder of photos.

    Args:
        photos: folder of photos, searched with its folders; never written to.
        out: folder of the set.
        options: every choice of the build; None for the defaults.
        given: fields of `BuildOptions` by name; they win over ``options``.

    Raises:
        RefbenchError: unknown or wrong options, no usable face, wrong folders, absent weights.
    """
    return build_set(Path(photos), Path(out), BuildOptions.merged(options, given))


def degrade(
    reference_set: StrPath,
    recipes: Sequence[str | Path | Recipe] | str | Path | Recipe,
    *,
    options: DegradeOptions | None = None,
    **given: Unpack[DegradeKeywords],
) -> list[LqInfo]:
    """Synthesise the LQ images of a set, one folder ``SET/lq/RECIPE`` per recipe.

    Args:
        reference_set: folder of the set.
        recipes: names of bundled recipes, YAML files, or recipes.
        options: split, seed and workers; None for the defaults.
        given: fields of `DegradeOptions` by name; they win over ``options``.

    Raises:
        RefbenchError: unknown or wrong options; no such set, recipe or split.
    """
    named = [recipes] if isinstance(recipes, str | Path | Recipe) else recipes
    return degrade_set(Path(reference_set), named, DegradeOptions.merged(options, given))


def verify_lq(
    reference_set: StrPath,
    recipes: Sequence[str] | str,
    *,
    options: DegradeOptions | None = None,
    **given: Unpack[DegradeKeywords],
) -> list[Verification]:
    """Draw and make every LQ image of a set again and compare: keys, sizes, draws, pixels.

    Args:
        reference_set: folder of the set.
        recipes: names of the LQ folders below ``SET/lq``, or what `degrade` was given.
        options: split and workers; the seed is the one written beside the images.
        given: fields of `DegradeOptions` by name; they win over ``options``.

    Raises:
        FaultListError: whatever differs, all at once.
        RefbenchError: unknown or wrong options; no such set, LQ folder or split.
    """
    chosen = DegradeOptions.merged(options, given)
    named = _names(recipes)
    return verify_lq_of_set(Path(reference_set), named, chosen.split, workers=chosen.workers)


def restore(
    reference_set: StrPath,
    recipe: str,
    model: str,
    out: StrPath,
    *,
    options: RestoreOptions | None = None,
    **given: Unpack[RestoreKeywords],
) -> RestoreReport:
    """Run a restorer over the LQ images of a set and write a submission.

    Args:
        reference_set: folder of the set.
        recipe: name of the recipe whose LQ images are restored.
        model: a bundled name, ``package.module:Class``, ``file.onnx``, a folder of images, or a command.
        out: folder of the submission: ``KEY.png`` and the card.
        options: everything else; None for the defaults.
        given: fields of `RestoreOptions` by name; they win over ``options``.

    Raises:
        RefbenchError: unknown or wrong options, LQ images are absent, the model cannot be loaded, ``out``
            holds another run.
    """
    from .models.restoration import restore_set

    chosen = RestoreOptions.merged(options, given)
    return restore_set(Path(reference_set), recipe, model, out=Path(out), options=chosen)


def score(
    reference_set: StrPath,
    recipe: str,
    submissions: Sequence[StrPath] | StrPath,
    store: StrPath,
    *,
    options: ScoreOptions | None = None,
    **given: Unpack[ScoreKeywords],
) -> list[Record]:
    """Score submissions in one pass over the set and add their records to a store.

    Args:
        reference_set: folder of the set.
        recipe: name of the recipe whose LQ images were restored.
        submissions: folders or archives of PNGs named by key, each with its card.
        store: folder of records; each record is added as soon as it is made, so that what was scored is kept
            when something later fails.
        options: everything else; None for the defaults.
        given: fields of `ScoreOptions` by name; they win over ``options``.

    Raises:
        FaultListError: images are missing, extra, of the wrong size or kind; all of them are listed. Or the
            store, or another submission, has other images under the same name; told before any work.
        InvalidInputError: images were restored from LQ images of another recipe, as ``restore.json`` says.
        RefbenchError: unknown or wrong options, no such set or protocol, absent weights.
    """
    from .leaderboard.integrity.lq_origin import check_lq_origin
    from .leaderboard.integrity.name_clashes import refuse_name_clashes
    from .leaderboard.store.store import Store
    from .leaderboard.submission.submission import read_checked
    from .metrics.scoring.score import Entry, chosen_metrics, plan_scoring, run_plan

    chosen = ScoreOptions.merged(options, given)
    found = ReferenceSet.read(Path(reference_set))
    targets = targets_of(found, chosen.split)
    require_lq(found, recipe, targets)
    chosen_metrics(found, targets, chosen)
    paths = [Path(path) for path in _paths(submissions)]
    read = read_checked(paths, found, chosen.split, allow_missing=chosen.allow_missing, names=chosen.names)
    for submission in read:
        mode = str(submission.card.references if chosen.references is None else chosen.references)
        check_lq_origin(found, recipe, submission, mode=mode, split=chosen.split)
    refuse_name_clashes(found, recipe, read, store=Store(Path(store)), options=chosen)
    entries = [Entry(recipe, submission.card, submission.images) for submission in read]
    work = chosen.work or _work_folder(Path(store))
    kept = chosen.model_copy(update={"work": work, "cache": chosen.cache or work / "hq"})
    records: dict[int, Record] = {}
    refused: list[str] = []
    for plan in plan_scoring(found, entries, kept):
        for place, record in zip(plan.places, run_plan(plan, kept), strict=True):
            records[place] = record
            try:
                Store(Path(store)).add(record)
            except InvalidInputError as error:
                refused.append(str(error))
    if refused:
        raise FaultListError(str(store), refused, "The other records were added.")
    return [records[place] for place in range(len(entries))]


def evaluate(
    reference_set: StrPath,
    recipes: Sequence[str] | str,
    model: str,
    out: StrPath,
    *,
    store: StrPath,
    options: EvaluateOptions | None = None,
    **given: Unpack[EvaluateKeywords],
) -> tuple[list[Record], list[Path]]:
    """Restore, check, score and record, one recipe after the other; the records, and where the images are.

    A run that was killed goes on where it was: images, parts of scores and records that are there are kept.

    Args:
        reference_set: folder of the set.
        recipes: names of the recipes.
        model: as for `restore`.
        out: each submission is the folder ``out/RECIPE``.
        store: folder of records.
        options: everything else; None for the defaults.
        given: fields of `EvaluateOptions` by name; they win over ``options``.

    Raises:
        FaultListError: images are faulty or, without ``allow_missing``, absent: the model failed on them.
        RefbenchError: whatever `restore` and `score` raise.
    """
    from .evaluate_options import EvaluateOptions
    from .leaderboard.integrity.name_clashes import refusal_of_other_models
    from .leaderboard.store.store import Store
    from .leaderboard.submission.submission import check_submission
    from .metrics.scoring.score import chosen_metrics
    from .models.restoration import restore_set

    chosen = EvaluateOptions.merged(options, given)
    whole = ReferenceSet.read(Path(reference_set))
    targets = targets_of(whole, chosen.split)
    for recipe in _names(recipes):
        require_lq(whole, recipe, targets)
    chosen_metrics(whole, targets, chosen.scoring())
    records: list[Record] = []
    named = _names(recipes)
    folders = [Path(out) / lq_folder_name(recipe) for recipe in named]
    for recipe, folder in zip(named, folders, strict=True):
        place = Store(Path(store))
        admit = refusal_of_other_models(Path(reference_set), recipe, place, split=chosen.split)
        report = restore_set(
            Path(reference_set),
            recipe,
            model,
            out=folder,
            options=chosen.restoring(),
            admit=admit,
        )
        for key, reason in report.failures.items():
            say(f"{recipe}: {key}: {reason}")
        found = ReferenceSet.read(Path(reference_set))
        checked = check_submission(folder, found, chosen.split, allow_missing=chosen.allow_missing)
        if checked.faults:
            raise FaultListError(str(folder), checked.faults, "fix these and run the same command again")
        records += score(reference_set, recipe, [folder], store, options=chosen.scoring())
    return records, folders


def publish(
    store: StrPath,
    out: StrPath,
    reference_sets: Sequence[StrPath] | StrPath | None = None,
    submissions: Sequence[StrPath] | StrPath | None = None,
    *,
    options: PublishOptions | None = None,
    **given: Unpack[HubKeywords],
) -> Path:
    """Write the leaderboard of a store as a static site and return its first page.

    Args:
        store: folder of records.
        out: folder of the site.
        reference_sets, submissions: where the pictures of the comparison pages come from; without them the
            site has tables alone. Fields of `PublishOptions` too; what is given here wins.
        options: everything else; None for the defaults.
        given: the other fields of `PublishOptions` by name; they win over ``options``.

    Raises:
        InvalidInputError: ``out`` holds files that are not a site; a submission is faulty.
        RefbenchError: unknown or wrong options; the store or a set cannot be read; the Hub cannot be reached
            or refuses.
    """
    from .leaderboard.sharing.hub import push_site
    from .leaderboard.site.publish import publish_site

    paths = {"reference_sets": reference_sets, "submissions": submissions}
    said = {name: value for name, value in paths.items() if value is not None}
    chosen = PublishOptions.merged(options, {**said, **given})
    page = publish_site(
        Path(store), Path(out), chosen.reference_sets, submissions=chosen.submissions, over=chosen.mean
    )
    if chosen.push:
        say(f"pushed to {push_site(Path(out), chosen.push, private=chosen.private)}")
    return page


def _names(recipes: Sequence[str] | str) -> Sequence[str]:
    """A single name stands for a list of one."""
    return [recipes] if isinstance(recipes, str) else recipes


def _paths(paths: Sequence[StrPath] | StrPath) -> Sequence[StrPath]:
    """A single path stands for a list of one."""
    return [paths] if isinstance(paths, str | PathLike) else paths


def _work_folder(store: Path) -> Path:
    """Where unfinished scoring is kept; git is told to leave it out."""
    work = store / ".work"
    write_text(work / ".gitignore", "*\n")
    return work
