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
from ...files import StrPath, paths_by_key, sha256_json
from ...progress import progress, say
from ...records.card import Card
from ...records.evaluation_modes import with_references
from ...records.record import Record
from ...records.reference_set import ReferenceSet, Target
from ..catalogue import select
from ..core.metric import GainMetric, Metric
from ..core.options import ScoreKeywords, ScoreOptions
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
    if shard.count > 1 and chosen.work is None:
        raise RefbenchError(
            "several processes score together through a folder they all see; name one as work"
        )
    metrics = select(chosen.protocols)
    asked = chosen.references
    modes = [str(entry.card.references if asked is None else asked) for entry in entries]
    records: dict[int, Record] = {}
    for mode in dict.fromkeys(modes):
        places = [place for place, its in enumerate(modes) if its == mode]
        some = [entries[place] for place in places]
        found = _score_mode(reference_set, mode, some, metrics=metrics, options=chosen, shard=shard)
        records |= dict(zip(places, found, strict=True))
    return [records[place] for place in range(len(entries))]


def _score_mode(
    reference_set: ReferenceSet,
    mode: str,
    entries: Sequence[Entry],
    *,
    metrics: Sequence[Metric],
    options: ScoreOptions,
    shard: Shard,
) -> list[Record]:
    """The records of submissions that are scored under one evaluation mode."""
    seen, targets = _select_targets(reference_set, mode, options.split)
    keys = [target.key for target in targets]
    recipes = {recipe: read_recipe(seen, recipe, keys) for recipe in {entry.recipe for entry in entries}}
    pairs = [
        pair(targets, entry.images, entry.card.model, allow_missing=options.allow_missing)
        for entry in entries
    ]
    for entry, found in zip(entries, pairs, strict=True):
        if count := lossy(found):
            say(f"{entry.card.model}: {count} images are JPEG or WebP; submit PNG, the format is scored too")
    lq_images = _lq_as_submissions(seen, targets, metrics, recipes=sorted(recipes))
    with ExitStack() as stack:
        folder = options.work or Path(stack.enter_context(tempfile.TemporaryDirectory()))
        engine, facts = stack.enter_context(_open_engine(metrics, options))
        parts = _score_parts(
            seen, targets, [*pairs, *lq_images.values()], engine=engine, folder=folder, shard=shard
        )
        lq_parts = dict(zip(lq_images, parts[len(pairs) + 1 :], strict=True))
        return [
            make_record(
                seen,
                options.split,
                mode,
                scored=Scored(
                    card=entry.card,
                    recipe=recipes[entry.recipe],
                    pairs=found,
                    parts=paths,
                    hq_parts=parts[0],
                    lq_parts=lq_parts.get(entry.recipe, []),
                ),
                metrics=metrics,
                provenance=facts,
            )
            for entry, found, paths in zip(entries, pairs, parts[1 : len(pairs) + 1], strict=True)
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
