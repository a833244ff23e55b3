"""Summary of a set: counts, references, distances, sizes, quality and licences, as tables and as one page."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ...files import write_text
from ...records.reference_set import SPLITS, ReferenceSet, SetInfo, Target
from .html import bar_chart, number, render

BINS = 40
SPLIT_COLUMNS = (
    "split",
    "images",
    "with references",
    "identities",
    "references",
    "references per image: min",
    "median",
    "max",
)
QUALITY_COLUMNS = ("measurement", "min", "5 %", "median", "95 %", "max")


@dataclass(frozen=True)
class SetSummary:
    """Statistics of a set.

    Attributes:
        info: what ``set.json`` says.
        splits: one row per split, and one for all, as `SPLIT_COLUMNS`.
        references_per_image: number of images by number of references.
        images_per_identity: number of identities by number of images.
        distances: histogram of the cosine distances of references, ``BINS`` equal bins from 0 to ``widest``.
        widest: upper end of the last bin.
        sizes: number of images by width and height.
        licences: number of images by licence.
        quality: percentiles of each measurement, as `QUALITY_COLUMNS`.
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
        """The tables as plain text."""
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
        """One self-contained HTML page with tables and bar charts."""
        threshold = self.info.settings.get("threshold")
        mark = (threshold / self.widest, f"threshold {threshold:g}") if threshold else None
        images, people = self.splits[-1][1], self.splits[-1][3]
        lower_ends = (f"{place * self.widest / BINS:.2f}" for place in range(BINS))
        charts = (
            bar_chart("Images by number of references", self.references_per_image.items()),
            bar_chart(
                "References by cosine distance to their target",
                zip(lower_ends, self.distances, strict=True),
                mark if mark and mark[0] <= 1.0 else None,
            ),
            bar_chart("People by number of images", self.images_per_identity.items()),
        )
        return render(
            "summary.html",
            title=self.info.name,
            lead=(
                f"{images:,} images of {people:,} people. Licence: {self.info.licence}. "
                f"Consent: {self.info.consent}. Content {self.info.content_hash[:12]}."
            ),
            content_hash=self.info.content_hash,
            summary=self,
            charts=charts,
            split_columns=SPLIT_COLUMNS,
            quality_columns=QUALITY_COLUMNS,
            settings=list(_flattened(self.info.settings)),
            versions=sorted(self.info.versions.items()),
        )


def summarise(found: ReferenceSet) -> SetSummary:
    """Statistics of a set."""
    targets = found.targets
    rows = [_split_row(split, [t for t in targets if t.split == split]) for split in SPLITS]
    distances = np.array([distance for target in targets for distance in target.reference_distances])
    threshold = float(found.info.settings.get("threshold") or 0.0)
    widest = max(threshold, float(distances.max(initial=0.0)), 1e-6)
    edges = np.linspace(0.0, widest, BINS + 1)
    heights = np.histogram(distances, bins=edges)[0]
    people = Counter(Counter(target.identity for target in targets).values())
    return SetSummary(
        info=found.info,
        splits=(*rows, _split_row("all", targets)),
        references_per_image=_by_number(Counter(len(target.references) for target in targets)),
        images_per_identity=_by_number(people),
        distances=tuple(int(height) for height in heights),
        widest=widest,
        sizes=dict(Counter(f"{t.width}x{t.height}" for t in targets).most_common()),
        licences=dict(Counter(target.licence for target in targets).most_common()),
        quality=tuple(_quality_rows(targets)),
    )


def write_summary(found: ReferenceSet, path: Path) -> None:
    """Write the summary of a set as one self-contained HTML file."""
    write_text(path, summarise(found).html())


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


def _by_number(counts: Counter[int]) -> dict[str, int]:
    """Counts by number, with 0 for absent ones; in at most 20 equal ranges where the greatest exceeds 20."""
    if not counts:
        return {}
    most = max(counts)
    if most <= 20:
        return {str(step): counts.get(step, 0) for step in range(min(counts), most + 1)}
    width = -(-(most + 1) // 20)
    ranges = Counter(dict.fromkeys(range(0, most + 1, width), 0))
    for step, many in counts.items():
        ranges[step // width * width] += many
    return {f"{start}-{start + width - 1}": many for start, many in sorted(ranges.items())}


def _flattened(settings: Mapping[str, Any], under: str = "") -> Iterator[tuple[str, str]]:
    for name, value in sorted(settings.items()):
        if isinstance(value, Mapping):
            yield from _flattened(value, f"{under}{name}.")
        else:
            yield f"{under}{name}", str(value)


def _aligned(columns: Iterable[str], rows: Iterable[Iterable[Any]]) -> str:
    cells = [list(columns), *([number(cell) for cell in row] for row in rows)]
    wide = [max(len(row[place]) for row in cells) for place in range(len(cells[0]))]
    return "\n".join(
        "  ".join(
            cell.ljust(width) if place == 0 else cell.rjust(width)
            for place, (cell, width) in enumerate(zip(row, wide, strict=True))
        ).rstrip()
        for row in cells
    )
