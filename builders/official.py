"""The release files of FFHQ-Ref and CelebA-Test-Ref: read strictly, checked as a whole, written again.

A release is a folder with ``reference_mapping/SPLIT_references.csv`` (columns ``gt_image``, in val and test
``lq_image``, ``ref_image`` with a list of names, perhaps ``weight``) and
``id_based_ffhq_split/SPLIT_image.txt`` (every image of a split, one a line); or a single CSV of test images,
as CelebA-Test-Ref is.
"""

from __future__ import annotations

import csv
import io
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import numpy as np

from ..errors import FaultList, RefbenchError
from ..files import write_text
from .identities import Labels, components
from .manifest import SPLITS, ReferenceSet
from .pairs import Pairs

MAPPING = "reference_mapping/{split}_references.csv"
LISTING = "id_based_ffhq_split/{split}_image.txt"
COLUMNS = ("gt_image", "lq_image", "ref_image", "weight")
QUOTED = r"'([^'\\\n]*)'|\"([^\"\\\n]*)\""
LIST = re.compile(rf"\s*\[\s*(?:(?:{QUOTED})\s*(?:,\s*(?:{QUOTED})\s*)*,?\s*)?\]\s*")
ITEM = re.compile(QUOTED)


@dataclass(frozen=True, slots=True)
class Counts:
    """Numbers of a split: images with references, their identities, all images; None for what is unknown."""

    with_references: int
    identities: int | None = None
    images: int | None = None


PUBLISHED: dict[str, dict[str, Counts]] = {
    "ffhq-ref": {
        "train": Counts(18_816, 6_073, 68_411),
        "val": Counts(732, 300, 732),
        "test": Counts(857, 150, 857),
    },
    "celeba-test-ref": {"test": Counts(2_533)},
}


@dataclass(frozen=True, slots=True)
class Row:
    """One line of a mapping: a target, its LQ image, and its references in order of preference."""

    target: str
    lq: str
    references: tuple[str, ...]


@dataclass(frozen=True)
class Release:
    """A release as its files say; images are named as there.

    Attributes:
        rows: per split, in order of the file.
        listed: every image per split; empty where the release has no such lists.
    """

    rows: Mapping[str, tuple[Row, ...]]
    listed: Mapping[str, tuple[str, ...]]

    def splits(self) -> dict[str, str]:
        """Split of every image that is named anywhere: a reference lies where its target does."""
        found: dict[str, str] = {}
        for split, rows in self.rows.items():
            for row in rows:
                found |= dict.fromkeys((row.target, *row.references), split)
        for split, names in self.listed.items():
            found |= dict.fromkeys(names, split)
        return found

    def identities(self) -> dict[str, int]:
        """Identity of every image: connected components of targets and references, alone where unnamed."""
        names = sorted(self.splits())
        place = {name: number for number, name in enumerate(names)}
        edges = [
            (place[row.target], place[reference])
            for rows in self.rows.values()
            for row in rows
            for reference in row.references
        ]
        first, second = np.array(edges, dtype=np.int64).reshape(-1, 2).T
        labels: Labels = components(len(names), Pairs(first, second, np.zeros(len(edges))))
        return dict(zip(names, labels.tolist(), strict=True))

    def counts(self) -> dict[str, Counts]:
        """Numbers of every split."""
        identities = self.identities()
        return {
            split: Counts(
                with_references=sum(bool(row.references) for row in rows),
                identities=len({identities[row.target] for row in rows if row.references}),
                images=len(self.listed[split]) if split in self.listed else None,
            )
            for split, rows in self.rows.items()
        }

    def unlike(self, published: str) -> list[str]:
        """Every number that differs from the published ones, in one line each.

        Raises:
            RefbenchError: nothing was published under that name.
        """
        if published not in PUBLISHED:
            raise RefbenchError(f"no published counts for {published!r}; there are: {', '.join(PUBLISHED)}")
        own, lines = self.counts(), []
        for split, wanted in PUBLISHED[published].items():
            if split not in own:
                lines.append(f"{published}: the split {split} is missing")
                continue
            for name in ("with_references", "identities", "images"):
                number, here = getattr(wanted, name), getattr(own[split], name)
                if None not in (number, here) and number != here:
                    words = name.replace("_", " ")
                    lines.append(f"{published}: {split} has {here:,} {words}, published were {number:,}")
        return lines


def read_release(path: Path) -> Release:
    """Read a release folder, or a single CSV of test images.

    Raises:
        RefbenchError: no such files.
        FaultList: everything that is wrong in any of the files, with file and line.
    """
    files = {"test": path} if path.is_file() else _mappings(path)
    if not files:
        raise RefbenchError(
            f"{path} is not a release: no CSV, and no folder with {MAPPING.format(split='test')}"
        )
    faults: list[str] = []
    rows = {split: tuple(_read_mapping(file, faults)) for split, file in files.items()}
    listings = {} if path.is_file() else {s: path / LISTING.format(split=s) for s in SPLITS}
    listed = {s: tuple(_read_listing(file, faults)) for s, file in listings.items() if file.is_file()}
    release = Release(rows, listed)
    faults += release_faults(release)
    if faults:
        raise FaultList(str(path), faults)
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
    """Why a name cannot stand for an image, or nothing."""
    path = PurePosixPath(name)
    if not name or name != name.strip() or not name.isprintable():
        return f"{name!r} is not a name"
    if path.is_absolute() or ".." in path.parts or "\\" in name or ":" in name:
        return f"{name!r} leads out of the folder of images"
    return ""


def release_faults(release: Release) -> Iterator[str]:
    """What no release may hold: images twice, names that differ only in case, references across splits."""
    targets = Counter(row.target for rows in release.rows.values() for row in rows)
    yield from (f"{name} is a target {many} times" for name, many in sorted(targets.items()) if many > 1)
    places: dict[str, set[str]] = {}
    for split, names in release.listed.items():
        for name, many in sorted(Counter(names).items()):
            places.setdefault(name, set()).add(split)
            if many > 1:
                yield f"{name} is listed {many} times in {split}"
    named: dict[str, set[str]] = {}
    for split, rows in release.rows.items():
        for row in rows:
            for name in (row.target, *row.references):
                named.setdefault(name, set()).add(split)
    for name in sorted(places.keys() | named.keys()):
        splits = places.get(name, set()) | named.get(name, set())
        if len(splits) > 1:
            yield f"{name} is in several splits: {', '.join(sorted(splits))}"
        elif places and name not in places and any(split in release.listed for split in splits):
            yield f"{name} is in the mapping of {', '.join(splits)} but in no list of images"
    by_case: dict[str, set[str]] = {}
    for name in places.keys() | named.keys():
        by_case.setdefault(name.lower(), set()).add(name)
    for names_alike in sorted(map(sorted, by_case.values())):
        if len(names_alike) > 1:
            yield f"{' and '.join(names_alike)} differ only in case"


def write_release(found: ReferenceSet, out: Path) -> list[Path]:
    """Write the mapping and the lists of a set in the form of FFHQ-Ref; images are named ``KEY.png``."""
    written = []
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
    return written


def _mappings(folder: Path) -> dict[str, Path]:
    files = {split: folder / MAPPING.format(split=split) for split in SPLITS}
    return {split: file for split, file in files.items() if file.is_file()}


def _read_mapping(path: Path, faults: list[str]) -> Iterator[Row]:
    text = _read(path, faults)
    reader = csv.reader(io.StringIO(text), strict=True)
    try:
        header = [column.strip() for column in next(reader, [])]
        missing = [column for column in ("gt_image", "ref_image") if column not in header]
        unknown = [column for column in header if column not in COLUMNS]
        if missing or unknown:
            faults.append(f"{path.name}: columns are {', '.join(COLUMNS)}; got {', '.join(header) or 'none'}")
            return
        for cells in reader:
            if cells:
                row = _row(dict(zip(header, cells, strict=False)), len(cells) == len(header))
                if isinstance(row, Row):
                    yield row
                else:
                    faults += (f"{path.name}, line {reader.line_num}: {fault}" for fault in row)
    except csv.Error as error:
        faults.append(f"{path.name}, line {reader.line_num}: {error}")


def _row(cells: Mapping[str, str], is_whole: bool) -> Row | list[str]:
    if not is_whole:
        return ["has another number of cells than the first line"]
    try:
        references = parse_list(cells["ref_image"])
    except ValueError as error:
        return [str(error)]
    target = cells["gt_image"].strip()
    lq = cells.get("lq_image", target).strip()
    faults = [fault for name in (target, lq, *references) if (fault := name_fault(name))]
    if len(set(references)) < len(references):
        faults.append("a reference stands twice in the list")
    if target in references:
        faults.append(f"{target} is its own reference")
    return faults or Row(target, lq, references)


def _read_listing(path: Path, faults: list[str]) -> Iterator[str]:
    for number, line in enumerate(_read(path, faults).splitlines(), start=1):
        name = line.strip()
        fault = name_fault(name) if name else ""
        if fault:
            faults.append(f"{path.name}, line {number}: {fault}")
        elif name:
            yield name


def _read(path: Path, faults: list[str]) -> str:
    try:
        return path.read_text("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        faults.append(f"{path.name}: cannot be read: {error}")
        return ""
