"""What the board shows, as plain data: one table per benchmark, never two benchmarks in one table."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

from ...records.card import Card
from ...records.protocol import Protocol
from ...records.record import Benchmark, Record
from ..arrays import Floats
from ..store.flags import Flag
from ..store.names import label, safe_name
from ..store.settings import BoardSettings

CONTROL_NOTE = "a control: shown for scale, never ranked"


@dataclass(frozen=True, slots=True)
class Column:
    """One protocol as a column; ``protocol`` is None for an id that no code here declares (never ranked)."""

    id: str
    protocol: Protocol | None

    @property
    def title(self) -> str:
        """Heading."""
        return self.protocol.title if self.protocol else self.id

    @property
    def decimals(self) -> int:
        """Places shown."""
        return self.protocol.decimals if self.protocol else 4

    @property
    def arrow(self) -> str:
        """The better direction, as an arrow."""
        if self.protocol is None:
            return ""
        return "↑" if self.protocol.higher_is_better else "↓"

    @property
    def is_set(self) -> bool:
        """True for a number of the whole set."""
        return self.protocol is not None and self.protocol.is_set_metric


@dataclass(frozen=True, slots=True)
class Cell:
    """One number: its value and interval (None where there is none), its place, and why it has no place.

    ``rank`` is 0 for a number that is not ranked; ``best`` and ``worst`` bound the ranks it may hold;
    models that share a letter in ``group`` cannot be told apart. ``reason`` says why it is not ranked, or
    what to beware of.
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
    """One submission in one table. ``holes`` says why it has no rank: what is missing, or a control."""

    name: str
    card: Card
    record: Record
    cells: tuple[Cell, ...]
    holes: tuple[str, ...] = ()
    flags: tuple[Flag, ...] = ()
    points: float | None = None
    rank: int = 0

    @property
    def label(self) -> str:
        """How people name it."""
        return label(self.card)


@dataclass(frozen=True)
class Comparisons:
    """All pairs of ranked rows on one protocol, each (models, models): row minus column.

    Differences of means, p values as found, and p values after Holm's correction over all pairs.
    """

    difference: Floats
    p: Floats
    corrected: Floats


@dataclass(frozen=True)
class Table:
    """One benchmark: columns, rows from best to worst (unranked last), and what was compared with what."""

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
        return self.benchmark.recipe.partition("@")[0]

    @cached_property
    def row_numbers(self) -> dict[str, int]:
        """Place of each row in ``values``' columns, by name; superseded rows come last."""
        return {row.name: number for number, row in enumerate([*self.rows, *self.superseded])}


@dataclass(frozen=True)
class Board:
    """All tables, in order of their names, and how the board wants to be called."""

    settings: BoardSettings
    tables: tuple[Table, ...]

    @property
    def cards(self) -> dict[str, Card]:
        """Every submission's card by its name in addresses."""
        return {row.name: row.card for table in self.tables for row in (*table.rows, *table.superseded)}
