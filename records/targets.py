"""Targets of a reference set as columns: `Target`, and the sequence `Targets` over Arrow arrays."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any, overload

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from ..files import StrPath, write_table

Point = tuple[float, float]
BATCH = 4096
RECENT = 16_384
QUALITY = "quality_"


@dataclass(frozen=True, slots=True)
class Target:
    """One image of a reference set, with the images of the same person that may guide its restoration.

    A target without HQ is a real photo of poor quality, for which no ground truth exists: its LQ image is the
    photo itself (``lq``), and ``hq`` is empty.

    Attributes:
        key: names the image everywhere; unique in the set whatever the case of its letters.
        identity: the person, as found (``p0000`` ...).
        split: ``train``, ``val``, ``test``, or ``real`` without HQ; an identity with HQ is in one split.
        hq: path of the aligned image below the set's folder, with forward slashes; empty without HQ.
        hq_sha256: hash of that file; empty without HQ.
        width, height: of the aligned image, in pixels.
        references: keys, in order of preference; empty for an image that stands alone.
        reference_distances: cosine distance to the target, 0 to 2, one per reference.
        landmarks: eyes, nose and mouth corners (left before right as seen) in the aligned image, in pixels;
            empty where they are unknown.
        quality: measurements of the face by name, for instance ``detector_score`` or ``sharpness``.
        source: path of the photo below the folder that was given, with forward slashes.
        licence: of the photo.
        phash: perceptual hash of the aligned image, see `phash.perceptual_hash`; empty if unknown.
        lq: path of the aligned photo below the set's folder; empty for a target with HQ, whose LQ images are
            made by recipes.
        lq_sha256: hash of that file; empty for a target with HQ.
    """

    key: str
    identity: str
    split: str
    hq: str
    hq_sha256: str
    width: int
    height: int
    references: tuple[str, ...]
    reference_distances: tuple[float, ...]
    landmarks: tuple[Point, ...]
    quality: dict[str, float] = field(default_factory=dict)
    source: str = ""
    licence: str = "unknown"
    phash: str = ""
    lq: str = ""
    lq_sha256: str = ""

    @property
    def has_hq(self) -> bool:
        """Whether there is a ground truth; False for a real photo."""
        return bool(self.hq)


TEXT = pa.large_string()
FEW = pa.dictionary(pa.int32(), pa.string())
COLUMNS: dict[str, pa.DataType] = {
    "key": TEXT,
    "identity": TEXT,
    "split": FEW,
    "hq": TEXT,
    "hq_sha256": TEXT,
    "width": pa.int32(),
    "height": pa.int32(),
    "references": pa.list_(TEXT),
    "reference_distances": pa.list_(pa.float64()),
    "landmarks": pa.list_(pa.float64()),
    "source": TEXT,
    "licence": FEW,
    "phash": TEXT,
    "lq": TEXT,
    "lq_sha256": TEXT,
}
DEFAULTS = {"source": "", "licence": "unknown", "phash": "", "lq": "", "lq_sha256": ""}
ABSENT = ("hq", "hq_sha256", "lq", "lq_sha256")
"""Columns in which the file has a null where a `Target` has an empty text."""


class Targets(Sequence[Target]):
    """An immutable sequence of targets that keeps columns and makes `Target` objects when they are asked for.

    A single item, a slice (a tuple) and iteration give `Target` objects; `column` and `where` work on whole
    columns. A million rows with four references each take about 0.7 GB. Two sequences are equal if their
    targets are.
    """

    def __init__(self, table: pa.Table) -> None:
        """Take a table with the columns of `COLUMNS` and ``quality_NAME`` (float64); see `of` and `read`."""
        self._table = table.combine_chunks()
        self._arrays = {name: _array(self._table[name]) for name in self._table.column_names}
        self._recent: dict[int, Target] = {}
        self._order: npt.NDArray[np.int64] | None = None

    @classmethod
    def of(cls, targets: Iterable[Target]) -> Targets:
        """The sequence of some targets, which may come from a generator: they are not kept as objects."""
        if isinstance(targets, cls):
            return targets
        rows = iter(targets)
        tables = [_empty()]
        while batch := list(islice(rows, BATCH)):
            tables.append(_table_of(batch))
        return cls(_sorted_quality(pa.concat_tables(tables, promote_options="default")))

    @classmethod
    def read(cls, path: StrPath) -> Targets:
        """Read a Parquet file that `write` or version 0.1 wrote.

        Raises:
            OSError: the file is absent or cannot be read.
            ValueError: not such a file; says which column is wrong.
        """
        path = Path(path)
        try:
            return cls(_checked(pq.ParquetFile(path).read()))
        except pa.ArrowException as error:
            raise ValueError(str(error).partition("\n")[0]) from None

    def write(self, path: StrPath) -> None:
        """Write the targets as a Parquet file, atomically; equal targets give the same bytes."""
        path = Path(path)
        columns = {name: self._table[name] for name in self._table.column_names}
        for name in ("split", "licence"):
            columns[name] = columns[name].cast(TEXT)
        for name in ABSENT:
            empty = pc.equal(columns[name], "")
            columns[name] = pc.if_else(empty, pa.scalar(None, TEXT), columns[name])
        plain = [(name, _on_disk(column.type)) for name, column in columns.items()]
        write_table(path, pa.table(columns).cast(pa.schema(plain)).combine_chunks())

    def __len__(self) -> int:
        """How many targets there are."""
        return int(self._table.num_rows)

    @overload
    def __getitem__(self, index: int) -> Target: ...

    @overload
    def __getitem__(self, index: slice) -> tuple[Target, ...]: ...

    def __getitem__(self, index: int | slice) -> Target | tuple[Target, ...]:
        """One target, or a tuple of those of a slice.

        Raises:
            IndexError: no such row.
        """
        if isinstance(index, slice):
            start, stop, step = index.indices(len(self))
            if step == 1:
                return tuple(_rows(self._table.slice(start, max(0, stop - start))))
            return tuple(self[row] for row in range(start, stop, step))
        row = index + len(self) if index < 0 else index
        if not 0 <= row < len(self):
            raise IndexError(f"row {index} of {len(self)} targets")
        found = self._recent.get(row)
        if found is None:
            if len(self._recent) >= RECENT:
                self._recent.clear()
            found = self._recent[row] = _row(self._arrays, row)
        return found

    def __iter__(self) -> Iterator[Target]:
        """All targets, made a few thousand at a time."""
        for start in range(0, len(self), BATCH):
            yield from _rows(self._table.slice(start, BATCH))

    def __eq__(self, other: object) -> bool:
        """Whether ``other`` is a sequence of the same targets in the same order."""
        if not isinstance(other, Sequence) or len(self) != len(other):
            return False
        if isinstance(other, Targets) and self._table.equals(other._table):
            return True
        return all(mine == theirs for mine, theirs in zip(self, other, strict=True))

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        """How many targets, and the first key."""
        return f"<{len(self)} targets{f' from {self[0].key}' if len(self) else ''}>"

    def column(self, name: str) -> npt.NDArray[Any]:
        """A column of one value per target, for instance ``key``, ``identity`` or ``width``, shape (n,).

        Raises:
            KeyError: no such column, or one of lists.
        """
        if name not in COLUMNS or pa.types.is_list(COLUMNS[name]):
            raise KeyError(name)
        return _values(self._arrays[name])

    def has_references(self) -> npt.NDArray[np.bool_]:
        """Whether each target has a reference, shape (n,)."""
        lengths = pc.list_value_length(self._table["references"])
        return np.asarray(lengths.to_numpy() > 0)

    def where(self, mask: npt.NDArray[np.bool_]) -> Targets:
        """The targets at which ``mask``, shape (n,), is true, in the same order."""
        return self if mask.all() else Targets(self._table.filter(pa.array(mask)))

    def with_first_references(self, count: int) -> Targets:
        """The same targets with at most the first ``count`` references of each."""
        table = self._table
        for name in ("references", "reference_distances"):
            column = self._arrays[name]
            taken = np.minimum(pc.list_value_length(column).to_numpy(), count)
            starts = column.offsets.to_numpy()[:-1]
            rows = np.repeat(starts - np.cumsum(taken) + taken, taken) + np.arange(taken.sum())
            offsets = pa.array(np.concatenate([[0], np.cumsum(taken)]), pa.int32())
            short = pa.ListArray.from_arrays(offsets, column.values.take(pa.array(rows)))
            table = table.set_column(table.schema.get_field_index(name), name, short)
        return Targets(table)

    def find(self, key: str) -> int | None:
        """The row of a key, or None; by bisection, so that nothing is kept per key."""
        keys = self._arrays["key"]
        if self._order is None:
            self._order = _order(keys)
        low, high = 0, len(self)
        while low < high:
            middle = (low + high) // 2
            if keys[int(self._order[middle])].as_py() < key:
                low = middle + 1
            else:
                high = middle
        if low == len(self) or keys[int(self._order[low])].as_py() != key:
            return None
        return int(self._order[low])

    def of_key(self, key: str) -> Target:
        """The target of a key.

        Raises:
            KeyError: no such key.
        """
        row = self.find(key)
        if row is None:
            raise KeyError(key)
        return self[row]

    def in_order_of_keys(self) -> Iterator[Target]:
        """All targets, sorted by key."""
        order = _order(self._arrays["key"])
        if len(order) and (order[:-1] < order[1:]).all():
            yield from self
            return
        for start in range(0, len(self), BATCH):
            yield from _rows(self._table.take(pa.array(order[start : start + BATCH])))


def _array(column: pa.ChunkedArray) -> pa.Array:
    return column.chunk(0) if column.num_chunks == 1 else column.combine_chunks()


def _order(keys: pa.Array) -> npt.NDArray[np.int64]:
    return np.asarray(pc.sort_indices(keys).to_numpy(), dtype=np.int64)


def _on_disk(kind: pa.DataType) -> pa.DataType:
    if pa.types.is_list(kind):
        return pa.list_(_on_disk(kind.value_type))
    return pa.string() if pa.types.is_large_string(kind) else kind


def _empty() -> pa.Table:
    return pa.table({name: pa.array([], kind) for name, kind in COLUMNS.items()})


def _table_of(targets: Sequence[Target]) -> pa.Table:
    columns: dict[str, pa.Array] = {}
    for name, kind in COLUMNS.items():
        values: list[Any] = [getattr(target, name) for target in targets]
        if name == "landmarks":
            values = [[coordinate for point in points for coordinate in point] for points in values]
        array = pa.array(values, TEXT if kind is FEW else kind)
        columns[name] = array.cast(FEW) if kind is FEW else array
    for name in sorted({name for target in targets for name in target.quality}):
        numbers = [target.quality.get(name) for target in targets]
        columns[QUALITY + name] = pa.array(numbers, pa.float64(), from_pandas=True)
    return pa.table(columns)


def _sorted_quality(table: pa.Table) -> pa.Table:
    return table.select([*COLUMNS, *sorted(set(table.column_names) - COLUMNS.keys())])


def _checked(table: pa.Table) -> pa.Table:
    """The table of a file as `Targets` keeps it.

    Raises:
        ValueError: a missing or unknown column, or landmarks that are no pairs.
    """
    names = table.column_names
    missing = [name for name in COLUMNS if name not in names and name not in DEFAULTS]
    unknown = [name for name in names if name not in COLUMNS and not name.startswith(QUALITY)]
    if missing or unknown:
        parts = (("it has no column", missing), ("it has unknown columns", unknown))
        raise ValueError("; ".join(f"{what} {', '.join(found)}" for what, found in parts if found))
    columns: dict[str, Any] = {}
    for name, kind in COLUMNS.items():
        if name not in names:
            column = pa.array([DEFAULTS[name]] * table.num_rows, TEXT)
        elif kind is FEW or kind is TEXT:
            column = table[name].cast(TEXT).fill_null(DEFAULTS.get(name, ""))
        else:
            column = table[name].cast(kind)
        columns[name] = column.cast(FEW) if kind is FEW else column
    if pc.any(pc.not_equal(pc.bit_wise_and(pc.list_value_length(columns["landmarks"]), 1), 0)).as_py():
        raise ValueError("its landmarks are no pairs of numbers")
    for name in sorted(set(names) - COLUMNS.keys()):
        numbers = table[name].cast(pa.float64())
        columns[name] = pc.if_else(pc.is_nan(numbers), None, numbers)
    return pa.table(columns)


def _values(array: Any) -> npt.NDArray[Any]:
    plain = array.cast(TEXT) if pa.types.is_dictionary(array.type) else array
    return np.asarray(plain.to_numpy(zero_copy_only=False))


def _lists(array: Any) -> list[list[Any]]:
    values = _values(array.flatten()).tolist()
    ends = np.cumsum(pc.list_value_length(array).fill_null(0).to_numpy()).tolist()
    return [values[start:end] for start, end in zip([0, *ends], ends, strict=False)]


def _row(arrays: Mapping[str, Any], row: int) -> Target:
    """One target; for single rows this is faster than `_rows` on a slice."""
    values = {name: array[row].as_py() for name, array in arrays.items()}
    flat = values["landmarks"]
    return Target(
        **{name: values[name] for name in COLUMNS if not pa.types.is_list(COLUMNS[name])},
        references=tuple(values["references"]),
        reference_distances=tuple(values["reference_distances"]),
        landmarks=tuple(zip(flat[0::2], flat[1::2], strict=True)),
        quality={
            name.removeprefix(QUALITY): value
            for name, value in values.items()
            if name.startswith(QUALITY) and value is not None
        },
    )


def _rows(table: pa.Table) -> Iterator[Target]:
    arrays = {name: _array(table[name]) for name in table.column_names}
    columns = {name: _column(name, arrays) for name in Target.__slots__}
    return (Target(*row) for row in zip(*columns.values(), strict=True))


def _column(name: str, arrays: Mapping[str, Any]) -> list[Any]:
    """The values of one field of `Target`, from the columns of a table."""
    if name == "quality":
        return _quality({n.removeprefix(QUALITY): arrays[n] for n in arrays if n.startswith(QUALITY)}, arrays)
    if name == "landmarks":
        return [tuple(zip(flat[0::2], flat[1::2], strict=True)) for flat in _lists(arrays[name])]
    if pa.types.is_list(COLUMNS[name]):
        return [tuple(values) for values in _lists(arrays[name])]
    return list(_values(arrays[name]).tolist())


def _quality(measured: Mapping[str, Any], arrays: Mapping[str, Any]) -> list[dict[str, float]]:
    if not measured:
        return [{} for _ in range(len(arrays["key"]))]
    rows = zip(*(column.to_pylist() for column in measured.values()), strict=True)
    return [
        {name: value for name, value in zip(measured, row, strict=True) if value is not None} for row in rows
    ]
