"""Scoring of submissions against a reference set in one pass over the HQ images; one record for each."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import Unpack

from ...errors import RefbenchError
from ...files import StrPath, paths_by_key, sha256_file, sha256_json
from ...progress import progress, say
from ...records.card import Card
from ...records.evaluation_modes import with_references
from ...records.record import Record
from ...records.reference_set import ReferenceSet, Target
from ..catalogue import ALL_READY, OWN, declarations, select
from ..core.metric import GainMetric, Metric
from ..core.options import ScoreKeywords, ScoreOptions
from ..requirements import check_requirements, mask_faults, unscored_notes
from .chunks import Chunk, Part, chunks
from .distributed import ALONE, Shard
from .engine import Engine, deterministic, load, release_memory, torch_device
from .harness import DecodingChunk, score_chunk, start_decoding
from .pairing import Paired, lossy, pair
from .provenance import digests_of, digests_of_files, provenance, versions
from .recording import Scored, make_record, read_recipe

PART_VERSION = 2


@dataclass(frozen=True)
class Entry:
    """A submission to score.

    Attributes:
        recipe: name of the recipe whose LQ images were restored.
        card: the submission card.
        images: path of the restored image of each target, by key.
    """

    recipe: str
    card: Card
    images: Mapping[str, Path]

    def __post_init__(self) -> None:
        """Take all files as paths."""
        object.__setattr__(self, "images", paths_by_key(self.images))


def score_images(
    reference_set: ReferenceSet,
    recipe: str,
    images: Mapping[str, StrPath],
    *,
    card: Card,
    options: ScoreOptions | None = None,
    shard: Shard = ALONE,
    **given: Unpack[ScoreKeywords],
) -> Record:
    """Score one submission and return its record; nothing is written but ``work`` and ``cache``.

    Args:
        reference_set: what is scored against.
        recipe: name of the recipe whose LQ images were restored.
        images: path of the restored image of each target, by key.
        card: the submission card.
        options: see `ScoreOptions`; None for the defaults.
        shard: this process's share of the chunks, where several processes score together (`distributed`).
        given: options by name, in place of those in ``options``.

    Raises:
        FaultListError, RefbenchError: as `score_many`.
    """
    images = paths_by_key(images)
    entry = Entry(recipe, card, images)
    return score_many(reference_set, [entry], options, shard=shard, **given)[0]


def score_many(
    reference_set: ReferenceSet,
    entries: Sequence[Entry],
    options: ScoreOptions | None = None,
    *,
    shard: Shard = ALONE,
    **given: Unpack[ScoreKeywords],
) -> list[Record]:
    """Score several submissions in one pass; the work on HQ images and references is done once for all.

    Args:
        reference_set: what is scored against.
        entries: the submissions; they may answer different recipes.
        options: see `ScoreOptions`; None for the defaults.
        shard: this process's share of the chunks, where several processes score together (`distributed`).
        given: options by name, in place of those in ``options``.

    Returns:
        One record per entry, in order. Nothing is written but ``work`` and ``cache``.

    Raises:
        FaultListError: missing, extra, duplicate or wrong-size images, before anything is computed.
        RefbenchError: an unknown option or protocol, absent weights, no LQ images of that recipe, or an empty
            split.
    """
    chosen = ScoreOptions.merged(options, given)
    records: dict[int, Record] = {}
    for plan in plan_scoring(reference_set, entries, chosen, shard=shard):
        records |= dict(zip(plan.places, run_plan(plan, chosen, shard=shard), strict=True))
    return [records[place] for place in range(len(entries))]


@dataclass(frozen=True)
class Plan:
    """Submissions of one evaluation mode, checked and paired with their targets, ready to be scored.

    Attributes:
        mode: the evaluation mode.
        reference_set: the set as the mode sees it.
        targets: to score.
        metrics: to compute.
        places: of the entries in the list that was given.
        entries, pairs: the submissions, and their images by key.
        recipes: id and content hash of the LQ images, by the name of the recipe.
        lq_images: LQ images by recipe, paired like a submission, where a gain over them is wanted.
    """

    mode: str
    reference_set: ReferenceSet
    targets: tuple[Target, ...]
    metrics: tuple[Metric, ...]
    places: tuple[int, ...]
    entries: tuple[Entry, ...]
    pairs: tuple[Mapping[str, Paired], ...]
    recipes: Mapping[str, tuple[str, str]]
    lq_images: Mapping[str, Mapping[str, Paired]]


def plan_scoring(
    reference_set: ReferenceSet, entries: Sequence[Entry], options: ScoreOptions, *, shard: Shard = ALONE
) -> list[Plan]:
    """Check everything that can be known before scoring; one plan for each evaluation mode of the entries.

    Checked are the protocols and what they need (packages, weights, statistics, masks), the device, the
    split, the LQ images, and the images of every submission. Targets that will have no value in a protocol,
    because they are too small or lack references or landmarks, are told.

    Raises:
        FaultListError: missing, extra, duplicate or wrong-size images of a submission.
        RefbenchError: everything else that keeps scoring from its start.
    """
    if shard.count > 1 and options.work is None:
        raise RefbenchError(
            "several processes score together through a folder they all see; name one as work"
        )
    modes = [
        str(entry.card.references if options.references is None else options.references) for entry in entries
    ]
    views = {mode: _select_targets(reference_set, mode, options.split) for mode in dict.fromkeys(modes)}
    everyone = [target for _, targets in views.values() for target in targets]
    metrics = chosen_metrics(reference_set, everyone, options)
    plans = []
    for mode, (seen, targets) in views.items():
        places = tuple(place for place, its in enumerate(modes) if its == mode)
        chosen = tuple(entries[place] for place in places)
        plans.append(
            _plan(seen, targets, mode, metrics=metrics, places=places, entries=chosen, options=options)
        )
    chosen_ids = {metric.protocol.id for metric in metrics}
    if left_out := [m.protocol.id for m in select(options.protocols) if m.protocol.id not in chosen_ids]:
        say(f"left out, for the set has no face mask of every image: {', '.join(left_out)}")
    notes = (note for plan in plans for note in unscored_notes(metrics, plan.targets))
    for note in dict.fromkeys(notes):
        say(note)
    return plans


def chosen_metrics(
    reference_set: ReferenceSet, targets: Sequence[Target], options: ScoreOptions
) -> tuple[Metric, ...]:
    """The metrics that options name, once machine and set have been found to hold what they need.

    Of the list ``all``, metrics of face masks are left out where the set lacks masks.

    Raises:
        RefbenchError: an unknown protocol or device, or absent packages, weights, statistics or masks.
    """
    torch_device(options.device)
    metrics = select(options.protocols)
    masked = any(metric.feature.needs_masks for metric in metrics)
    if masked and ALL_READY in options.protocols and mask_faults(reference_set, targets):
        metrics = tuple(metric for metric in metrics if not metric.feature.needs_masks)
    check_requirements(metrics, reference_set, targets)
    return metrics


def _plan(
    seen: ReferenceSet,
    targets: tuple[Target, ...],
    mode: str,
    *,
    metrics: tuple[Metric, ...],
    places: tuple[int, ...],
    entries: tuple[Entry, ...],
    options: ScoreOptions,
) -> Plan:
    keys = [target.key for target in targets]
    recipes = {recipe: read_recipe(seen, recipe, keys) for recipe in {entry.recipe for entry in entries}}
    pairs = tuple(
        pair(targets, entry.images, entry.card.model, allow_missing=options.allow_missing)
        for entry in entries
    )
    for entry, found in zip(entries, pairs, strict=True):
        if count := lossy(found):
            say(f"{entry.card.model}: {count} images are JPEG or WebP; submit PNG, the format is scored too")
    lq_images = _lq_as_submissions(seen, targets, metrics, recipes=sorted(recipes))
    return Plan(mode, seen, targets, metrics, places, entries, pairs, recipes, lq_images)


def run_plan(plan: Plan, options: ScoreOptions, *, shard: Shard = ALONE) -> list[Record]:
    """Score what `plan_scoring` has checked; the records of its entries, in order.

    Raises:
        RefbenchError: a file that changed since, or a network that fails; finished chunks stay in ``work``.
    """
    with ExitStack() as stack:
        folder = options.work or Path(stack.enter_context(tempfile.TemporaryDirectory()))
        engine, facts = stack.enter_context(_open_engine(plan.metrics, options))
        submissions = [*plan.pairs, *plan.lq_images.values()]
        parts = _score_parts(
            plan.reference_set, plan.targets, submissions, engine=engine, folder=folder, shard=shard
        )
        count = len(plan.pairs)
        lq_parts = dict(zip(plan.lq_images, parts[count + 1 :], strict=True))
        return [
            make_record(
                plan.reference_set,
                options.split,
                plan.mode,
                scored=Scored(
                    card=entry.card,
                    recipe=plan.recipes[entry.recipe],
                    pairs=found,
                    parts=paths,
                    hq_parts=parts[0],
                    lq_parts=lq_parts.get(entry.recipe, []),
                ),
                metrics=plan.metrics,
                provenance=facts | declarations(plan.metrics),
            )
            for entry, found, paths in zip(plan.entries, plan.pairs, parts[1 : count + 1], strict=True)
        ]


def _select_targets(
    reference_set: ReferenceSet, mode: str, split: str
) -> tuple[ReferenceSet, tuple[Target, ...]]:
    """The set as the evaluation mode sees it, and the targets to score."""
    targets = reference_set.select(split)
    if not targets:
        raise RefbenchError(f"{reference_set.root}: no image with references in the split {split!r}")
    seen = with_references(reference_set, mode, split)
    return seen, tuple(seen[target.key] for target in targets)


@contextmanager
def _open_engine(metrics: Sequence[Metric], options: ScoreOptions) -> Iterator[tuple[Engine, dict[str, str]]]:
    """Networks, device and threads of a run, and what its records say of them.

    Parts are named by the kind of device and not by its index: of several processes that score together, each
    has a device of its own and looks for the parts of the others.
    """
    digests = digests_of(metrics)
    digests |= {f"module {OWN[m.protocol.id].name}": sha256_file(OWN[m.protocol.id]) for m in _own(metrics)}
    device = torch_device(options.device)
    computed = _computed(metrics)
    features = {metric.feature.name: metric.feature for metric in computed}
    with deterministic(options.workers) as pool:
        extractors = {name: load(feature, device) for name, feature in features.items()}
        digests |= digests_of_files(features.values())
        place = [device.type, options.precision, options.batch_size]
        engine = Engine(
            metrics=computed,
            extractors=extractors,
            device=device,
            pool=pool,
            precision=options.precision,
            batch_size=options.batch_size,
            cache=options.cache,
            key=sha256_json([PART_VERSION, versions(), digests, *place]),
            device_lock=nullcontext() if device.type == "cpu" else Lock(),
        )
        yield engine, provenance(digests, device.type, options.precision, batch_size=options.batch_size)


def _own(metrics: Sequence[Metric]) -> list[Metric]:
    """The metrics of the user's own, whose file is a part of what a number depends on."""
    return [metric for metric in _computed(metrics) if metric.protocol.id in OWN]


def _lq_as_submissions(
    reference_set: ReferenceSet,
    targets: Sequence[Target],
    metrics: Sequence[Metric],
    *,
    recipes: Sequence[str],
) -> dict[str, dict[str, Paired]]:
    """The LQ images of each recipe, paired like a submission, where a gain over them is wanted."""
    if not any(isinstance(metric, GainMetric) for metric in metrics):
        return {}
    return {
        recipe: pair(
            targets,
            {t.key: reference_set.lq_path(recipe, t.key) for t in targets},
            f"LQ images of {recipe}",
            check_pngs=False,
        )
        for recipe in recipes
    }


def _computed(metrics: Sequence[Metric]) -> tuple[Metric, ...]:
    """The metrics to compute for these: the base metric in place of each gain."""
    bases = (metric.base if isinstance(metric, GainMetric) else metric for metric in metrics)
    return tuple({metric.protocol.id: metric for metric in bases}.values())


def _score_parts(
    reference_set: ReferenceSet,
    targets: Sequence[Target],
    pairs: Sequence[Mapping[str, Paired]],
    *,
    engine: Engine,
    folder: Path,
    shard: Shard,
) -> list[list[Path]]:
    """Score chunk by chunk; paths of the parts of the HQ images and of each submission, in order of chunks.

    While one chunk is scored, the next one is decoded. Parts that exist are kept.
    """
    paths: list[list[Path]] = [[] for _ in range(len(pairs) + 1)]
    waiting: tuple[DecodingChunk, list[Path]] | None = None
    cut = list(chunks(reference_set, targets))
    mine = sum(len(chunk.targets) for number, chunk in enumerate(cut) if shard.takes(number))
    with progress("scoring", mine * len(pairs)) as advance:

        def finish(decoding: DecodingChunk, names: Sequence[Path]) -> None:
            for name, part in zip(names, score_chunk(reference_set, decoding, engine), strict=True):
                part.write(name)
            release_memory()
            advance(len(decoding.chunk.targets) * len(decoding.restored))

        for number, chunk in enumerate(cut):
            names = [_part_path(folder, chunk, found, engine=engine) for found in [{}, *pairs]]
            for listed, name in zip(paths, names, strict=True):
                listed.append(name)
            if not shard.takes(number):
                continue
            todo = [place for place, name in enumerate(names) if place and Part.read(name) is None]
            advance(len(chunk.targets) * (len(pairs) - len(todo)))
            if todo or Part.read(names[0]) is None:
                submissions = [pairs[place - 1] for place in todo]
                decoding = start_decoding(reference_set, chunk, submissions, engine=engine)
                if waiting:
                    finish(*waiting)
                waiting = decoding, [names[0], *(names[place] for place in todo)]
        if waiting:
            finish(*waiting)
    shard.wait()
    return paths


def _part_path(folder: Path, chunk: Chunk, pairs: Mapping[str, Paired], *, engine: Engine) -> Path:
    images = [[t.key, pairs[t.key].sha256, pairs[t.key].reason] for t in chunk.targets if t.key in pairs]
    ids = [metric.protocol.id for metric in engine.metrics]
    return folder / f"{sha256_json([chunk.content, images, ids, engine.key])}.npz"
