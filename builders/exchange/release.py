"""A published set as its release files describe it: reference lists, splits, identities, counts, faults."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from ...errors import RefbenchError
from ..identities.clustering import Labels, components
from ..identities.pair_search import Pairs


@dataclass(frozen=True, slots=True)
class SplitCounts:
    """Numbers of a split: images with references, their identities, and all images; None where unknown."""

    with_references: int
    identities: int | None = None
    images: int | None = None


PUBLISHED: dict[str, dict[str, SplitCounts]] = {
    "ffhq-ref": {
        "train": SplitCounts(18_816, 6_073, 68_411),
        "val": SplitCounts(732, 300, 732),
        "test": SplitCounts(857, 150, 857),
    },
    "celeba-test-ref": {"test": SplitCounts(2_533)},
}


@dataclass(frozen=True, slots=True)
class ReleaseRow:
    """One line of a mapping: a target, its LQ image, and its references in order of preference, by name."""

    target: str
    lq: str
    references: tuple[str, ...]


@dataclass(frozen=True)
class Release:
    """The content of a release's files; images have the names used there.

    Attributes:
        rows: lines of the mapping of each split, in order of the file.
        listed: names of all images of each split; empty where the release has no such lists.
    """

    rows: Mapping[str, tuple[ReleaseRow, ...]]
    listed: Mapping[str, tuple[str, ...]]

    def splits(self) -> dict[str, str]:
        """Split of every named image; a reference is in the split of its target."""
        found: dict[str, str] = {}
        for split, rows in self.rows.items():
            for row in rows:
                found |= dict.fromkeys((row.target, *row.references), split)
        for split, names in self.listed.items():
            found |= dict.fromkeys(names, split)
        return found

    def identities(self) -> dict[str, int]:
        """Identity of every image, numbered from 0: connected components of targets and their references."""
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

    def counts(self) -> dict[str, SplitCounts]:
        """Numbers of every split."""
        identities = self.identities()
        return {
            split: SplitCounts(
                with_references=sum(bool(row.references) for row in rows),
                identities=len({identities[row.target] for row in rows if row.references}),
                images=len(self.listed[split]) if split in self.listed else None,
            )
            for split, rows in self.rows.items()
        }

    def differences_from_published(self, published: str) -> list[str]:
        """Every count that differs from the published one, in one line each.

        Raises:
            RefbenchError: no published counts of that name.
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


def release_faults(release: Release) -> Iterator[str]:
    """Faults of a release: duplicate images, names that differ only in case, images in several splits."""
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
