"""A set at a glance: counts, references, distances, sizes, quality, licences, as tables and as one page."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ...files import write_text
from ...records.reference_set import SPLITS, ReferenceSet, SetInfo, Target
from . import html as page

BINS = 40
SPLIT_COLUMNS = (
    "split",
    "images",
    "with references",
    "identities",
    "references",
    "per image: least",
    "median",
    "most",
)
QUALITY_COLUMNS = ("measurement", "least", "5 %", "median", "95 %", "most")


@dataclass(frozen=True)
class Overview:
    """What a set holds.

    Attributes:
        splits: one row per split, and one for all, as `SPLIT_COLUMNS`.
        references_per_image: number of images by number of references.
        images_per_identity: number of identities by number of images.
        distances: reference distances in ``BINS`` equal bins from 0 to ``widest``.
        sizes: number of images by width and height.
        licences: number of images by licence.
        quality: one row per measurement, as `QUALITY_COLUMNS`.
    """

    info: SetInfo
    splits: tuple[tuple[Any, ...], ...]
    references_per_image: dict[str, int]
    images_per_identity: dict[str, int]
    distances: tuple[int, ...]
    widest: float
    sizes: dict[str, int]
    licences: dict[str, int]
    quality: tuple[tuple[Any, ...], ...]

    def text(self) -> str:
        """The tables for a terminal."""
        parts = [
            f"{self.info.name}  {self.info.content_hash[:12]}",
            _aligned(SPLIT_COLUMNS, self.splits),
            _aligned(("references", "images"), self.references_per_image.items()),
            _aligned(("images of a person", "people"), self.images_per_identity.items()),
            _aligned(("size", "images"), self.sizes.items()),
            _aligned(("licence", "images"), self.licences.items()),
        ]
        if self.quality:
            parts.append(_aligned(QUALITY_COLUMNS, self.quality))
        return "\n\n".join(parts)

    def html(self) -> str:
        """One self-contained page with plots."""
        threshold = self.info.settings.get("threshold")
        mark = (threshold / self.widest, f"threshold {threshold:g}") if threshold else None
        images, people = self.splits[-1][1], self.splits[-1][3]
        lead = (
            f"{images:,} images of {people:,} people. Licence: {self.info.licence}. "
            f"Consent: {self.info.consent}. Content {self.info.content_hash[:12]}."
        )
        parts = [
            page.section("Splits", page.table(SPLIT_COLUMNS, self.splits)),
            page.section(
                "References",
                page.plots(
                    page.bars("Images by number of references", self.references_per_image.items()),
                    page.bars(
                        "References by cosine distance to their target",
                        ((f"{bin_ * self.widest / BINS:.2f}", n) for bin_, n in enumerate(self.distances)),
                        mark if mark and mark[0] <= 1.0 else None,
                    ),
                    page.bars("People by number of images", self.images_per_identity.items()),
                ),
            ),
            page.section(
                "Images",
                page.table(("size", "images"), self.sizes.items()),
                page.table(("licence", "images"), self.licences.items(), words=True),
            ),
        ]
        if self.quality:
            parts.append(page.section("Quality", page.table(QUALITY_COLUMNS, self.quality)))
        choices = page.table(("choice", "value"), _flat(self.info.settings), words=True)
        rests = page.table(("part", "version"), sorted(self.info.versions.items()), words=True)
        parts.append(page.section("Choices of the build", choices))
        parts.append(page.section("What it rests on", rests))
        return page.page(self.info.name, lead, parts)


def overview(found: ReferenceSet) -> Overview:
    """Count everything in a set."""
    targets = found.targets
    rows = [_split_row(split, [t for t in targets if t.split == split]) for split in SPLITS]
    distances = np.array([distance for target in targets for distance in target.reference_distances])
    threshold = float(found.info.settings.get("threshold") or 0.0)
    widest = max(threshold, float(distances.max(initial=0.0)), 1e-6)
    edges = np.linspace(0.0, widest, BINS + 1)
    heights = np.histogram(distances, bins=edges)[0]
    people = Counter(Counter(target.identity for target in targets).values())
    return Overview(
        info=found.info,
        splits=(*rows, _split_row("all", targets)),
        references_per_image=_ladder(Counter(len(target.references) for target in targets)),
        images_per_identity=_ladder(people),
        distances=tuple(int(height) for height in heights),
        widest=widest,
        sizes=dict(Counter(f"{t.width}x{t.height}" for t in targets).most_common()),
        licences=dict(Counter(target.licence for target in targets).most_common()),
        quality=tuple(_quality_rows(targets)),
    )


def write_page(found: ReferenceSet, path: Path) -> None:
    """Write the overview of a set as one HTML file."""
    write_text(path, overview(found).html())


def _split_row(name: str, targets: Iterable[Target]) -> tuple[Any, ...]:
    images = list(targets)
    numbers = [len(target.references) for target in images if target.references]
    spread = (min(numbers), float(np.median(numbers)), max(numbers)) if numbers else (None, None, None)
    people = len({target.identity for target in images})
    return (name, len(images), len(numbers), people, sum(numbers), *spread)


def _quality_rows(targets: Iterable[Target]) -> Iterable[tuple[Any, ...]]:
    found: dict[str, list[float]] = {}
    for target in targets:
        for name, value in target.quality.items():
            found.setdefault(name, []).append(value)
    for name, values in sorted(found.items()):
        yield (name, *(float(value) for value in np.percentile(values, [0, 5, 50, 95, 100])))


def _ladder(counts: Counter[int]) -> dict[str, int]:
    """Counts by number, gaps filled with 0; beyond 20 by tens, so that a plot stays readable."""
    if not counts:
        return {}
    most = max(counts)
    if most <= 20:
        return {str(step): counts.get(step, 0) for step in range(min(counts), most + 1)}
    width = -(-(most + 1) // 20)
    tens = Counter(dict.fromkeys(range(0, most + 1, width), 0))
    for step, many in counts.items():
        tens[step // width * width] += many
    return {f"{start}-{start + width - 1}": many for start, many in sorted(tens.items())}


def _flat(settings: Mapping[str, Any], under: str = "") -> Iterator[tuple[str, str]]:
    for name, value in sorted(settings.items()):
        if isinstance(value, Mapping):
            yield from _flat(value, f"{under}{name}.")
        else:
            yield f"{under}{name}", str(value)


def _aligned(columns: Iterable[str], rows: Iterable[Iterable[Any]]) -> str:
    cells = [list(columns), *([page.number(cell) for cell in row] for row in rows)]
    wide = [max(len(row[place]) for row in cells) for place in range(len(cells[0]))]
    return "\n".join(
        "  ".join(
            cell.ljust(width) if place == 0 else cell.rjust(width)
            for place, (cell, width) in enumerate(zip(row, wide, strict=True))
        ).rstrip()
        for row in cells
    )
