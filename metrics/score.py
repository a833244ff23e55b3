"""Scoring: a submission in, a record out; several submissions at once share the work on the HQ side."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
import torch

from .. import weights
from ..builders.manifest import ReferenceSet, Target
from ..errors import RefbenchError
from ..files import sha256_json
from ..progress import progress, say
from .catalogue import OFFLINE, select
from .chunks import Chunk, Part, chunks
from .engine import Engine, steady
from .harness import Opened, open_chunk, score_chunk
from .metric import Metric, SetMetric
from .pairing import Paired, lossy, pair
from .record import SCORE_COLUMNS, Benchmark, Card, Record, RecordInfo, SetScore

PART_VERSION = 1
PACKAGES = ("refbench", "torch", "torchvision", "lpips", "numpy", "opencv-python-headless", "pillow")


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
    submission: Mapping[str, Path],
    card: Card,
    protocols: Sequence[str] = OFFLINE,
    *,
    device: str = "cpu",
    batch_size: int | None = None,
    workers: int | None = None,
    allow_missing: bool = False,
    work: Path | None = None,
    cache: Path | None = None,
) -> Record:
    """Score one submission; see `score_many`."""
    return score_many(
        reference_set,
        split,
        [Entry(recipe, card, submission)],
        protocols,
        device=device,
        batch_size=batch_size,
        workers=workers,
        allow_missing=allow_missing,
        work=work,
        cache=cache,
    )[0]


def score_many(
    reference_set: ReferenceSet,
    split: str,
    entries: Sequence[Entry],
    protocols: Sequence[str] = OFFLINE,
    *,
    device: str = "cpu",
    batch_size: int | None = None,
    workers: int | None = None,
    allow_missing: bool = False,
    work: Path | None = None,
    cache: Path | None = None,
) -> list[Record]:
    """Score several submissions in one pass; the work on HQ images and references is done once for all.

    Args:
        reference_set: what is scored against.
        split: whose targets with references are scored; ``all`` for all of them.
        entries: the submissions; they may answer different recipes.
        protocols: ids from the catalogue.
        device: ``cpu``, ``cuda`` or ``cuda:1``.
        batch_size: images at a time for every network; None for each network's measured own.
        workers: threads, on a CPU one network each; None for one per core. Never changes a number.
        allow_missing: score what is there, and leave a row with a reason for what is not.
        work: folder where finished chunks are kept, so that a killed run resumes; None for none.
        cache: folder where embeddings of HQ images are kept by content; None for none.

    Returns:
        One record per entry, in order. Nothing is written but ``work`` and ``cache``.

    Raises:
        FaultList: missing, extra, duplicate or wrong-size images, before anything is computed.
        RefbenchError: an unknown protocol, absent weights, no LQ images of that recipe, or an empty split.
    """
    metrics = select(protocols)
    targets = reference_set.select(None if split == "all" else split)
    if not targets:
        raise RefbenchError(f"{reference_set.root}: no image with references in the split {split!r}")
    recipes = {recipe: read_recipe(reference_set, recipe) for recipe in {e.recipe for e in entries}}
    pairs = [pair(targets, entry.images, entry.card.model, allow_missing) for entry in entries]
    for entry, found in zip(entries, pairs, strict=True):
        if count := lossy(found):
            say(f"{entry.card.model}: {count} images are JPEG or WebP; submit PNG, the format is scored too")
    digests = weight_digests(metrics)
    place = torch.device(device)
    with ExitStack() as stack:
        folder = work or Path(stack.enter_context(tempfile.TemporaryDirectory()))
        pool = stack.enter_context(steady(workers))
        features = {metric.feature.name: metric.feature for metric in metrics}
        extractors = {name: feature.load(place) for name, feature in features.items()}
        engine = Engine(metrics, extractors, place, batch_size, cache, sha256_json(digests), pool)
        parts = _score_parts(reference_set, targets, pairs, engine, folder)
        provenance = _provenance(digests, engine)
        return [
            _record(
                reference_set, split, entry, recipes[entry.recipe], found, engine, parts[0], paths, provenance
            )
            for entry, found, paths in zip(entries, pairs, parts[1:], strict=True)
        ]


def _score_parts(
    reference_set: ReferenceSet,
    targets: Sequence[Target],
    pairs: Sequence[Mapping[str, Paired]],
    engine: Engine,
    folder: Path,
) -> list[list[Path]]:
    """Score chunk by chunk; the parts' paths of the HQ side and of each submission, in order of chunks.

    While one chunk is scored, the next one is being decoded.
    """
    paths: list[list[Path]] = [[] for _ in range(len(pairs) + 1)]
    waiting: tuple[Opened, list[Path]] | None = None
    with progress("scoring", len(targets) * len(pairs)) as advance:

        def finish(opened: Opened, names: Sequence[Path]) -> None:
            for name, part in zip(names, score_chunk(reference_set, opened, engine), strict=True):
                part.write(name)
            advance(len(opened.chunk.targets) * len(opened.restored))

        for chunk in chunks(reference_set, targets):
            names = [_part_path(folder, chunk, found, engine) for found in [{}, *pairs]]
            for listed, name in zip(paths, names, strict=True):
                listed.append(name)
            open_ones = [place for place, name in enumerate(names) if place and Part.read(name) is None]
            advance(len(chunk.targets) * (len(pairs) - len(open_ones)))
            if open_ones or Part.read(names[0]) is None:
                wanted = [pairs[place - 1] for place in open_ones]
                opened = open_chunk(reference_set, chunk, wanted, engine)
                if waiting:
                    finish(*waiting)
                waiting = opened, [names[0], *(names[place] for place in open_ones)]
        if waiting:
            finish(*waiting)
    return paths


def _part_path(folder: Path, chunk: Chunk, pairs: Mapping[str, Paired], engine: Engine) -> Path:
    images = [[t.key, pairs[t.key].sha256, pairs[t.key].reason] for t in chunk.targets if t.key in pairs]
    settings = [PART_VERSION, engine.cache_key, engine.batch_size, str(engine.device), _versions()]
    ids = [metric.protocol.id for metric in engine.metrics]
    return folder / f"{sha256_json([chunk.content, images, settings, ids])}.npz"


def _record(
    reference_set: ReferenceSet,
    split: str,
    entry: Entry,
    recipe: tuple[str, str],
    pairs: Mapping[str, Paired],
    engine: Engine,
    hq_parts: Sequence[Path],
    parts: Sequence[Path],
    provenance: dict[str, str],
) -> Record:
    benchmark = Benchmark(
        name=reference_set.info.name,
        set_hash=reference_set.info.content_hash,
        split=split,
        recipe=recipe[0],
        lq_hash=recipe[1],
        images=len(pairs),
        protocols=tuple(metric.protocol.id for metric in engine.metrics),
    )
    info = RecordInfo(
        card=entry.card,
        benchmark=benchmark,
        submission_hash=sha256_json([[key, pairs[key].sha256] for key in sorted(pairs)]),
        set_scores={
            metric.protocol.id: _set_score(metric, parts, hq_parts)
            for metric in engine.metrics
            if isinstance(metric, SetMetric)
        },
        provenance=provenance | ({"lossy images": str(count)} if (count := lossy(pairs)) else {}),
    )
    return Record(info, _table(reference_set, parts))


def _set_score(metric: SetMetric, parts: Sequence[Path], hq_parts: Sequence[Path]) -> SetScore:
    name = metric.feature.name
    images = sum(len(batch) for batch in _vectors(parts, name))
    if images < 2:
        return SetScore(value=None, images=images, warning="needs two images or more")
    few = f"{images} images; below {metric.enough} the number is biased upwards: compare at equal counts only"
    value = metric.compare(_vectors(parts, name), _vectors(hq_parts, name))
    return SetScore(value=value, images=images, warning=few if images < metric.enough else "")


def _vectors(paths: Sequence[Path], name: str) -> Iterator[npt.NDArray[np.float32]]:
    for part in map(_must_read, paths):
        if name in part.vectors:
            yield part.vectors[name]


def _must_read(path: Path) -> Part:
    part = Part.read(path)
    if part is None:
        raise RefbenchError(f"{path} vanished while scoring; leave the work folder alone and score again")
    return part


def _table(reference_set: ReferenceSet, paths: Sequence[Path]) -> pd.DataFrame:
    rows = [
        (key, reference_set[key].identity, name, value, reason)
        for part in map(_must_read, paths)
        for name, values in part.values.items()
        for key, value, reason in zip(part.keys, values, part.reasons[name], strict=True)
    ]
    frame = pd.DataFrame(rows, columns=list(SCORE_COLUMNS))
    frame["value"] = frame["value"].astype("float64")
    return frame.sort_values(["protocol", "key"], ignore_index=True)


def read_recipe(reference_set: ReferenceSet, recipe: str) -> tuple[str, str]:
    """Id and content hash of a recipe's LQ images, from their ``lq.json``.

    Raises:
        RefbenchError: the set has no LQ images of that recipe.
    """
    path = reference_set.lq_folder(recipe) / "lq.json"
    try:
        said = json.loads(path.read_text("utf-8"))
        return str(said["recipe_id"]), str(said["lq_hash"])
    except FileNotFoundError:
        mend = f"make them with: refbench degrade {reference_set.root} --recipe {recipe}"
        raise RefbenchError(
            f"{reference_set.root} has no LQ images of the recipe {recipe!r}; {mend}"
        ) from None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise RefbenchError(f"{path} is not readable: {error}") from None


def weight_digests(metrics: Sequence[Metric]) -> dict[str, str]:
    """SHA-256 of every weight that metrics need.

    Raises:
        RefbenchError: some are absent; all of them are named, with the command that brings them.
    """
    names = sorted({name for metric in metrics for name in metric.protocol.weights})
    absent = [name for name in names if weights.find(name) is None]
    if absent:
        them = " ".join(absent)
        raise RefbenchError(
            f"weights are missing: {', '.join(absent)}; get them with: refbench weights fetch {them}"
        )
    return {name: weights.digest(name) for name in names}


def _versions() -> dict[str, str]:
    found = {}
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = "not installed"
    return found


def _provenance(digests: Mapping[str, str], engine: Engine) -> dict[str, str]:
    packages = {f"package {name}": number for name, number in _versions().items()}
    files = {f"weights {name}": digest for name, digest in digests.items()}
    batch = "each network's own" if engine.batch_size is None else str(engine.batch_size)
    return packages | files | {"device": str(engine.device), "dtype": "float32", "batch size": batch}
