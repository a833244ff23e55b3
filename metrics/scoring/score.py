"""Scoring: a submission in, a record out; several submissions at once share the work on the HQ side."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from contextlib import ExitStack, nullcontext
from dataclasses import dataclass
from pathlib import Path
from threading import Lock

import torch

from ...errors import RefbenchError
from ...files import sha256_json
from ...progress import progress, say
from ...records.card import Card
from ...records.evaluation_modes import ALL, with_references
from ...records.record import Record
from ...records.reference_set import ReferenceSet, Target
from ..catalogue import OFFLINE, select
from ..core.metric import GainMetric, Metric
from ..protocols.no_reference import file_digests
from .chunks import Chunk, Part, chunks
from .distributed import ALONE, Shard
from .engine import Engine, Precision, deterministic, give_back_memory, load
from .harness import Opened, open_chunk, score_chunk
from .pairing import Paired, lossy, pair
from .provenance import digests_of, provenance, versions
from .recording import Scored, make_record, read_recipe

PART_VERSION = 2


@dataclass(frozen=True)
class Entry:
    """One submission to score: for LQ images of which recipe, what the team says, and its images by key."""

    recipe: str
    card: Card
    images: Mapping[str, Path]


def score_images(
    reference_set: ReferenceSet,
    split: str,
    recipe: str,
    *,
    submission: Mapping[str, Path],
    card: Card,
    protocols: Sequence[str] = OFFLINE,
    references: str = ALL,
    device: str = "cpu",
    precision: Precision = "float32",
    batch_size: int | None = None,
    workers: int | None = None,
    allow_missing: bool = False,
    work: Path | None = None,
    cache: Path | None = None,
    shard: Shard = ALONE,
) -> Record:
    """Score one submission; see `score_many`."""
    return score_many(
        reference_set,
        split,
        [Entry(recipe, card, submission)],
        protocols=protocols,
        references=references,
        device=device,
        precision=precision,
        batch_size=batch_size,
        workers=workers,
        allow_missing=allow_missing,
        work=work,
        cache=cache,
        shard=shard,
    )[0]


def score_many(
    reference_set: ReferenceSet,
    split: str,
    entries: Sequence[Entry],
    *,
    protocols: Sequence[str] = OFFLINE,
    references: str = ALL,
    device: str = "cpu",
    precision: Precision = "float32",
    batch_size: int | None = None,
    workers: int | None = None,
    allow_missing: bool = False,
    work: Path | None = None,
    cache: Path | None = None,
    shard: Shard = ALONE,
) -> list[Record]:
    """Score several submissions in one pass; the work on HQ images and references is done once for all.

    Args:
        reference_set: what is scored against.
        split: whose targets with references are scored; ``all`` for all of them.
        entries: the submissions; they may answer different recipes.
        protocols: ids from the catalogue, or its lists ``offline`` and ``paper``.
        references: the evaluation mode that the images were restored under, see `modes`.
        device: ``cpu``, ``cuda`` or ``cuda:1``; ``mps`` lacks float64 and is taken as ``cpu``.
        precision: ``bfloat16`` inside large networks is fast and marked: those ids end in ``+bf16``.
        batch_size: images at a time for every network; None for each network's measured own.
        workers: threads, on a CPU one network each; None for one per core. Never changes a number.
        allow_missing: score what is there, and leave a row with a reason for what is not.
        work: folder where finished chunks are kept, so that a killed run resumes; None for none.
        cache: folder where embeddings of HQ images are kept by content; None for none.
        shard: this process's share of the chunks, where several processes score together (`shards`).

    Returns:
        One record per entry, in order. Nothing is written but ``work`` and ``cache``.

    Raises:
        FaultListError: missing, extra, duplicate or wrong-size images, before anything is computed.
        RefbenchError: an unknown protocol, absent weights, no LQ images of that recipe, or an empty split.
    """
    metrics = select(protocols)
    targets = reference_set.select(None if split == "all" else split)
    if not targets:
        raise RefbenchError(f"{reference_set.root}: no image with references in the split {split!r}")
    seen = with_references(reference_set, references, split)
    targets = tuple(seen[target.key] for target in targets)
    if shard.count > 1 and work is None:
        raise RefbenchError(
            "several processes score together through a folder they all see; name one as work"
        )
    recipes = {recipe: read_recipe(seen, recipe) for recipe in {entry.recipe for entry in entries}}
    pairs = [pair(targets, entry.images, entry.card.model, allow_missing=allow_missing) for entry in entries]
    for entry, found in zip(entries, pairs, strict=True):
        if count := lossy(found):
            say(f"{entry.card.model}: {count} images are JPEG or WebP; submit PNG, the format is scored too")
    untouched = _untouched(seen, targets, metrics, recipes=sorted(recipes))
    digests = digests_of(metrics)
    with ExitStack() as stack:
        folder = work or Path(stack.enter_context(tempfile.TemporaryDirectory()))
        pool = stack.enter_context(deterministic(workers))
        place = torch.device("cpu" if device.startswith("mps") else device)
        computed = _computed(metrics)
        features = {metric.feature.name: metric.feature for metric in computed}
        extractors = {name: load(feature, place) for name, feature in features.items()}
        digests |= file_digests(features.values())
        key = sha256_json([PART_VERSION, versions(), digests, str(place), precision, batch_size])
        device_lock = nullcontext() if place.type == "cpu" else Lock()
        engine = Engine(computed, extractors, place, precision, batch_size, cache, key, pool, device_lock)
        parts = _score_parts(
            seen, targets, [*pairs, *untouched.values()], engine=engine, folder=folder, shard=shard
        )
        facts = provenance(digests, str(place), precision, batch_size=batch_size)
        lq_parts = dict(zip(untouched, parts[len(pairs) + 1 :], strict=True))
        return [
            make_record(
                seen,
                split,
                references,
                scored=Scored(
                    entry.card, recipes[entry.recipe], found, paths, parts[0], lq_parts.get(entry.recipe, [])
                ),
                metrics=metrics,
                provenance=facts,
            )
            for entry, found, paths in zip(entries, pairs, parts[1 : len(pairs) + 1], strict=True)
        ]


def _untouched(
    reference_set: ReferenceSet,
    targets: Sequence[Target],
    metrics: Sequence[Metric],
    *,
    recipes: Sequence[str],
) -> dict[str, dict[str, Paired]]:
    """The LQ images of each recipe as if they were a submission, where a gain over them is asked for."""
    if not any(isinstance(metric, GainMetric) for metric in metrics):
        return {}
    return {
        recipe: pair(
            targets, {t.key: reference_set.lq_path(recipe, t.key) for t in targets}, f"LQ images of {recipe}"
        )
        for recipe in recipes
    }


def _computed(metrics: Sequence[Metric]) -> tuple[Metric, ...]:
    """What is computed for these metrics: each gain through its base."""
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
    """Score chunk by chunk; the parts' paths of the HQ side and of each submission, in order of chunks.

    While one chunk is scored, the next one is being decoded. Parts that are there already are kept.
    """
    paths: list[list[Path]] = [[] for _ in range(len(pairs) + 1)]
    waiting: tuple[Opened, list[Path]] | None = None
    cut = list(chunks(reference_set, targets))
    mine = sum(len(chunk.targets) for number, chunk in enumerate(cut) if shard.takes(number))
    with progress("scoring", mine * len(pairs)) as advance:

        def finish(opened: Opened, names: Sequence[Path]) -> None:
            for name, part in zip(names, score_chunk(reference_set, opened, engine), strict=True):
                part.write(name)
            give_back_memory()
            advance(len(opened.chunk.targets) * len(opened.restored))

        for number, chunk in enumerate(cut):
            names = [_part_path(folder, chunk, found, engine=engine) for found in [{}, *pairs]]
            for listed, name in zip(paths, names, strict=True):
                listed.append(name)
            if not shard.takes(number):
                continue
            todo = [place for place, name in enumerate(names) if place and Part.read(name) is None]
            advance(len(chunk.targets) * (len(pairs) - len(todo)))
            if todo or Part.read(names[0]) is None:
                opened = open_chunk(reference_set, chunk, [pairs[place - 1] for place in todo], engine=engine)
                if waiting:
                    finish(*waiting)
                waiting = opened, [names[0], *(names[place] for place in todo)]
        if waiting:
            finish(*waiting)
    shard.wait()
    return paths


def _part_path(folder: Path, chunk: Chunk, pairs: Mapping[str, Paired], *, engine: Engine) -> Path:
    images = [[t.key, pairs[t.key].sha256, pairs[t.key].reason] for t in chunk.targets if t.key in pairs]
    ids = [metric.protocol.id for metric in engine.metrics]
    return folder / f"{sha256_json([chunk.content, images, ids, engine.key])}.npz"
