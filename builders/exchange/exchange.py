"""Export of a reference set in any format by name, and import of LQ images made elsewhere."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from pathlib import Path, PurePosixPath
from typing import Literal, get_args

from ...degradations.lq.import_lq import import_lq as import_lq_folder
from ...degradations.lq.pairs import require_keys
from ...errors import RefbenchError
from ...files import StrPath, canonical_json, names_of
from ...folder_lock import begin, finish, locks
from ...names import is_portable, normal
from ...progress import say
from ...records.lq_set import LqInfo
from ...records.reference_set import ReferenceSet, Target
from ..review.audit import Audit
from ..review.derived_files import fitting_audit
from .croissant import write_croissant
from .data_card import write_data_card
from .ffhq_ref import write_release
from .folders import write_folders
from .parquet import INFO, write_parquet
from .webdataset import write_webdataset

Format = Literal["parquet", "webdataset", "ffhq-ref", "folders"]
FORMATS: tuple[Format, ...] = get_args(Format)


@locks("out")
def export_set(
    root: StrPath,
    out: StrPath,
    form: str = "parquet",
    *,
    recipes: Sequence[str] | str = (),
    with_references: bool = True,
    audit: StrPath | None = None,
    published: date | None = None,
) -> list[Path]:
    """Export a set in another format and return the written files.

    - ``parquet``: Parquet files with the pictures inside, for ``datasets``, with a data card and Croissant.
    - ``webdataset``: tar shards for training from a stream.
    - ``ffhq-ref``: reference lists and split lists as in the release of FFHQ-Ref, without HQ images; LQ
      images in ``SPLIT_images/RECIPE``.
    - ``folders``: every image in a folder of its person; LQ images in ``lq/RECIPE``.

    Args:
        root: folder of the set; it is only read.
        out: a new or empty folder.
        form: one of the above.
        recipes: names of recipes whose LQ images are included, or one name.
        with_references: include the pictures of the references in every row or sample.
        audit: ``audit.json`` for the data card; None takes the one in the set, if there is one. One of other
            content, or of a comparison with other sets, is left out, and a line says so.
        published: day of publication for Croissant; None for today, see `write_croissant`.

    Raises:
        RefbenchError: not a set, an unknown format, a folder that is not empty, or missing images.
    """
    root, out, named = Path(root), Path(out), names_of(recipes)
    if form not in FORMATS:
        raise RefbenchError(f"no export format {form!r}; there are: {', '.join(FORMATS)}")
    found = ReferenceSet.read(root)
    named = [found.lq_folder(recipe).name for recipe in named]
    if not begin(out, canonical_json(["export", found.info.content_hash, form, named, with_references])):
        raise RefbenchError(f"{out} is not an empty folder; name a new one")
    if form == "folders":
        written = write_folders(found, out, named)
    elif form == "ffhq-ref":
        written = write_release(found, out, named)
    elif form == "webdataset":
        written = write_webdataset(found, out, named, with_references=with_references)
    else:
        leaks = _audit_for_card(found, None if audit is None else Path(audit))
        files = write_parquet(found, out, named, with_references=with_references)
        card = write_data_card(found, out, named, audit=leaks)
        written = [*files, write_croissant(found, out, files, published=published), card]
    finish(out)
    return written


def _audit_for_card(found: ReferenceSet, path: Path | None) -> Audit | None:
    audit = fitting_audit(found, path)
    if isinstance(audit, Audit):
        return audit
    say(f"the data card tells of no audit: {audit}")
    return None


def import_lq(
    root: StrPath,
    source: StrPath,
    name: str = "",
    *,
    split: str = "test",
    ignore_extra: bool = False,
    workers: int = 1,
) -> LqInfo:
    """Import LQ images that were made elsewhere into a set, as ``root/lq/NAME``.

    Args:
        root: folder of the set.
        source: folder of pictures named by key, or as the photos of the set are; it is only read.
        name: used in place of a recipe's name; empty for the name of ``source``.
        split: split of the targets; ``all`` for every target with references.
        ignore_extra: ignore pictures of other keys instead of refusing them.
        workers: threads.

    Returns:
        What ``lq.json`` says of the imported images.

    Raises:
        FaultListError: missing or extra pictures, or pictures of another size than their HQ image; all at
            once, see `degradations.lq.import_lq`.
        RefbenchError: not a set, no such targets, or there are LQ images of that name already.
    """
    root, source = Path(root), Path(source)
    found = ReferenceSet.read(root)
    targets = found.select(split)
    if not targets:
        raise RefbenchError(f"{root} has no target with references in the split {split!r}")
    chosen = name or source.resolve().name
    require_keys([chosen])
    if not is_portable(chosen):
        raise RefbenchError(f"no folder may be called {chosen!r} on every system; give another name")
    images = {target.key: found.hq_path(target.key) for target in targets}
    sizes = {target.key: (target.width, target.height) for target in targets}
    out = found.lq_folder(chosen)
    return import_lq_folder(
        images,
        source,
        out,
        name=chosen,
        ignore_extra=ignore_extra,
        sizes=sizes,
        names=_names_of_photos(targets),
        workers=workers,
    )


def _names_of_photos(targets: Sequence[Target]) -> dict[str, str]:
    """Keys by the name of the photo, without suffix, where one photo alone has that name."""
    keys: dict[str, list[str]] = {}
    for target in targets:
        keys.setdefault(normal(PurePosixPath(target.source).stem), []).append(target.key)
    return {name: named[0] for name, named in keys.items() if len(named) == 1}


def is_parquet_export(path: StrPath) -> bool:
    """Whether a folder was written by `export_set` in the format ``parquet``."""
    return (Path(path) / INFO).is_file()
