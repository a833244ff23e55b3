"""Faults of a submission, gathered by kind so that a thousand alike files make one line."""

from __future__ import annotations

from dataclasses import dataclass, field

from ...errors import FaultListError

SHOWN = 5
NAME_LENGTH = 60


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of fault: what is wrong (after the names), and how to fix it."""

    what: str
    fix: str


@dataclass
class FaultBook:
    """Collects faults; the same kind on many files is told once, with the first names and the count."""

    _names: dict[Kind, list[str]] = field(default_factory=dict)
    _counts: dict[Kind, int] = field(default_factory=dict)

    def add(self, kind: Kind, name: str = "", detail: str = "") -> None:
        """Note one fault of ``kind`` on the file ``name``."""
        names = self._names.setdefault(kind, [])
        self._counts[kind] = self._counts.get(kind, 0) + 1
        if len(names) < SHOWN:
            names.append(f"{show(name)} ({detail})" if detail else show(name))

    def __bool__(self) -> bool:
        return bool(self._counts)

    def __len__(self) -> int:
        return sum(self._counts.values())

    def lines(self) -> tuple[str, ...]:
        """One line per kind: names, what is wrong, and the fix."""
        return tuple(self._line(kind) for kind in self._counts)

    def _line(self, kind: Kind) -> str:
        names = [name for name in self._names[kind] if name]
        more = self._counts[kind] - len(self._names[kind])
        told = ", ".join(names) + (f" and {more:,} more" if more else "")
        return f"{told}: {kind.what}; {kind.fix}" if told else f"{kind.what}; {kind.fix}"

    def raise_any(self, subject: str, fix: str = "") -> None:
        """Raise all faults at once.

        Raises:
            FaultListError: there is at least one.
        """
        if self:
            raise FaultListError(subject, self.lines(), fix)


def show(name: str) -> str:
    """A file name made fit for a terminal: control characters escaped, the middle of a long one left out."""
    safe = "".join(
        char if char.isprintable() else char.encode("unicode_escape", "replace").decode() for char in name
    )
    safe = safe.encode("utf-8", "backslashreplace").decode("utf-8")
    if len(safe) <= NAME_LENGTH:
        return safe
    half = NAME_LENGTH // 2 - 2
    return f"{safe[:half]}...{safe[-half:]}"
