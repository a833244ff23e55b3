"""Where sets go to and come from: every format by name."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Literal, get_args

from ...degradations.lq.import_lq import import_lq as take_in
from ...degradations.lq.pairs import require_keys
from ...errors import RefbenchError
from ...records.lq_set import LqInfo
from ...records.reference_set import ReferenceSet
from .croissant import write_croissant
from .data_card import write_card
from .ffhq_ref import write_release
from .folders import write_folders
from .parquet import INFO, write_parquet
from .webdataset import write_shards

Format = Literal["parquet", "webdataset", "ffhq-ref", "folders"]
FORMATS: tuple[Format, ...] = get_args(Format)


def export_set(
    root: Path,
    out: Path,
    form: str = "parquet",
    *,
    recipes: Sequence[str] = (),
    with_references: bool = True,
    audit: Path | None = None,
) -> list[Path]:
    """Write a set in another form, and say which files were written.

    - ``parquet``: Parquet files with pictures inside for ``datasets``, a data card and Croissant.
    - ``webdataset``: tar shards for training from a stream.
    - ``ffhq-ref``: reference lists and split lists as in the release of FFHQ-Ref; images stay in the set.
    - ``folders``: every image in the folder of its person.

    Args:
        root: folder of the set.
        out: a new or empty folder.
        form: one of the above.
        recipes: names of recipes whose LQ images go along (``parquet`` and ``webdataset``).
        with_references: put the pictures of references into every row or sample.
        audit: ``audit.json`` for the data card; None takes the one in the set, if there is one.

    Raises:
        RefbenchError: not a set, an unknown form, a folder that is not empty, or images that are not there.
    """
    if form not in FORMATS:
        raise RefbenchError(f"no form of export is called {form!r}; there are: {', '.join(FORMATS)}")
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise RefbenchError(f"{out} is not an empty folder; name a new one")
    found = ReferenceSet.read(root)
    if form == "folders":
        return write_folders(found, out)
    if form == "ffhq-ref":
        return write_release(found, out)
    if form == "webdataset":
        return write_shards(found, out, recipes, with_references=with_references)
    files = write_parquet(found, out, recipes, with_references=with_references)
    default = root / "audit.json"
    card = write_card(found, out, recipes, audit=audit or (default if default.is_file() else None))
    return [*files, write_croissant(found, out, files), card]


def import_lq(
    root: Path,
    source: Path,
    name: str = "",
    *,
    split: str = "test",
    ignore_extra: bool = False,
    workers: int = 1,
) -> LqInfo:
    """Take LQ pictures that were made elsewhere into a set, as ``root/lq/NAME``.

    Args:
        root: folder of the set.
        source: folder of pictures named by key; it is only read.
        name: stands in for a recipe's name; the name of ``source`` where empty.
        split: whose targets they are; ``all`` for every target with references.
        ignore_extra: leave out pictures of keys that are no such targets, instead of refusing them.
        workers: threads.

    Raises:
        FaultListError: whatever keeps LQ and HQ from being pairs, all at once; see `official.import_lq`.
        RefbenchError: not a set, no such targets, or LQ pictures of that name are there already.
    """
    found = ReferenceSet.read(root)
    targets = found.select(split)
    if not targets:
        raise RefbenchError(f"{root} has no target with references in the split {split!r}")
    chosen = name or source.resolve().name
    require_keys([chosen])
    images = {target.key: found.hq_path(target.key) for target in targets}
    sizes = {target.key: (target.width, target.height) for target in targets}
    out = found.lq_folder(chosen)
    return take_in(images, source, out, name=chosen, ignore_extra=ignore_extra, sizes=sizes, workers=workers)


def is_parquet_export(path: Path) -> bool:
    """Whether a folder is one that `export_set` wrote as ``parquet``."""
    return (path / INFO).is_file()
