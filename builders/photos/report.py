"""What came of every photo of a build: nothing is dropped silently."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from ...files import write_json, write_text

MOST_LINES = 40
REPORTS = ("report.json", "report.txt")


@dataclass(frozen=True, slots=True)
class Line:
    """One photo, or one face of it, that is not in the set (``dropped``) or was changed to get in.

    ``key`` is empty for a photo that never came to have one.
    """

    source: str
    reason: str
    dropped: bool
    key: str = ""


@dataclass(frozen=True)
class BuildReport:
    """What a build did.

    Attributes:
        out: the folder of the set.
        counts: of photos, faces, images, identities and splits, by name.
        lines: everything that was left out or converted, with its reason, in order of path.
        warnings: what the user should know of the set as a whole.
        comparison: identities as found by each way of joining images.
        reused: photos whose work an earlier run had done already; not part of the written report.
        changed: False if the set was there already, the same to the byte.
    """

    out: Path
    counts: dict[str, int]
    lines: tuple[Line, ...] = ()
    warnings: tuple[str, ...] = ()
    comparison: dict[str, int] = field(default_factory=dict)
    reused: int = 0
    changed: bool = True

    def write(self) -> None:
        """Write ``report.json`` and ``report.txt`` into the set, without what depends on the run alone."""
        value = {
            "counts": self.counts,
            "comparison": self.comparison,
            "warnings": list(self.warnings),
            "dropped": [_entry(line) for line in self.lines if line.dropped],
            "converted": [_entry(line) for line in self.lines if not line.dropped],
        }
        write_json(self.out / "report.json", value)
        write_text(self.out / "report.txt", self.text(most=None) + "\n")

    def text(self, most: int | None = MOST_LINES) -> str:
        """The report for people: counts, warnings, then one line per photo or face that was left out."""
        wide = max(len(name) for name in self.counts)
        rows = [f"{name.replace('_', ' '):<{wide}}  {count:>7}" for name, count in self.counts.items()]
        ways = ", ".join(f"{way} {found}" for way, found in self.comparison.items())
        if ways:
            rows.append(f"identities by each way of joining images: {ways}")
        rows += [f"warning: {warning}" for warning in self.warnings]
        shown = self.lines if most is None else self.lines[:most]
        rows += [
            f"{'left out' if line.dropped else 'converted'}: {line.source}: {line.reason}" for line in shown
        ]
        if len(shown) < len(self.lines):
            rows.append(f"... and {len(self.lines) - len(shown)} more lines in {self.out / 'report.txt'}")
        return "\n".join(rows)


def in_order(lines: Iterable[Line]) -> tuple[Line, ...]:
    """Lines by path, then key, then reason."""
    return tuple(sorted(lines, key=lambda line: (line.source, line.key, line.reason)))


def _entry(line: Line) -> dict[str, str]:
    return {"source": line.source, "key": line.key, "reason": line.reason}
