"""CSV of people and splits that a lab knows: columns ``photo``, ``person``, ``split``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from ...errors import FaultListError
from ...names import normal
from ...records.reference_set import SPLITS
from ...text_files import read_csv


@dataclass(frozen=True, slots=True)
class Label:
    """What a lab says of one photo; an empty text where it says nothing."""

    person: str
    split: str


@dataclass(frozen=True, slots=True)
class People:
    """Labels by photo: its path below the folder of photos or its file name, with or without suffix.

    Names are in composed form.
    """

    labels: Mapping[str, Label]

    def name_of(self, source: str) -> str | None:
        """The name in ``labels`` of a photo, by its path below the folder of photos; None if it has none."""
        path = PurePosixPath(normal(source))
        names = (str(path), str(path.with_suffix("")), path.name, path.stem)
        return next((name for name in names if name in self.labels), None)


def read_people(path: Path) -> People:
    """Read the CSV: the column ``photo`` and ``person``, ``split`` or both.

    Raises:
        UnreadableTextError: not a text file.
        FaultListError: other columns, a photo that is named twice, a split that there is none of, a person in
            several splits, persons for some photos only; all at once, with lines.
    """
    table = read_csv(path, ("photo",), optional=("person", "split"))
    if len(table.columns) < 2:
        raise FaultListError(str(path), ["it has neither a column person nor a column split"])
    labels: dict[str, Label] = {}
    splits: dict[str, str] = {}
    faults: list[str] = []
    for row in table.rows:
        photo = normal(row.cells["photo"]).replace("\\", "/").removeprefix("./")
        label = Label(row.cells.get("person", ""), row.cells.get("split", "").lower())
        if not photo:
            faults.append(f"line {row.number}: names no photo")
        elif photo in labels:
            faults.append(f"line {row.number}: {photo} is named twice")
        if label.split and label.split not in SPLITS:
            faults.append(f"line {row.number}: there is no split {label.split!r}; {', '.join(SPLITS)}")
        if "person" in table.columns and not label.person:
            faults.append(f"line {row.number}: {photo} has no person; name one for every photo, or none")
        first = splits.setdefault(label.person, label.split) if label.person else label.split
        if first != label.split:
            faults.append(
                f"line {row.number}: {label.person} is in {first or 'none'} and in {label.split or 'none'}"
            )
        labels[photo] = label
    if faults:
        raise FaultListError(str(path), faults, "columns are photo, person, split")
    return People(labels)
