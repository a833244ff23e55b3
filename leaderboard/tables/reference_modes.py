"""Reference sets under the evaluation modes of a store's records: all, fewer or wrong references."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import suppress

from ...errors import RefbenchError
from ...records.evaluation_modes import ALL, WRONG, with_references
from ...records.record import Benchmark
from ...records.reference_set import ReferenceSet


def sets_by_mode(sets: Sequence[ReferenceSet], benchmarks: Iterable[Benchmark]) -> list[ReferenceSet]:
    """The sets, and each of them under every evaluation mode that a benchmark of its name has."""
    modes = sorted({(b.name, b.references, b.split) for b in benchmarks if b.references != ALL})
    seen = {found.info.content_hash: found for found in sets}
    for found in sets:
        for name, mode, split in modes:
            if name == found.info.name:
                with suppress(RefbenchError):
                    changed = with_references(found, mode, split)
                    seen.setdefault(changed.info.content_hash, changed)
    return list(seen.values())


def mode_title(mode: str) -> str:
    """The title of an evaluation mode; empty for the mode with all references."""
    if mode == ALL:
        return ""
    if mode == WRONG:
        return "wrong person's references"
    return {"0": "no references", "1": "1 reference"}.get(mode, f"{mode} references")
