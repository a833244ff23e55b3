"""From records to ranked tables: means, intervals, tests, groups, ranks and the composite."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from ...records.protocol import Protocol
from ...records.record import Record, SetScore
from ..arrays import Floats, Labels
from ..store.flags import Flag
from ..store.settings import BoardSettings
from ..store.store import StoredRecord
from ..tables.board import CONTROL_NOTE, Board, Cell, Column, Comparisons, Row, Table
from .matrices import find_keys, missing_scores, score_matrices
from .statistics import (
    compact_letters,
    holm_pairs,
    means_with_intervals,
    permutation_draws,
    permutation_test,
    rank_ranges,
    ranks,
    sum_by_identity,
)

SUPERSEDED = "superseded"
CONTROL = "control"


def make_board(
    stored: Sequence[StoredRecord],
    protocols: Mapping[str, Protocol],
    settings: BoardSettings,
    *,
    flags: Mapping[Path, tuple[Flag, ...]] | None = None,
    seed: int = 0,
) -> Board:
    """Group records by benchmark and rank each group; ``flags`` are by the records' folders."""
    grouped: dict[str, list[StoredRecord]] = defaultdict(list)
    for entry in stored:
        grouped[entry.record.info.benchmark.id].append(entry)
    tables = (
        make_table(grouped[name], protocols, settings, flags=flags or {}, seed=seed)
        for name in sorted(grouped)
    )
    return Board(settings, tuple(tables))


def make_table(
    stored: Sequence[StoredRecord],
    protocols: Mapping[str, Protocol],
    settings: BoardSettings,
    *,
    flags: Mapping[Path, tuple[Flag, ...]],
    seed: int = 0,
) -> Table:
    """Rank the records of one benchmark."""
    benchmark = stored[0].record.info.benchmark
    columns = tuple(Column(name, protocols.get(name)) for name in benchmark.protocols)
    keys, identity_of = find_keys([entry.record for entry in stored])
    values = score_matrices([entry.record for entry in stored], benchmark.protocols, keys)
    standing = [_standing(entry.record) for entry in stored]
    current = [i for i, word in enumerate(standing) if word != SUPERSEDED]
    past = [i for i in range(len(stored)) if i not in current]
    identities = np.array([identity_of[key] for key in keys])

    cells: list[list[Cell]] = [[] for _ in stored]
    comparisons: dict[str, Comparisons] = {}
    holes = missing_scores(stored, values, columns)
    whole = [i for i in current if not holes[i] and not standing[i]]
    for column in columns:
        if column.id in values:
            found, compared = _image_cells(
                column, values[column.id], identities, standing=standing, whole=whole, seed=seed
            )
            if compared is not None:
                comparisons[column.id] = compared
        else:
            scores = [entry.record.info.set_scores.get(column.id) for entry in stored]
            found = _set_cells(column, scores, standing, images=benchmark.images)
        for row, cell in zip(cells, found, strict=True):
            row.append(cell)

    composite = _composite_protocols(columns, settings, values)
    points = _borda(columns, cells, whole, composite=composite)
    places = ranks(np.array([points.get(i, np.nan) for i in range(len(stored))]), higher_is_better=True)
    rows = [
        Row(
            entry.name,
            entry.record.info.card,
            entry.record,
            tuple(cells[i]),
            (CONTROL_NOTE, *holes[i]) if standing[i] == CONTROL else holes[i],
            flags.get(entry.folder, ()),
            points.get(i),
            int(places[i]) if i in whole else 0,
        )
        for i, entry in enumerate(stored)
    ]
    order = sorted(
        current, key=lambda i: (not rows[i].rank, rows[i].rank, rows[i].label.casefold(), rows[i].name)
    )
    both = [*order, *past]
    sorted_whole = [i for i in order if i in whole]
    pick = [whole.index(i) for i in sorted_whole]
    return Table(
        benchmark=benchmark,
        columns=columns,
        rows=tuple(rows[i] for i in order),
        superseded=tuple(rows[i] for i in past),
        identities=len(set(identity_of.values())),
        keys=keys,
        identity_of=identity_of,
        composite=composite,
        comparisons={
            name: Comparisons(*(matrix[np.ix_(pick, pick)] for matrix in (c.difference, c.p, c.corrected)))
            for name, c in comparisons.items()
        },
        compared=tuple(rows[i].name for i in sorted_whole),
        values={name: matrix[:, both] for name, matrix in values.items()},
    )


def _image_cells(
    column: Column,
    matrix: Floats,
    identities: Labels,
    *,
    standing: Sequence[str],
    whole: Sequence[int],
    seed: int,
) -> tuple[list[Cell], Comparisons | None]:
    found = means_with_intervals(matrix, identities, seed)
    images = np.isfinite(matrix).sum(axis=0)
    bounds = column.protocol.bounds if column.protocol else (None, None)
    cells = [
        Cell(
            _number(found.mean[i]),
            _number(found.low[i], least=bounds[0]),
            _number(found.high[i], most=bounds[1]),
            int(images[i]),
            reason=_unranked(column, int(images[i]), standing[i], is_whole=i in whole),
        )
        for i in range(matrix.shape[1])
    ]
    if column.protocol is None or not whole:
        return cells, None
    means = found.mean[whole]
    comparisons = _compare_all(matrix[:, whole], means, identities, seed=seed)
    places = ranks(means, column.protocol.higher_is_better)
    order = sorted(range(len(whole)), key=lambda k: (places[k], k))
    groups = compact_letters(comparisons.corrected, order)
    ranges = rank_ranges(comparisons.corrected, means, column.protocol.higher_is_better)
    for k, i in enumerate(whole):
        cell = cells[i]
        cells[i] = Cell(
            cell.value, cell.low, cell.high, cell.images, int(places[k]), *ranges[k], groups[k], cell.reason
        )
    return cells, comparisons


def _compare_all(matrix: Floats, means: Floats, identities: Labels, *, seed: int) -> Comparisons:
    totals = sum_by_identity(matrix, identities).totals
    pairs = len(means) * (len(means) - 1) // 2
    p = permutation_test(totals, seed, permutation_draws(pairs))
    return Comparisons(means[:, None] - means[None, :], p, holm_pairs(p))


def _set_cells(
    column: Column, scores: Sequence[SetScore | None], standing: Sequence[str], *, images: int
) -> list[Cell]:
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
    places = ranks(values, column.protocol.higher_is_better) if column.protocol else values.astype(np.int64)
    place_of = dict(zip(ranked, places, strict=True))
    cells = []
    for i, score in enumerate(scores):
        if score is None:
            cells.append(Cell(None, reason="not scored"))
            continue
        place = int(place_of.get(i, 0))
        reason = score.warning or (
            "" if place else _unranked(column, score.images, standing[i], is_whole=score.images == images)
        )
        cells.append(Cell(score.value, None, None, score.images, place, place, place, "", reason))
    return cells


def _standing(record: Record) -> str:
    """Why an entry takes no part in any ranking, in a word; empty for one that does."""
    if record.info.superseded_by:
        return SUPERSEDED
    return CONTROL if record.info.card.control else ""


def _unranked(column: Column, images: int, standing: str, *, is_whole: bool) -> str:
    if not images:
        return "not scored"
    if column.protocol is None:
        return "this protocol is not declared here, so its direction is not known"
    if standing:
        return standing
    return "" if is_whole else "incomplete"


def _number(value: float, least: float | None = None, most: float | None = None) -> float | None:
    if not np.isfinite(value):
        return None
    value = float(value)
    if least is not None:
        value = max(value, least)
    return value if most is None else min(value, most)


def _composite_protocols(
    columns: Sequence[Column], settings: BoardSettings, values: Mapping[str, Floats]
) -> tuple[str, ...]:
    """The protocols of the composite: those that the settings name, else all of single images against HQ."""
    if settings.composite:
        return tuple(c.id for c in columns if c.id in settings.composite and c.protocol)
    return tuple(c.id for c in columns if c.id in values and c.protocol and c.protocol.compared_with == "hq")


def _borda(
    columns: Sequence[Column],
    cells: Sequence[Sequence[Cell]],
    whole: Sequence[int],
    *,
    composite: Sequence[str],
) -> dict[int, float]:
    """Points of 100 per record: the share of the other models it beats (a tie counts half), averaged over the
    composite's protocols (Borda, 1784)."""
    chosen = [k for k, column in enumerate(columns) if column.id in composite]
    if len(whole) < 2 or not chosen:
        return {}
    shares = dict.fromkeys(whole, 0.0)
    for k in chosen:
        places = {i: cells[i][k].rank for i in whole}
        if not all(places.values()):
            return {}
        for i in whole:
            worse = sum(places[j] > places[i] for j in whole)
            level = sum(places[j] == places[i] for j in whole) - 1
            shares[i] += (worse + level / 2) / (len(whole) - 1)
    return {i: 100.0 * share / len(chosen) for i, share in shares.items()}
