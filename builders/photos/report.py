"""Report of a build: counts, warnings, and every photo or face that was left out or converted."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from ...files import write_json, write_text
from ...names import printable

MOST_LINES = 40
REPORTS = ("report.json", "report.txt")


@dataclass(frozen=True, slots=True)
class ReportLine:
    """One photo, or one face of it, that was left out of the set or converted.

    Attributes:
        source: path of the photo below the folder of photos.
        reason: why, in words.
        dropped: True where it is not in the set, False where it was converted.
        key: of the image; empty where it was given none.
    """

    source: str
    reason: str
    dropped: bool
    key: str = ""


@dataclass(frozen=True)
class BuildReport:
    """Report of a build or an import.

    Attributes:
        out: folder of the set.
        counts: numbers of photos, images, identities and images per split, by name.
        lines: every photo or face that was left out or converted, with the reason, in order of path.
        warnings: problems of the set as a whole.
        comparison: number of identities by each way of grouping images, before overrides.
        copies: keys of two images of one person that show one picture, recompressed, cropped, filtered or
            mirrored; they are no references of each other.
        reused: number of photos whose results were cached; not part of the written report.
        changed: False where an identical set was there already.
    """

    out: Path
    counts: dict[str, int]
    lines: tuple[ReportLine, ...] = ()
    warnings: tuple[str, ...] = ()
    comparison: dict[str, int] = field(default_factory=dict)
    copies: tuple[tuple[str, str], ...] = ()
    reused: int = 0
    changed: bool = True

    def write(self) -> None:
        """Write ``report.json`` and ``report.txt`` into the set, without ``reused`` and ``changed``."""
        value = {
            "counts": self.counts,
            "comparison": self.comparison,
            "warnings": list(self.warnings),
            "copies": [list(pair) for pair in self.copies],
            "dropped": [_entry(line) for line in self.lines if line.dropped],
            "converted": [_entry(line) for line in self.lines if not line.dropped],
        }
        write_json(self.out / "report.json", value)
        write_text(self.out / "report.txt", self.text(most=None) + "\n")

    def _told_copies(self, most: int | None) -> list[str]:
        shown = self.copies if most is None else self.copies[:most]
        rows = [
            printable(f"one picture: {first} and {second}; never references of each other")
            for first, second in shown
        ]
        left = len(self.copies) - len(shown)
        return [*rows, f"... and {left} more such pairs in report.txt"] if left else rows

    def text(self, most: int | None = MOST_LINES) -> str:
        """Counts, warnings, and at most ``most`` (None: all) photos left out or converted."""
        wide = max(len(name) for name in self.counts)
        rows = [f"{name.replace('_', ' '):<{wide}}  {count:>7}" for name, count in self.counts.items()]
        ways = ", ".join(f"{way} {found}" for way, found in self.comparison.items())
        if ways:
            rows.append(f"identities by each way of grouping images: {ways}")
        rows += [f"warning: {warning}" for warning in self.warnings]
        rows += self._told_copies(most)
        shown = self.lines if most is None else self.lines[:most]
        rows += [
            printable(f"{'left out' if line.dropped else 'converted'}: {line.source}: {line.reason}")
            for line in shown
        ]
        if len(shown) < len(self.lines):
            rows.append(f"... and {len(self.lines) - len(shown)} more lines in {self.out / 'report.txt'}")
        return "\n".join(rows)


def sorted_lines(lines: Iterable[ReportLine]) -> tuple[ReportLine, ...]:
    """Lines by path, then key, then reason."""
    return tuple(sorted(lines, key=lambda line: (line.source, line.key, line.reason)))


def _entry(line: ReportLine) -> dict[str, str]:
    return {"source": line.source, "key": line.key, "reason": line.reason}
