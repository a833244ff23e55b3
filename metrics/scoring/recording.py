"""Records from parts: the table of scores per image, the numbers of the set, and the benchmark."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

from ...errors import RefbenchError
from ...files import sha256_json
from ...records.card import Card
from ...records.protocol import ProtocolId
from ...records.record import SCORE_COLUMNS, Benchmark, Record, RecordInfo, SetScore
from ...records.reference_set import ReferenceSet
from ...records.selection import lq_of
from ..core.metric import GainMetric, Metric, SetMetric
from .chunks import Part
from .pairing import Paired, lossy

Columns = dict[str, tuple[npt.NDArray[np.float64], tuple[str, ...]]]


@dataclass(frozen=True)
class Scored:
    """A submission that has been scored.

    Attributes:
        card: the submission card.
        recipe: id and content hash of the LQ images that were restored.
        pairs: its images by key.
        parts, hq_parts, lq_parts: files of its own parts, of those of the HQ images, and of those of the LQ
            images (where a gain is wanted), in the same order of chunks.
    """

    card: Card
    recipe: tuple[str, str]
    pairs: Mapping[str, Paired]
    parts: Sequence[Path]
    hq_parts: Sequence[Path]
    lq_parts: Sequence[Path]


def make_record(
    reference_set: ReferenceSet,
    split: str,
    references: str,
    *,
    scored: Scored,
    metrics: Sequence[Metric],
    provenance: Mapping[str, str],
) -> Record:
    """The record of a submission that was scored under the evaluation mode ``references``."""
    names = {m.protocol.id: _id_in_precision(m, provenance["dtype"]) for m in metrics}
    benchmark = Benchmark(
        name=reference_set.info.name,
        set_hash=reference_set.info.content_hash,
        split=split,
        recipe=scored.recipe[0],
        lq_hash=scored.recipe[1],
        images=len(scored.pairs),
        protocols=tuple(names.values()),
        references=references,
    )
    warnings = {"lossy images": str(count)} if (count := lossy(scored.pairs)) else {}
    info = RecordInfo(
        card=scored.card,
        benchmark=benchmark,
        submission_hash=sha256_json([[key, scored.pairs[key].sha256] for key in sorted(scored.pairs)]),
        set_scores={
            names[metric.protocol.id]: _set_score(metric, scored)
            for metric in metrics
            if isinstance(metric, SetMetric)
        },
        provenance=dict(provenance) | warnings,
    )
    return Record(info, _table(reference_set, scored, metrics, names=names))


def _id_in_precision(metric: Metric, precision: str) -> str:
    if precision == "float32" or not metric.feature.bfloat16:
        return metric.protocol.id
    return str(ProtocolId.parse(metric.protocol.id).in_precision(precision))


def _set_score(metric: SetMetric, scored: Scored) -> SetScore:
    name = metric.feature.name
    images = sum(len(batch) for batch in _vectors(scored.parts, name))
    if images < 2:
        return SetScore(value=None, images=images, warning="needs two images or more")
    biased = f"{images} images; below {metric.min_images} the number is biased: compare at equal counts only"
    try:
        value = metric.compare(_vectors(scored.parts, name), _vectors(scored.hq_parts, name))
    except RefbenchError as error:
        return SetScore(value=None, images=images, warning=str(error))
    return SetScore(value=value, images=images, warning=biased if images < metric.min_images else "")


def _vectors(paths: Sequence[Path], name: str) -> Iterator[npt.NDArray[np.float32]]:
    for path in paths:
        part = _read(path)
        if name in part.vectors:
            yield part.vectors[name]


def _read(path: Path) -> Part:
    part = Part.read(path)
    if part is None:
        raise RefbenchError(f"{path} vanished while scoring; leave the work folder alone and score again")
    return part


def _table(
    reference_set: ReferenceSet, scored: Scored, metrics: Sequence[Metric], *, names: Mapping[str, str]
) -> pd.DataFrame:
    rows = []
    for index, path in enumerate(scored.parts):
        part = _read(path)
        lq = _read(scored.lq_parts[index]) if scored.lq_parts else None
        columns = _columns(part, lq, metrics)
        for name, (values, reasons) in columns.items():
            for key, value, reason in zip(part.keys, values, reasons, strict=True):
                rows.append((key, reference_set[key].identity, names[name], value, reason))
    frame = pd.DataFrame(rows, columns=list(SCORE_COLUMNS)).astype({"value": "float64"})
    return frame.sort_values(["protocol", "key"], ignore_index=True)


def _columns(part: Part, lq: Part | None, metrics: Sequence[Metric]) -> Columns:
    columns: Columns = {}
    for metric in metrics:
        if isinstance(metric, GainMetric) and lq is not None:
            columns[metric.protocol.id] = _gains(metric, part, lq)
        elif not isinstance(metric, SetMetric):
            name = metric.protocol.id
            columns[name] = part.values[name], part.reasons[name]
    return columns


def _gains(metric: GainMetric, part: Part, lq: Part) -> tuple[npt.NDArray[np.float64], tuple[str, ...]]:
    name = metric.base.protocol.id
    pairs = zip(part.reasons[name], lq.reasons[name], strict=True)
    reasons = tuple(mine or (f"the LQ image: {of_lq}" if of_lq else "") for mine, of_lq in pairs)
    return metric.gain(part.values[name], lq.values[name]), reasons


def read_recipe(reference_set: ReferenceSet, recipe: str, keys: Collection[str]) -> tuple[str, str]:
    """Id of a recipe, and the content hash of its LQ images of the targets ``keys``.

    Raises:
        RefbenchError: the set has no LQ images of that recipe, or their ``lq.json`` is not readable.
    """
    info = lq_of(reference_set, recipe, keys)
    return info.recipe_id, info.lq_hash
