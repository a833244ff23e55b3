"""Slices of a benchmark: scores by number of references, by degradation and by properties of the face."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

from ...records.lq_set import DRAWS as DRAWS_FILE
from ...records.reference_set import ReferenceSet, Target
from ...records.selection import lq_of_hash
from ...text_files import read_csv
from ..arrays import Floats
from ..tables.board import Column, Table
from ..tables.formatting import number
from .statistics import means_with_intervals

GROUPS_NAME = "groups.csv"
MAX_COUNT_SLICES = 6
MIN_VALUES = 12

QUALITIES = {
    "sharpness": ("sharpness of the HQ face", "Sharpness"),
    "turn": ("turn of the head", "Turn (0 frontal, 1 profile)"),
    "roll": ("roll of the head", "Roll (degrees)"),
    "face_size": ("size of the face in the photo", "Face (pixels of the photo)"),
    "luma": ("brightness of the face", "Brightness"),
    "contrast": ("contrast of the face", "Contrast"),
}
DRAWS = {
    "downscale.by": ("shrinking", "Shrunk by"),
    "blur.sigma_x": ("blur", "Sigma of the blur (pixels)"),
    "gaussian_noise.sigma": ("noise", "Sigma of the noise (of 255)"),
    "jpeg.quality": ("JPEG quality", "JPEG quality"),
}


@dataclass(frozen=True)
class Slicing:
    """One way to divide the images of a benchmark.

    Attributes:
        name: in addresses.
        title: in the sentence "by TITLE".
        heading: of the column of labels.
        labels: of the slices.
        members: (slices, images), in the order of the table's keys.
        places: of the slices on an axis; empty for slices without an order.
    """

    name: str
    title: str
    heading: str
    labels: tuple[str, ...]
    members: npt.NDArray[np.bool_]
    places: tuple[float, ...] = ()


@dataclass(frozen=True)
class SliceScores:
    """Means and 95 % bounds of every row of a table in every slice: (slices, rows), by protocol id."""

    slicing: Slicing
    images: tuple[int, ...]
    mean: Mapping[str, Floats]
    low: Mapping[str, Floats]
    high: Mapping[str, Floats]


def find_slicings(table: Table, reference_set: ReferenceSet) -> list[Slicing]:
    """Every way to divide the images of a table into at least two slices that the set has data for."""
    known = {target.key: target for target in reference_set.targets}
    targets = [known.get(key) for key in table.keys]
    if any(target is None for target in targets):
        return []
    known_targets = [target for target in targets if target is not None]
    found = [
        _by_count(
            "references",
            "number of references",
            "References",
            counts=[len(t.references) for t in known_targets],
        )
    ]
    found.append(_by_distance(known_targets))
    found += [_by_value(name, *QUALITIES[name], values=_quality(known_targets, name)) for name in QUALITIES]
    found += _by_draws(table, reference_set)
    found.append(_by_group(table, reference_set))
    return [slicing for slicing in found if slicing is not None]


def slice_table(table: Table, slicing: Slicing) -> SliceScores:
    """Means of every row in every slice, over what the table's means are taken over, with intervals."""
    identities = np.array([table.identity_of[key] for key in table.keys])
    slices, rows = len(slicing.labels), len(table.rows)
    ids = [column.id for column in table.columns if column.id in table.values]
    columns = [
        np.where(slicing.members[k][:, None], table.values[name][:, :rows], np.nan)
        for name in ids
        for k in range(slices)
    ]
    found = means_with_intervals(np.concatenate(columns, axis=1), identities, over=table.over)
    shape = (len(ids), slices, rows)
    mean, low, high = (part.reshape(shape) for part in (found.mean, found.low, found.high))
    bounds = {column.id: column.protocol.bounds for column in table.columns if column.protocol}
    for k, name in enumerate(ids):
        least, most = bounds.get(name, (None, None))
        low[k], high[k] = np.clip(low[k], least, None), np.clip(high[k], None, most)
    images = tuple(int(count) for count in slicing.members.sum(axis=1))
    by_id = [dict(zip(ids, part, strict=True)) for part in (mean, low, high)]
    return SliceScores(slicing, images, *by_id)


def sliced_columns(table: Table) -> list[Column]:
    """The columns of single images, which have scores in slices."""
    return [column for column in table.columns if column.id in table.values]


def _by_count(name: str, title: str, heading: str, *, counts: Sequence[int]) -> Slicing | None:
    """A slice for each count; from the sixth on, the high counts make one slice."""
    distinct = sorted(set(counts))
    if len(distinct) < 2:
        return None
    single, rest = distinct[: MAX_COUNT_SLICES - 1], distinct[MAX_COUNT_SLICES - 1 :]
    values = np.array(counts)
    members = [values == count for count in single]
    labels = [str(count) for count in single]
    places = [float(count) for count in single]
    if rest:
        members.append(values >= rest[0])
        labels.append(f"{rest[0]} or more" if len(rest) > 1 else str(rest[0]))
        places.append(float(rest[0]))
    return Slicing(name, title, heading, tuple(labels), np.array(members), tuple(places))


def _by_distance(targets: Sequence[Target]) -> Slicing | None:
    nearest = [min(t.reference_distances) if t.reference_distances else np.nan for t in targets]
    title = "distance to the nearest reference"
    return _by_value("distance", title, "Cosine distance", values=np.array(nearest, dtype=np.float64))


def _by_value(name: str, title: str, heading: str, *, values: Floats) -> Slicing | None:
    """Three slices of equal size by value; None where values are missing, too few or equal."""
    if not np.isfinite(values).all() or len(values) < MIN_VALUES or len(np.unique(values)) < MIN_VALUES:
        return None
    cuts = np.quantile(values, [1 / 3, 2 / 3])
    part = np.searchsorted(cuts, values, side="right")
    members = np.array([part == k for k in range(3)])
    if not members.any(axis=1).all():
        return None
    ends = [(values[m].min(), values[m].max()) for m in members]
    decimals = int(np.clip(2 - np.floor(np.log10(max(np.abs(values).max(), 1e-9))), 0, 4))
    labels = tuple(f"{number(a, decimals)} to {number(b, decimals)}" for a, b in ends)
    places = tuple(float(np.median(values[m])) for m in members)
    return Slicing(name, title, heading, labels, members, places)


def _quality(targets: Sequence[Target], name: str) -> Floats:
    return np.array([target.quality.get(name, np.nan) for target in targets], dtype=np.float64)


def _by_draws(table: Table, reference_set: ReferenceSet) -> Iterator[Slicing | None]:
    lq = lq_of_hash(reference_set, table.recipe, table.keys, lq_hash=table.track.lq_hash)
    path = reference_set.lq_folder(lq) / DRAWS_FILE
    if not path.is_file():
        return
    draws = pd.read_parquet(path).set_index("key").reindex(list(table.keys))
    for column, (title, heading) in DRAWS.items():
        if column in draws:
            values = pd.to_numeric(draws[column], errors="coerce").to_numpy(dtype=np.float64, na_value=np.nan)
            yield _by_value(column.replace(".", "-"), title, heading, values=values)


def _by_group(table: Table, reference_set: ReferenceSet) -> Slicing | None:
    """Slices by the groups of identities in ``groups.csv``."""
    groups = read_groups(reference_set.root)
    labels = sorted({groups[i] for i in table.identity_of.values() if i in groups})
    if len(labels) < 2:
        return None
    members = [[groups.get(table.identity_of[key]) == label for key in table.keys] for label in labels]
    return Slicing("group", "group of people", "Group", tuple(labels), np.array(members))


def read_groups(root: Path) -> dict[str, str]:
    """The group of each identity from ``groups.csv`` (columns identity, group) beside ``set.json``.

    Empty where there is no such file.

    Raises:
        RefbenchError: the file cannot be read, or has no columns ``identity`` and ``group``.
    """
    path = root / GROUPS_NAME
    if not path.is_file():
        return {}
    rows = read_csv(path, ("identity", "group")).rows
    return {row.cells["identity"]: row.cells["group"] for row in rows if row.cells["group"]}
