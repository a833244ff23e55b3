"""The board as data: one table per track, with columns, rows, cells and comparisons."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from ...errors import RefbenchError
from ...records.card import Card
from ...records.ids import VersionedId
from ...records.protocol import Protocol, ProtocolId
from ...records.record import Record, Track
from ..arrays import Floats
from ..estimands import MeanOver
from ..store.flags import Flag
from ..store.names import label, safe_name
from ..store.settings import BoardSettings
from ..store.stored import PART

CONTROL_NOTE = "a control: shown for comparison, never ranked"


@dataclass(frozen=True, slots=True)
class Column:
    """One protocol as a column.

    Attributes:
        id: of the protocol.
        protocol: its declaration; None for an id that is not declared here, which is never ranked.
        newer: id of a later version of the same protocol that the table has too; empty for none.
    """

    id: str
    protocol: Protocol | None
    newer: str = ""

    @property
    def title(self) -> str:
        """Heading; it says so where the table has a later version of the protocol."""
        title = self.protocol.title if self.protocol else self.id
        return f"{title}, older version" if self.newer else title

    @property
    def family(self) -> str:
        """The family of what is measured, such as ``lpips``; empty for a gain and an id not declared here."""
        if self.protocol is None:
            return ""
        parsed = ProtocolId.parse(self.protocol.id)
        return "" if parsed.is_gain else parsed.family

    @property
    def decimals(self) -> int:
        """Decimals shown."""
        return self.protocol.decimals if self.protocol else 4

    @property
    def arrow(self) -> str:
        """The better direction, as an arrow."""
        if self.protocol is None:
            return ""
        return "↑" if self.protocol.higher_is_better else "↓"


def columns_of(ids: Sequence[str], protocols: Mapping[str, Protocol]) -> tuple[Column, ...]:
    """The columns of a table, each older version of a protocol behind the latest one.

    Args:
        ids: of the protocols, in order; each once.
        protocols: declarations by id.
    """
    versions = {name: _version(name) for name in ids}
    groups: dict[str, list[str]] = {}
    for name, (base, _) in versions.items():
        groups.setdefault(base, []).append(name)
    columns = []
    for names in groups.values():
        latest, *older = sorted(names, key=lambda name: versions[name][1], reverse=True)
        columns.append(Column(latest, protocols.get(latest)))
        columns += [Column(name, protocols.get(name), newer=latest) for name in older]
    return tuple(columns)


def _version(name: str) -> tuple[str, tuple[int, ...]]:
    """An id without its version, and the version, (1,) where it names none.

    What stands behind ``@`` and is no version (the statistics that a set is compared with) stays in the id.
    """
    try:
        parsed = ProtocolId.parse(name)
    except RefbenchError:
        return name, (1,)
    parts = parsed.qualifier.split(".")
    if parsed.qualifier and not all(part.isdecimal() for part in parts):
        return name, (1,)
    version = tuple(int(part) for part in parts) if parsed.qualifier else (1,)
    return str(parsed.unqualified), version


@dataclass(frozen=True, slots=True)
class Cell:
    """One number of a table.

    Attributes:
        value: in the protocol's unit; None where not scored.
        low, high: bounds of the 95 % interval; None where there is none.
        images: that the value is of.
        rank: 1 is best; 0 for a number that is not ranked.
        best, worst: the range of ranks that the significant differences allow.
        group: letters; models that share one do not differ significantly.
        reason: why the number is not ranked, or a warning.
    """

    value: float | None
    low: float | None = None
    high: float | None = None
    images: int = 0
    rank: int = 0
    best: int = 0
    worst: int = 0
    group: str = ""
    reason: str = ""


@dataclass(frozen=True)
class Row:
    """One submission in one table.

    Attributes:
        name: ``MODEL@VERSION``, in addresses.
        card: of the submission.
        record: its scores.
        cells: one per column.
        unranked: why it has no rank: missing scores, or a control; empty for a row that is ranked.
        lacking: titles of the composite's metrics that it was not scored on, so that it has no points.
        flags: of the submission.
        points: of the composite, 0 to 100; None where there are none.
        rank: by the composite; 0 where there is none.
    """

    name: str
    card: Card
    record: Record
    cells: tuple[Cell, ...]
    unranked: tuple[str, ...] = ()
    flags: tuple[Flag, ...] = ()
    points: float | None = None
    rank: int = 0
    lacking: tuple[str, ...] = ()

    @property
    def label(self) -> str:
        """Its name for people; it says so where two submissions of the track have one name."""
        _, _, images = self.name.partition(PART)
        return f"{label(self.card)}, images {images}" if images else label(self.card)


@dataclass(frozen=True)
class Comparisons:
    """All pairs of ranked rows on one protocol; every array is (models, models).

    Attributes:
        difference: of the means, row minus column, in the protocol's unit.
        p: of the paired t test, cluster-robust over people; below 0.05 exactly where ``low`` to ``high``
            leaves out 0.
        corrected: p after Holm's correction over all pairs.
        low, high: bounds of the 95 % interval of the difference, of each pair alone.
    """

    difference: Floats
    p: Floats
    corrected: Floats
    low: Floats
    high: Floats


@dataclass(frozen=True)
class Table:
    """One track as a table.

    Attributes:
        track: set, split, LQ images and evaluation mode.
        columns: one per protocol that a record has.
        rows: from best to worst, unranked ones last.
        superseded: rows of superseded records.
        identities: number of people.
        keys: of the images.
        identity_of: the person of each image.
        composite: ids of the protocols of the composite.
        comparisons: by protocol id, over the rows named in ``compared``; NaN for rows without that protocol.
        compared: names of the ranked rows, from best to worst.
        values: by protocol id, (images, rows and superseded rows), NaN where not scored.
        earlier: ids of the benchmarks of version 0.1 that are parts of this track.
        over: what every mean, interval, test and rank is taken over.
        note: what the intervals cannot promise, because there are few people or few hold most images.
    """

    track: Track
    columns: tuple[Column, ...]
    rows: tuple[Row, ...]
    superseded: tuple[Row, ...]
    identities: int
    keys: tuple[str, ...]
    identity_of: Mapping[str, str]
    composite: tuple[str, ...]
    comparisons: Mapping[str, Comparisons]
    compared: tuple[str, ...]
    values: Mapping[str, Floats] = field(repr=False)
    earlier: tuple[str, ...] = ()
    over: MeanOver = "images"
    note: str = ""

    @property
    def slug(self) -> str:
        """Name in addresses."""
        return safe_name(self.track.id)

    @property
    def recipe(self) -> str:
        """Name of the recipe, without its version."""
        return VersionedId.parse(self.track.recipe).name

    @cached_property
    def scored_rows(self) -> tuple[int, ...]:
        """Number of rows that have a number in each column."""
        return tuple(
            sum(row.cells[place].value is not None for row in self.rows) for place in range(len(self.columns))
        )

    def is_best(self, place: int, cell: Cell) -> bool:
        """Whether a cell is the best of its column, where more than one of several rows has a number."""
        return cell.rank == 1 and (self.scored_rows[place] > 1 or len(self.rows) == 1)

    @cached_property
    def row_numbers(self) -> dict[str, int]:
        """Column of each row in ``values``, by name; superseded rows come last."""
        return {row.name: number for number, row in enumerate([*self.rows, *self.superseded])}


@dataclass(frozen=True)
class Board:
    """All tables of a store, in order of their ids, and the settings of the board."""

    settings: BoardSettings
    tables: tuple[Table, ...]

    @property
    def cards(self) -> dict[str, Card]:
        """Every submission's card by its name in addresses."""
        return {row.name: row.card for table in self.tables for row in (*table.rows, *table.superseded)}
