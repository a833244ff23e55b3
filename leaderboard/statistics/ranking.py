"""Ranked tables from records: means, intervals, tests, groups, ranks and the composite score."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from ...records.protocol import Protocol
from ..store.flags import Flag
from ..store.settings import BoardSettings
from ..store.store import StoredRecord
from ..tables.board import CONTROL_NOTE, Board, Cell, Column, Comparisons, Row, Table
from .cells import CONTROL, SUPERSEDED, image_cells, set_cells, standing_of
from .composite import borda_points, composite_protocols
from .matrices import find_keys, missing_scores, score_matrices
from .rank_groups import competition_ranks


def make_board(
    stored: Sequence[StoredRecord],
    protocols: Mapping[str, Protocol],
    settings: BoardSettings,
    *,
    flags: Mapping[Path, tuple[Flag, ...]] | None = None,
    seed: int = 0,
) -> Board:
    """Group records by benchmark and rank each group.

    Args:
        stored: records, as `Store.stored` gives them.
        protocols: declarations by id; a protocol that is not declared is shown and not ranked.
        settings: of the board.
        flags: of the submissions, by the folders of their records.
        seed: of the intervals and tests.
    """
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
    """Rank the records of one benchmark; arguments as for `make_board`."""
    benchmark = stored[0].record.info.benchmark
    columns = tuple(Column(name, protocols.get(name)) for name in benchmark.protocols)
    keys, identity_of = find_keys([entry.record for entry in stored])
    values = score_matrices([entry.record for entry in stored], benchmark.protocols, keys)
    standing = [standing_of(entry.record) for entry in stored]
    current = [i for i, word in enumerate(standing) if word != SUPERSEDED]
    superseded = [i for i in range(len(stored)) if i not in current]
    identities = np.array([identity_of[key] for key in keys])

    cells: list[list[Cell]] = [[] for _ in stored]
    comparisons: dict[str, Comparisons] = {}
    missing = missing_scores(stored, values, columns)
    complete = [i for i in current if not missing[i] and not standing[i]]
    for column in columns:
        if column.id in values:
            found, compared = image_cells(
                column, values[column.id], identities, standing=standing, complete=complete, seed=seed
            )
            if compared is not None:
                comparisons[column.id] = compared
        else:
            scores = [entry.record.info.set_scores.get(column.id) for entry in stored]
            found = set_cells(column, scores, standing, images=benchmark.images)
        for row, cell in zip(cells, found, strict=True):
            row.append(cell)

    composite = composite_protocols(columns, settings, values)
    points = borda_points(columns, cells, complete, composite=composite)
    places = competition_ranks(
        np.array([points.get(i, np.nan) for i in range(len(stored))]), higher_is_better=True
    )
    rows = [
        Row(
            entry.name,
            entry.record.info.card,
            entry.record,
            tuple(cells[i]),
            (CONTROL_NOTE, *missing[i]) if standing[i] == CONTROL else missing[i],
            flags.get(entry.folder, ()),
            points.get(i),
            int(places[i]) if i in complete else 0,
        )
        for i, entry in enumerate(stored)
    ]
    order = sorted(
        current, key=lambda i: (not rows[i].rank, rows[i].rank, rows[i].label.casefold(), rows[i].name)
    )
    both = [*order, *superseded]
    sorted_complete = [i for i in order if i in complete]
    pick = [complete.index(i) for i in sorted_complete]
    return Table(
        benchmark=benchmark,
        columns=columns,
        rows=tuple(rows[i] for i in order),
        superseded=tuple(rows[i] for i in superseded),
        identities=len(set(identity_of.values())),
        keys=keys,
        identity_of=identity_of,
        composite=composite,
        comparisons={
            name: Comparisons(*(matrix[np.ix_(pick, pick)] for matrix in (c.difference, c.p, c.corrected)))
            for name, c in comparisons.items()
        },
        compared=tuple(rows[i].name for i in sorted_complete),
        values={name: matrix[:, both] for name, matrix in values.items()},
    )
