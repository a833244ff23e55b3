"""Hugging Face `datasets` of records: `DatasetDict` with `Image` and `List` features, streamed from disk.

Pictures are columns of paths: nothing is decoded or copied when a data set is made; a picture is read when
its row is, and `DatasetDict.push_to_hub` puts the files into the Parquet files that it uploads.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..extras import optional
from .targets import Target, Targets

if TYPE_CHECKING:
    from datasets import DatasetDict

BATCH = 4096
IMAGE = "image"
LISTS = "list of "
Row = Mapping[str, Any]


def dataset_dict(
    splits: Mapping[str, Iterable[Row]], columns: Mapping[str, str], description: str = ""
) -> DatasetDict:
    """A `DatasetDict` of rows by split; rows may come from generators and are kept as Arrow columns.

    Args:
        splits: rows by the split's name; a picture is the path of its file, or None.
        columns: kind of each column: a type of `datasets.Value` (``string``, ``int32``, ``float64``), or
            ``image``, or ``list of KIND``.
        description: text of the data set's info.

    Raises:
        MissingPackageError: ``datasets`` is not installed (extra ``hub``).
    """
    with optional("datasets", "to_dataset()"):
        import datasets
    import pyarrow as pa

    def feature(kind: str) -> Any:
        if kind.startswith(LISTS):
            return datasets.List(feature(kind.removeprefix(LISTS)))
        return datasets.Image() if kind == IMAGE else datasets.Value(kind)

    features = datasets.Features({name: feature(kind) for name, kind in columns.items()})
    schema = features.arrow_schema
    made = {}
    for split, rows in splits.items():
        stored = (_stored(row, columns) for row in rows)
        tables = [pa.Table.from_pylist(batch, schema) for batch in _batches(stored)]
        table = pa.concat_tables([schema.empty_table(), *tables])
        info = datasets.DatasetInfo(description=description, features=features)
        made[split] = datasets.Dataset(table, info=info, split=datasets.NamedSplit(split))
    return datasets.DatasetDict(made)


def set_dataset(
    root: Path,
    targets: Targets,
    splits: Sequence[str],
    *,
    recipes: Sequence[str] = (),
    with_references: bool = True,
) -> DatasetDict:
    """The data set of a reference set; its rows and columns are those of the Parquet export.

    Columns: ``key``, ``identity``, ``hq_sha256``, ``phash``, ``licence``; ``width`` and ``height`` in pixels;
    the picture ``hq``, and ``lq_RECIPE`` (None where there is none) per recipe; the pictures ``references``,
    their ``reference_keys`` and ``reference_distances`` (cosine, 0 to 2); ``landmarks`` (x and y in turn, in
    pixels); ``quality`` as JSON. A set with real photos also has the picture ``lq`` and ``lq_sha256``.

    Args:
        root: folder of the set.
        targets: of the set, all of them.
        splits: names of the splits, one `datasets.Dataset` each.
        recipes: names of recipes whose LQ images are included.
        with_references: include the pictures of the references in every row.
    """
    real = any(not target.has_hq for target in targets)
    text = ["key", "identity", "hq_sha256", "phash", "licence", *(["lq_sha256"] if real else [])]
    columns = dict.fromkeys(text, "string") | {"width": "int32", "height": "int32", "hq": IMAGE}
    columns |= {"lq": IMAGE} if real else {}
    columns |= {f"lq_{recipe}": IMAGE for recipe in recipes}
    columns |= {"references": LISTS + IMAGE} if with_references else {}
    columns |= {"reference_keys": f"{LISTS}string", "reference_distances": f"{LISTS}float64"}
    columns |= {"landmarks": f"{LISTS}float64", "quality": "string"}

    def row(target: Target) -> Row:
        made: dict[str, Any] = {name: getattr(target, name) for name in (*text, "width", "height")}
        made["hq"] = root / target.hq if target.has_hq else None
        made["lq"] = root / target.lq if target.lq else None
        for recipe in recipes:
            path = root / "lq" / recipe / f"{target.key}.png"
            made[f"lq_{recipe}"] = path if path.is_file() else None
        if with_references:
            made["references"] = [root / targets.of_key(key).hq for key in target.references]
        made["reference_keys"] = list(target.references)
        made["reference_distances"] = list(target.reference_distances)
        made["landmarks"] = [coordinate for point in target.landmarks for coordinate in point]
        made["quality"] = json.dumps(target.quality, sort_keys=True)
        return {name: made[name] for name in columns}

    of_split = {split: targets.where(targets.column("split") == split) for split in splits}
    return dataset_dict({split: map(row, chosen) for split, chosen in of_split.items()}, columns)


def _stored(row: Row, columns: Mapping[str, str]) -> dict[str, Any]:
    """A row as `datasets` stores it: a picture is its path without its bytes."""
    return {name: _picture(row[name]) if IMAGE in kind else row[name] for name, kind in columns.items()}


def _picture(path: Path | Sequence[Path] | None) -> Any:
    if isinstance(path, Sequence):
        return [_picture(one) for one in path]
    return None if path is None else {"bytes": None, "path": str(path.resolve())}


def _batches(rows: Iterator[dict[str, Any]]) -> Iterator[list[dict[str, Any]]]:
    while batch := list(islice(rows, BATCH)):
        yield batch
