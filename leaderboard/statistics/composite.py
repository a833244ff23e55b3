"""The composite score of a table: Borda points over several protocols."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from ..arrays import Floats
from ..store.settings import BoardSettings
from ..tables.board import Cell, Column


def composite_protocols(
    columns: Sequence[Column],
    settings: BoardSettings,
    values: Mapping[str, Floats],
    *,
    scored: Sequence[Collection[str]],
) -> tuple[str, ...]:
    """The protocols of the composite.

    Those in the settings; else all that compare single images with HQ, that more than half of the ranked
    records have, and that are no older version of another column.

    Args:
        columns: of the table.
        settings: of the board.
        values: by protocol id, of single images.
        scored: ids of the protocols of each record that can be ranked.
    """
    if settings.composite:
        return tuple(c.id for c in columns if c.id in settings.composite and c.protocol)
    usual = [c for c in columns if not c.newer and 2 * sum(c.id in ids for ids in scored) > len(scored)]
    return tuple(
        c.id
        for c in (usual if scored else columns)
        if c.id in values and c.protocol and c.protocol.compared_with == "hq"
    )


def borda_points(
    columns: Sequence[Column],
    cells: Sequence[Sequence[Cell]],
    complete: Sequence[int],
    *,
    composite: Sequence[str],
) -> dict[int, float]:
    """Borda points (Borda, 1784) of each ranked record, 0 to 100.

    The share of the other models that a model beats, a tie counting half, averaged over the protocols of the
    composite.

    Args:
        columns: of the table.
        cells: by record and column.
        complete: numbers of the records to rank.
        composite: ids of the protocols.

    Returns:
        Points by number of the record; empty with fewer than two records, or where one has no rank.
    """
    chosen = [k for k, column in enumerate(columns) if column.id in composite]
    if len(complete) < 2 or not chosen:
        return {}
    shares = dict.fromkeys(complete, 0.0)
    for k in chosen:
        places = {i: cells[i][k].rank for i in complete}
        if not all(places.values()):
            return {}
        for i in complete:
            worse = sum(places[j] > places[i] for j in complete)
            level = sum(places[j] == places[i] for j in complete) - 1
            shares[i] += (worse + level / 2) / (len(complete) - 1)
    return {i: 100.0 * share / len(chosen) for i, share in shares.items()}
