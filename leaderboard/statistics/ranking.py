"""Ranked tables from records: means, intervals, tests, groups, ranks and the composite score."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from ...records.protocol import Protocol
from ..estimands import MeanOver
from ..store.flags import Flag
from ..store.settings import BoardSettings
from ..store.store import StoredRecord
from ..store.stored import join_records
from ..tables.board import CONTROL_NOTE, Board, Cell, Comparisons, Row, Table, columns_of
from .cells import CONTROL, SUPERSEDED, image_cells, set_cells, standing_of
from .composite import borda_points, composite_protocols
from .design import Design
from .matrices import find_keys, missing_scores, score_matrices
from .rank_groups import competition_ranks


def make_board(
    stored: Sequence[StoredRecord],
    protocols: Mapping[str, Protocol],
    settings: BoardSettings,
    *,
    flags: Mapping[Path, tuple[Flag, ...]] | None = None,
    moved: Mapping[str, str] | None = None,
    over: MeanOver = "images",
) -> Board:
    """Group records by track, join those of one submission, and rank each group.

    Args:
        stored: records, as `Store.stored` gives them.
        protocols: declarations by id; a protocol that is not declared is shown and not ranked.
        settings: of the board.
        flags: of the submissions, by the folders of their records.
        moved: the track of each benchmark of version 0.1 that the store was migrated from (`Store.moved`).
        over: what means, intervals, tests and ranks are taken over: images, or people with equal weights.
    """
    grouped: dict[str, list[StoredRecord]] = defaultdict(list)
    for entry in join_records(stored):
        grouped[entry.track].append(entry)
    tables = (
        make_table(grouped[name], protocols, settings, flags=flags or {}, moved=moved or {}, over=over)
        for name in sorted(grouped)
    )
    return Board(settings, tuple(tables))


def make_table(
    stored: Sequence[StoredRecord],
    protocols: Mapping[str, Protocol],
    settings: BoardSettings,
    *,
    flags: Mapping[Path, tuple[Flag, ...]],
    moved: Mapping[str, str],
    over: MeanOver = "images",
) -> Table:
    """Rank the submissions of one track (`join_records`); other arguments as for `make_board`."""
    track = stored[0].record.info.benchmark.track
    has = [entry.record.info.benchmark.protocols for entry in stored]
    ids = list(dict.fromkeys(name for names in sorted(has, key=lambda n: (-len(n), n)) for name in names))
    columns = columns_of(ids, protocols)
    keys, identity_of = find_keys([entry.record for entry in stored])
    values = score_matrices([entry.record for entry in stored], ids, keys)
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
            ranked = [i for i in complete if column.id in has[i]]
            found, compared = image_cells(
                column, values[column.id], identities, standing=standing, complete=ranked, over=over
            )
            if compared is not None:
                comparisons[column.id] = _spread(compared, [complete.index(i) for i in ranked], len(complete))
        else:
            scores = [entry.record.info.set_scores.get(column.id) for entry in stored]
            found = set_cells(column, scores, standing, images=track.images)
        for row, cell in zip(cells, found, strict=True):
            row.append(cell)

    composite = composite_protocols(columns, settings, values, scored=[has[i] for i in complete])
    lacking = [tuple(c.title for c in columns if c.id in composite and c.id not in names) for names in has]
    whole = [i for i in complete if not lacking[i]]
    points = borda_points(columns, cells, whole, composite=composite)
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
            tuple(dict.fromkeys(flag for folder in entry.folders for flag in flags.get(folder, ()))),
            points.get(i),
            int(places[i]) if i in complete else 0,
            lacking[i] if i in complete and points else (),
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
        track=track,
        columns=columns,
        rows=tuple(rows[i] for i in order),
        superseded=tuple(rows[i] for i in superseded),
        identities=len(set(identity_of.values())),
        keys=keys,
        identity_of=identity_of,
        composite=composite,
        comparisons={
            name: Comparisons(
                *(m[np.ix_(pick, pick)] for m in (c.difference, c.p, c.corrected, c.low, c.high))
            )
            for name, c in comparisons.items()
        },
        compared=tuple(rows[i].name for i in sorted_complete),
        values={name: matrix[:, both] for name, matrix in values.items()},
        earlier=_earlier(stored, moved),
        over=over,
        note=Design.of(identities).note(over),
    )


def _spread(found: Comparisons, places: Sequence[int], count: int) -> Comparisons:
    """Comparisons of the rows at ``places`` as those of ``count`` rows, NaN for the others."""
    if len(places) == count:
        return found
    spread = []
    for matrix in (found.difference, found.p, found.corrected, found.low, found.high):
        wide = np.full((count, count), np.nan)
        wide[np.ix_(places, places)] = matrix
        spread.append(wide)
    return Comparisons(*spread)


def _earlier(stored: Sequence[StoredRecord], moved: Mapping[str, str]) -> tuple[str, ...]:
    """Ids of the benchmarks of version 0.1 that are parts of this track."""
    track = stored[0].track
    folders = {folder.parent.name for entry in stored for folder in entry.folders} - {track}
    return tuple(sorted(folders | {old for old, new in moved.items() if new == track}))
