"""The verbs as functions: build, degrade, restore, score, publish; each joins rooms by their records.

`evaluate` is restore, check and score in one.

Sets, submissions and stores are named by their folders, so a verb can be taken up on another day, by another
person or on another machine; what is done already is kept.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from .builders.build import build_set
from .builders.photos.report import BuildReport
from .builders.settings.options import BuildOptions
from .degradations.lq.synthesise import LqInfo, synthesise
from .degradations.lq.verify import Verification, verify
from .degradations.recipes.lookup import load_recipe
from .degradations.recipes.recipe import Recipe
from .errors import FaultListError, RefbenchError
from .files import write_text
from .progress import say
from .records.lq_set import INFO
from .records.reference_set import ReferenceSet, Target

if TYPE_CHECKING:
    from .models.restorers.restore import RestoreReport
    from .records.record import Record


def build(photos: Path, out: Path, options: BuildOptions | None = None) -> BuildReport:
    """Build a reference set from a folder of photos.

    Args:
        photos: folder of photos, searched with its folders; never written to.
        out: folder of the set.
        options: every choice of the build; None for the defaults.

    Raises:
        RefbenchError: no usable face, wrong folders, absent weights.
    """
    return build_set(photos, out, options)


def degrade(
    reference_set: Path,
    recipes: Sequence[str | Path | Recipe],
    split: str = "test",
    *,
    seed: int = 0,
    workers: int = 1,
) -> list[LqInfo]:
    """Synthesise the LQ images of a set, one folder ``SET/lq/RECIPE`` per recipe.

    Args:
        reference_set: folder of the set.
        recipes: names of bundled recipes, YAML files, or recipes.
        split: whose targets; ``all`` for every image with references.
        seed: of the draws; what is drawn for an image depends on (recipe id, seed, key) alone.
        workers: threads; any number gives the same bytes.

    Raises:
        RefbenchError: no such set, recipe or split.
    """
    chosen = ReferenceSet.read(reference_set)
    images, sizes = _hq_of(chosen, split)
    loaded = [recipe if isinstance(recipe, Recipe) else load_recipe(recipe) for recipe in recipes]
    return [
        synthesise(images, recipe, chosen.lq_folder(recipe.name), seed=seed, workers=workers, sizes=sizes)
        for recipe in loaded
    ]


def verify_lq(
    reference_set: Path, recipes: Sequence[str], split: str = "test", *, workers: int = 1
) -> list[Verification]:
    """Draw and make every LQ image of a set again and compare: keys, sizes, draws, pixels.

    Args:
        reference_set: folder of the set.
        recipes: names of the LQ folders below ``SET/lq``, or what `degrade` was given.
        split: whose targets; ``all`` for every image with references.
        workers: as many images at a time.

    Raises:
        FaultListError: whatever differs, all at once.
        RefbenchError: no such set, LQ folder or split.
    """
    chosen = ReferenceSet.read(reference_set)
    images, sizes = _hq_of(chosen, split)
    named = [name if (chosen.lq_folder(name) / INFO).is_file() else _recipe_name(name) for name in recipes]
    return [verify(images, chosen.lq_folder(name), sizes, workers=workers) for name in named]


def restore(
    reference_set: Path,
    recipe: str,
    model: str,
    out: Path,
    *,
    preset: str | None = None,
    split: str = "test",
    references: int | str = "all",
    seed: int = 0,
    batch_size: int = 4,
    device: str = "auto",
    record_times: bool = True,
) -> RestoreReport:
    """Run a restorer over the LQ images of a set and write a submission.

    Args:
        reference_set: folder of the set.
        recipe: name of the recipe whose LQ images are restored.
        model: a bundled name, ``package.module:Class``, ``file.onnx``, a folder of images, or a command.
        out: folder of the submission: ``KEY.png`` and the card.
        preset: of the model; None for its default.
        split: whose targets; ``all`` for every image with references.
        references: ``all`` that the model takes; a number for at most so many; ``wrong`` for those of another
            person. The card says which, and the images are scored under it (`metrics.modes`).
        seed: each image's own seed comes from (seed, key).
        batch_size: images restored together; any number gives the same images.
        device: ``cpu``, ``cuda``, ``mps``, or ``auto`` for the best there is.
        record_times: put time and memory per image into the card; without, equal inputs give equal bytes.

    Raises:
        RefbenchError: LQ images are absent, the model cannot be loaded, ``out`` holds another run.
    """
    from .devices import pick_device
    from .models.checkpoints.registry import load_restorer
    from .models.restorers.restore import restore_images
    from .records.card import CARD_NAME, Card, write_card
    from .records.evaluation_modes import with_references
    from .records.run_manifest import Job

    chosen = ReferenceSet.read(reference_set)
    targets = _targets(chosen, split)
    _require_lq(chosen, recipe, targets)
    mode = str(references)
    seen = with_references(chosen, mode, split)
    jobs = [
        Job(
            target.key,
            chosen.lq_path(recipe, target.key),
            seen.reference_paths(target.key),
        )
        for target in targets
    ]
    place = pick_device(device)
    restorer = load_restorer(model, preset, place)
    report = restore_images(jobs, restorer, out, seed=seed, batch_size=batch_size, record_times=record_times)
    facts = restorer.card
    if report.restored or not (out / CARD_NAME).exists():
        card = Card(
            model=facts.model,
            version=facts.version,
            paper=facts.paper,
            licence=facts.licence,
            parameters=facts.parameters,
            references_used=_fewest(int(mode) if mode.isdecimal() else None, facts.references_used),
            references=mode,
            training_data=facts.training_data,
            hardware="unknown" if report.seconds_per_image is None else place,
            seconds_per_image=report.seconds_per_image,
            peak_memory_mib=report.peak_memory_mib,
            control=facts.control,
            notes=facts.notes,
        )
        write_card(out / CARD_NAME, card)
    return report


def score(
    reference_set: Path,
    recipe: str,
    submissions: Sequence[Path],
    store: Path,
    *,
    split: str = "test",
    protocols: Sequence[str] | None = None,
    device: str = "auto",
    allow_missing: bool = False,
    references: int | str | None = None,
    precision: str = "float32",
    cache: Path | None = None,
) -> list[Record]:
    """Score submissions in one pass over the set and add their records to a store.

    Args:
        reference_set: folder of the set.
        recipe: name of the recipe whose LQ images were restored.
        submissions: folders or archives of PNGs named by key, each with its card.
        store: folder of records; a submission that is recorded there already is not scored again.
        split: whose targets; ``all`` for every image with references.
        protocols: ids of the metrics; None for the default list, which needs the weights of group ``demo``.
        device: ``cpu``, ``cuda``, ``mps``, or ``auto`` for the best there is.
        allow_missing: score what is there; each missing image is an unscored row, and the entry has no rank.
        references: the evaluation mode of all submissions (`metrics.modes`); None for what each card says.
        precision: ``bfloat16`` inside large networks is fast and marked: those ids end in ``+bf16``.
        cache: folder of embeddings of HQ images, by content; None for one in the store that git leaves out.

    Raises:
        FaultListError: images are missing, extra, of the wrong size or kind; all of them are listed.
        RefbenchError: no such set or protocol, absent weights.
    """
    from .leaderboard.store.store import Store
    from .leaderboard.submission.submission import read_submission
    from .metrics.core.options import ScoreOptions
    from .metrics.scoring.score import Entry, score_many

    chosen = ReferenceSet.read(reference_set)
    _require_lq(chosen, recipe, _targets(chosen, split))
    read = [read_submission(path) for path in submissions]
    entries = [Entry(recipe, submission.card, submission.images) for submission in read]
    work = _work_folder(store)
    options = {
        "split": split,
        "protocols": protocols,
        "references": references,
        "device": device,
        "precision": precision,
        "allow_missing": allow_missing,
        "work": work,
        "cache": cache or work / "hq",
    }
    records = score_many(chosen, entries, ScoreOptions.merged(None, options))
    for record in records:
        Store(store).add(record)
    return records


def evaluate(
    reference_set: Path,
    recipes: Sequence[str],
    model: str,
    out: Path,
    *,
    store: Path,
    preset: str | None = None,
    split: str = "test",
    references: int | str = "all",
    seed: int = 0,
    batch_size: int = 4,
    device: str = "auto",
    record_times: bool = True,
    protocols: Sequence[str] | None = None,
    allow_missing: bool = False,
    precision: str = "float32",
    cache: Path | None = None,
) -> tuple[list[Record], list[Path]]:
    """Restore, check, score and record, one recipe after the other; the records, and where the images are.

    A run that was killed goes on where it was: images, parts of scores and records that are there are kept.

    Args:
        recipes: names of the recipes; each submission is the folder ``out/RECIPE``. The other arguments are
            those of `restore` and `score`.

    Raises:
        FaultListError: images are faulty or, without ``allow_missing``, absent: the model failed on them.
        RefbenchError: whatever `restore` and `score` raise.
    """
    from .leaderboard.submission.submission import check_submission

    records: list[Record] = []
    folders = [out / recipe for recipe in recipes]
    for recipe, folder in zip(recipes, folders, strict=True):
        report = restore(
            reference_set,
            recipe,
            model,
            out=folder,
            preset=preset,
            split=split,
            references=references,
            seed=seed,
            batch_size=batch_size,
            device=device,
            record_times=record_times,
        )
        for key, reason in report.failures.items():
            say(f"{recipe}: {key}: {reason}")
        checked = check_submission(
            folder, ReferenceSet.read(reference_set), split, allow_missing=allow_missing
        )
        if checked.faults:
            raise FaultListError(str(folder), checked.faults, "fix these and run the same command again")
        records += score(
            reference_set,
            recipe,
            [folder],
            store=store,
            split=split,
            protocols=protocols,
            device=device,
            allow_missing=allow_missing,
            precision=precision,
            cache=cache,
        )
    return records, folders


def publish(
    store: Path,
    out: Path,
    reference_sets: Sequence[Path] = (),
    submissions: Sequence[Path] = (),
    *,
    push: str = "",
    private: bool = False,
) -> Path:
    """Write the leaderboard of a store as a static site and return its first page.

    Args:
        store: folder of records.
        out: folder of the site.
        reference_sets, submissions: where the pictures of the comparison pages come from; without them the
            site has tables alone.
        push: ``owner/name`` of a static Space on the Hugging Face Hub that becomes the same as the site.
        private: make that Space private if it is new.

    Raises:
        InvalidInputError: ``out`` holds files that are not a site; a submission is faulty.
        RefbenchError: the store or a set cannot be read; the Hub cannot be reached or refuses.
    """
    from .leaderboard.sharing.hub import push_site
    from .leaderboard.site.publish import publish_site

    page = publish_site(store, out, reference_sets, submissions=submissions)
    if push:
        say(f"pushed to {push_site(out, push, private=private)}")
    return page


def summary(records: Sequence[Record]) -> pd.DataFrame:
    """One row per record: recipe, model, the mean of each protocol over its scored images, and set scores."""
    rows = []
    for record in records:
        info = record.info
        means = record.scores.groupby("protocol")["value"].mean()
        numbers = {id: score.value for id, score in info.set_scores.items()}
        values = {id: means.get(id, numbers.get(id)) for id in info.benchmark.protocols}
        mode = info.benchmark.references
        rows.append({"recipe": info.benchmark.recipe, "references": mode, "model": info.card.model, **values})
    table = pd.DataFrame(rows)
    plain = rows and (table["references"] == "all").all()
    return table.drop(columns="references") if plain else table


def _fewest(*limits: int | None) -> int | None:
    """The smallest of the limits that are set."""
    return min((limit for limit in limits if limit is not None), default=None)


def _targets(chosen: ReferenceSet, split: str) -> tuple[Target, ...]:
    targets = chosen.select(split)
    if not targets:
        counts = Counter(target.split for target in chosen.select())
        has = ", ".join(f"{count} in {name}" for name, count in sorted(counts.items())) or "none at all"
        raise RefbenchError(
            f"{chosen.root} has no target with references in split {split!r}, but {has}; "
            "choose with --split (all for every one), or build the set with another --val and --test"
        )
    return targets


def _recipe_name(text: str) -> str:
    """The name of a recipe that is given as a file, an object or an id; any other text is a name."""
    return load_recipe(text).name if text.endswith((".yaml", ".yml")) or {":", "@"} & set(text) else text


def _work_folder(store: Path) -> Path:
    """Where unfinished scoring is kept; git is told to leave it out."""
    work = store / ".work"
    write_text(work / ".gitignore", "*\n")
    return work


def _hq_of(chosen: ReferenceSet, split: str) -> tuple[dict[str, Path], dict[str, tuple[int, int]]]:
    """HQ files by key, and their (width, height) as the manifest says."""
    targets = _targets(chosen, split)
    images = {target.key: chosen.hq_path(target.key) for target in targets}
    return images, {target.key: (target.width, target.height) for target in targets}


def _require_lq(chosen: ReferenceSet, recipe: str, targets: Sequence[Target]) -> None:
    absent = [target.key for target in targets if not chosen.lq_path(recipe, target.key).is_file()]
    if absent:
        some = ", ".join(absent[:3]) + (" ..." if len(absent) > 3 else "")
        fix = f"refbench degrade {chosen.root} --recipe {recipe}"
        raise RefbenchError(
            f"{len(absent)} of {len(targets)} LQ images are absent ({some}); make them with: {fix}"
        )
