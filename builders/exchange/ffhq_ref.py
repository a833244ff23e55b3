"""Reader and writer of the release files of FFHQ-Ref and CelebA-Test-Ref, with every fault listed.

Names of images may be file names, paths below the folder of images, or absolute paths of another machine,
with or without a suffix. A release is a folder with ``reference_mapping/SPLIT_references.csv`` (columns
``gt_image``, in val and test
``lq_image``, ``ref_image`` with a list of names, perhaps ``weight``) and
``id_based_ffhq_split/SPLIT_image.txt`` (every image of a split, one per line); or a single CSV of test
images, as CelebA-Test-Ref is.
"""

from __future__ import annotations

import csv
import io
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath

from ...errors import FaultListError, RefbenchError, UnreadableTextError
from ...files import StrPath, write_text
from ...records.reference_set import SPLITS, ReferenceSet
from ...text_files import read_lines, read_text, scan_csv
from .lq_exchange import copy_file, lq_folders
from .release import Release, ReleaseRow, release_faults

MAPPING = "reference_mapping/{split}_references.csv"
LISTING = "id_based_ffhq_split/{split}_image.txt"
COLUMNS = ("gt_image", "lq_image", "ref_image", "weight")
NEEDED, OTHERS = ("gt_image", "ref_image"), ("lq_image", "weight")
QUOTED = r"'([^'\\\n]*)'|\"([^\"\\\n]*)\""
LIST = re.compile(rf"\s*\[\s*(?:(?:{QUOTED})\s*(?:,\s*(?:{QUOTED})\s*)*,?\s*)?\]\s*")
ITEM = re.compile(QUOTED)


def read_release(path: StrPath) -> Release:
    """Read a release folder, or a single CSV of test images.

    Raises:
        RefbenchError: no such files.
        FaultListError: everything that is wrong in any of the files, with file and line.
    """
    path = Path(path)
    files = {"test": path} if path.is_file() else _mappings(path)
    if not files:
        raise RefbenchError(
            f"{path} is not a release: no CSV, and no folder with {MAPPING.format(split='test')}"
        )
    faults: list[str] = []
    rows = {split: tuple(_read_mapping(file, faults)) for split, file in files.items()}
    listings = {} if path.is_file() else {s: path / LISTING.format(split=s) for s in SPLITS}
    listed = {s: tuple(_read_listing(file, faults)) for s, file in listings.items() if file.is_file()}
    release = without_common_folder(Release(rows, listed))
    faults += release_faults(release)
    if faults:
        raise FaultListError(str(path), faults)
    return release


def parse_list(text: str) -> tuple[str, ...]:
    """The names in the text of a Python list of strings, such as ``['02293.png', '17651.png']``.

    The text is matched, never evaluated: no escapes, no nesting, no expressions.

    Raises:
        ValueError: anything else.
    """
    if not LIST.fullmatch(text):
        raise ValueError(f"not a list of quoted names: {text[:60]!r}")
    return tuple(single or double for single, double in ITEM.findall(text))


def name_fault(name: str) -> str:
    """Why a name cannot be that of an image; empty if it can."""
    path = PurePosixPath(name)
    if not name or name != name.strip() or not name.isprintable():
        return f"{name!r} is not a name"
    inner = re.sub(r"^[A-Za-z]:/", "/", name)
    if ".." in path.parts or "\\" in inner or ":" in inner:
        return f"{name!r} leads out of the folder of images"
    return ""


def without_common_folder(release: Release) -> Release:
    """The release with absolute names relative to the folder that all of these lie in.

    Lists of other programs hold paths of the machine that they were written on. Such a path is never opened;
    its end is looked for in the folder of images.
    """
    names = {name for row in _rows(release) for name in (row.target, row.lq, *row.references)}
    names |= {name for listed in release.listed.values() for name in listed}
    absolute = [name for name in names if _is_absolute(name)]
    if not absolute:
        return release
    images = {name for row in _rows(release) for name in (row.target, *row.references)} & set(absolute)
    common = os.path.commonpath([str(PurePosixPath(name).parent) for name in images or absolute])

    def plain(name: str) -> str:
        path = PurePosixPath(name)
        if not _is_absolute(name):
            return name
        return str(path.relative_to(common)) if path.is_relative_to(common) else path.name

    rows = {
        split: tuple(
            ReleaseRow(plain(row.target), plain(row.lq), tuple(map(plain, row.references))) for row in found
        )
        for split, found in release.rows.items()
    }
    return Release(rows, {split: tuple(map(plain, found)) for split, found in release.listed.items()})


def _rows(release: Release) -> Iterator[ReleaseRow]:
    for rows in release.rows.values():
        yield from rows


def _is_absolute(name: str) -> bool:
    return name.startswith("/") or re.match(r"^[A-Za-z]:/", name) is not None


def write_release(found: ReferenceSet, out: Path, recipes: Sequence[str] = ()) -> list[Path]:
    """Write the reference lists and split lists of a set as FFHQ-Ref does; images are named ``KEY.png``.

    The LQ images of ``recipes`` go to ``SPLIT_images/RECIPE/KEY.png``.

    Raises:
        RefbenchError: no LQ images of a recipe.
    """
    written = []
    named = lq_folders(found, recipes)
    for split in SPLITS:
        inside = [target for target in found.targets if target.split == split]
        columns = COLUMNS[:3] if split != "train" else (COLUMNS[0], COLUMNS[2])
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(columns)
        for target in inside:
            if target.references:
                name, names = f"{target.key}.png", [f"{key}.png" for key in target.references]
                cells = {"gt_image": name, "lq_image": name, "ref_image": str(names)}
                writer.writerow([cells[column] for column in columns])
        mapping, listing = (out / name.format(split=split) for name in (MAPPING, LISTING))
        write_text(mapping, text.getvalue())
        write_text(listing, "".join(f"{target.key}.png\n" for target in inside))
        written += [mapping, listing]
        for recipe in named:
            for target in inside:
                path = found.lq_path(recipe, target.key)
                if path.is_file():
                    written.append(out / f"{split}_images" / recipe / path.name)
                    copy_file(path, written[-1])
    return written


def _mappings(folder: Path) -> dict[str, Path]:
    files = {split: folder / MAPPING.format(split=split) for split in SPLITS}
    return {split: file for split, file in files.items() if file.is_file()}


def _read_mapping(path: Path, faults: list[str]) -> Iterator[ReleaseRow]:
    try:
        table = scan_csv(read_text(path), NEEDED, OTHERS)
    except UnreadableTextError as error:
        faults.append(f"{path.name}: {error.reason}")
        return
    faults += (f"{path.name}, {fault}" for fault in table.faults)
    for found in table.rows:
        row = _row(found.cells)
        if isinstance(row, ReleaseRow):
            yield row
        else:
            faults += (f"{path.name}, line {found.number}: {fault}" for fault in row)


def _row(cells: Mapping[str, str]) -> ReleaseRow | list[str]:
    try:
        references = parse_list(cells["ref_image"])
    except ValueError as error:
        return [str(error)]
    target = cells["gt_image"]
    lq = cells.get("lq_image", target)
    names = dict.fromkeys((target, lq, *references))
    faults = [fault for name in names if (fault := name_fault(name))]
    if len(set(references)) < len(references):
        faults.append("the list names a reference twice")
    if target in references:
        faults.append(f"{target} is its own reference")
    return faults or ReleaseRow(target, lq, references)


def _read_listing(path: Path, faults: list[str]) -> Iterator[str]:
    try:
        lines = read_lines(path)
    except UnreadableTextError as error:
        faults.append(f"{path.name}: {error.reason}")
        return
    for number, name in lines:
        if fault := name_fault(name):
            faults.append(f"{path.name}, line {number}: {fault}")
        else:
            yield name
