"""Faults of a submission, grouped by kind: many files with the same fault make one line."""

from __future__ import annotations

from dataclasses import dataclass, field

from ...image_files.png_check import FaultKind as FaultKind
from ...names import printable

SHOWN = 5
NAME_LENGTH = 60


@dataclass
class FaultLog:
    """Collects faults; the same kind on many files makes one line, with the first names and the count."""

    _names: dict[FaultKind, list[str]] = field(default_factory=dict)
    _counts: dict[FaultKind, int] = field(default_factory=dict)

    def add(self, kind: FaultKind, name: str = "", detail: str = "") -> None:
        """Add one fault of ``kind`` on the file ``name``; ``detail`` follows the name in parentheses."""
        names = self._names.setdefault(kind, [])
        self._counts[kind] = self._counts.get(kind, 0) + 1
        if len(names) < SHOWN:
            shown = printable(name, NAME_LENGTH)
            names.append(f"{shown} ({detail})" if detail else shown)

    def __bool__(self) -> bool:
        return bool(self._counts)

    def __len__(self) -> int:
        return sum(self._counts.values())

    def lines(self) -> tuple[str, ...]:
        """One line per kind: names, what is wrong, and the fix."""
        return tuple(self._line(kind) for kind in self._counts)

    def _line(self, kind: FaultKind) -> str:
        names = [name for name in self._names[kind] if name]
        more = self._counts[kind] - len(self._names[kind])
        listed = ", ".join(names) + (f" and {more:,} more" if more else "")
        return f"{listed}: {kind.what}; {kind.fix}" if listed else f"{kind.what}; {kind.fix}"
