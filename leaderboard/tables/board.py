"""The board as data: one table per benchmark, with columns, rows, cells and comparisons."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

from ...records.card import Card
from ...records.ids import VersionedId
from ...records.protocol import Protocol, ProtocolId
from ...records.record import Benchmark, Record
from ..arrays import Floats
from ..store.flags import Flag
from ..store.names import label, safe_name
from ..store.settings import BoardSettings

CONTROL_NOTE = "a control: shown for comparison, never ranked"


@dataclass(frozen=True, slots=True)
class Column:
    """One protocol as a column; ``protocol`` is None for an id that is not declared here (never ranked)."""

    id: str
    protocol: Protocol | None

    @property
    def title(self) -> str:
        """Heading."""
        return self.protocol.title if self.protocol else self.id

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

    @property
    def label(self) -> str:
        """Its name for people."""
        return label(self.card)


@dataclass(frozen=True)
class Comparisons:
    """All pairs of ranked rows on one protocol; every array is (models, models).

    Attributes:
        difference: of the means, row minus column, in the protocol's unit.
        p: of the paired permutation test.
        corrected: p after Holm's correction over all pairs.
    """

    difference: Floats
    p: Floats
    corrected: Floats


@dataclass(frozen=True)
class Table:
    """One benchmark as a table.

    Attributes:
        benchmark: what was measured.
        columns: one per protocol.
        rows: from best to worst, unranked ones last.
        superseded: rows of superseded records.
        identities: number of people.
        keys: of the images.
        identity_of: the person of each image.
        composite: ids of the protocols of the composite.
        comparisons: by protocol id, over the rows named in ``compared``.
        compared: names of the ranked rows, from best to worst.
        values: by protocol id, (images, rows and superseded rows), NaN where not scored.
    """

    benchmark: Benchmark
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

    @property
    def slug(self) -> str:
        """Name in addresses."""
        return safe_name(self.benchmark.id)

    @property
    def recipe(self) -> str:
        """Name of the recipe, without its version."""
        return VersionedId.parse(self.benchmark.recipe).name

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
