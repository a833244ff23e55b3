"""Cells of a ranked table: mean, interval, rank and group of each record on each protocol."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ...records.record import Record, SetScore
from ..arrays import Floats, Labels
from ..estimands import MeanOver
from ..tables.board import Cell, Column, Comparisons
from .permutation import holm_pairs
from .rank_groups import compact_letters, competition_ranks, rank_ranges
from .statistics import means_with_intervals, pair_differences

SUPERSEDED = "superseded"
CONTROL = "control"


def image_cells(
    column: Column,
    matrix: Floats,
    identities: Labels,
    *,
    standing: Sequence[str],
    complete: Sequence[int],
    over: MeanOver = "images",
) -> tuple[list[Cell], Comparisons | None]:
    """Cells of a protocol of single images, and the comparisons of the records that are ranked.

    Args:
        column: the protocol.
        matrix: (images, records), NaN where not scored.
        identities: (images,), the person of each image.
        standing: of each record, see `standing_of`.
        complete: numbers of the records to rank.
        over: what the means are taken over.
    """
    found = means_with_intervals(matrix, identities, over=over)
    images = np.isfinite(matrix).sum(axis=0)
    bounds = column.protocol.bounds if column.protocol else (None, None)
    cells = [
        Cell(
            _number(found.mean[i]),
            _number(found.low[i], least=bounds[0]),
            _number(found.high[i], most=bounds[1]),
            int(images[i]),
            reason=_unranked(column, int(images[i]), standing[i], is_complete=i in complete)
            or found.notes[i],
        )
        for i in range(matrix.shape[1])
    ]
    if column.protocol is None or not complete:
        return cells, None
    means = found.mean[complete]
    pairs = pair_differences(matrix[:, complete], identities, over=over)
    comparisons = Comparisons(pairs.difference, pairs.p, holm_pairs(pairs.p), pairs.low, pairs.high)
    places = competition_ranks(means, column.protocol.higher_is_better)
    order = sorted(range(len(complete)), key=lambda k: (places[k], k))
    groups = compact_letters(comparisons.corrected, order)
    ranges = rank_ranges(comparisons.corrected, means, column.protocol.higher_is_better)
    for k, i in enumerate(complete):
        cell = cells[i]
        cells[i] = Cell(
            cell.value, cell.low, cell.high, cell.images, int(places[k]), *ranges[k], groups[k], cell.reason
        )
    return cells, comparisons


def set_cells(
    column: Column, scores: Sequence[SetScore | None], standing: Sequence[str], *, images: int
) -> list[Cell]:
    """Cells of a protocol of the whole set; only scores over all ``images`` of the benchmark are ranked."""
    ranked = [
        i
        for i, s in enumerate(scores)
        if column.protocol
        and not standing[i]
        and s is not None
        and s.value is not None
        and s.images == images
    ]
    values = np.array([scores[i].value for i in ranked], dtype=np.float64)  # type: ignore[union-attr]
    places = (
        competition_ranks(values, column.protocol.higher_is_better)
        if column.protocol
        else values.astype(np.int64)
    )
    place_of = dict(zip(ranked, places, strict=True))
    cells = []
    for i, score in enumerate(scores):
        if score is None:
            cells.append(Cell(None, reason="not scored"))
            continue
        place = int(place_of.get(i, 0))
        reason = score.warning or (
            "" if place else _unranked(column, score.images, standing[i], is_complete=score.images == images)
        )
        cells.append(Cell(score.value, None, None, score.images, place, place, place, "", reason))
    return cells


def standing_of(record: Record) -> str:
    """Why a record is not ranked at all: superseded or control; empty for one that is ranked."""
    if record.info.superseded_by:
        return SUPERSEDED
    return CONTROL if record.info.card.control else ""


def _unranked(column: Column, images: int, standing: str, *, is_complete: bool) -> str:
    if not images:
        return "not scored"
    if column.protocol is None:
        return "this protocol is not declared here, so its direction is unknown"
    if standing:
        return standing
    return "" if is_complete else "incomplete"


def _number(value: float, least: float | None = None, most: float | None = None) -> float | None:
    if not np.isfinite(value):
        return None
    value = float(value)
    if least is not None:
        value = max(value, least)
    return value if most is None else min(value, most)
