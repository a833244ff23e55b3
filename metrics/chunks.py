"""The unit of work: some targets with their references, and what one submission scored on them."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ..builders.manifest import ReferenceSet, Target
from ..files import write_bytes

CHUNK = 32


@dataclass(frozen=True, slots=True)
class Chunk:
    """At most `CHUNK` targets, and every image that is needed beside them: the union with their references.

    Chunks depend on the set, the split and the reference lists alone, and each is computed by itself: so a
    score never depends on which chunks were done before, by whom, or read from disk.
    """

    targets: tuple[Target, ...]
    images: tuple[Target, ...]

    @property
    def hashes(self) -> list[Any]:
        """What names the chunk's content."""
        wanted = [[t.key, list(t.references)] for t in self.targets]
        return [*wanted, *([t.key, t.hq_sha256, [list(p) for p in t.landmarks]] for t in self.images)]


def chunks(reference_set: ReferenceSet, targets: Sequence[Target]) -> Iterator[Chunk]:
    """Cut targets into chunks by identity and key; an identity is cut only if it alone is too large."""
    ordered = sorted(targets, key=lambda target: (target.identity, target.key))
    waiting: list[Target] = []
    for _, group in groupby(ordered, key=lambda target: target.identity):
        person = list(group)
        if waiting and len(waiting) + len(person) > CHUNK:
            yield _chunk(reference_set, waiting)
            waiting = []
        waiting += person
        while len(waiting) > CHUNK:
            yield _chunk(reference_set, waiting[:CHUNK])
            waiting = waiting[CHUNK:]
    if waiting:
        yield _chunk(reference_set, waiting)


def _chunk(reference_set: ReferenceSet, targets: Sequence[Target]) -> Chunk:
    keys = {t.key for t in targets}.union(*(t.references for t in targets))
    return Chunk(tuple(targets), tuple(reference_set[key] for key in sorted(keys)))


@dataclass(frozen=True, slots=True)
class Part:
    """What one submission scored on one chunk.

    Attributes:
        keys: of the chunk's targets.
        values: protocol id to float64 (N,), NaN where unscored.
        reasons: protocol id to (N,) texts, empty where scored.
        vectors: feature name to float32 (n, D) of the images that gave one, for metrics of the set.
    """

    keys: tuple[str, ...]
    values: dict[str, npt.NDArray[np.float64]]
    reasons: dict[str, tuple[str, ...]]
    vectors: dict[str, npt.NDArray[np.float32]]

    def write(self, path: Path) -> None:
        """Write the part; the file is whole or absent."""
        arrays: dict[str, npt.NDArray[np.generic]] = {"keys": np.array(self.keys, dtype=np.str_)}
        arrays |= {f"value:{name}": array for name, array in self.values.items()}
        arrays |= {f"reason:{name}": np.array(texts, dtype=np.str_) for name, texts in self.reasons.items()}
        arrays |= {f"vector:{name}": array for name, array in self.vectors.items()}
        buffer = io.BytesIO()
        np.savez(buffer, **arrays)  # type: ignore[arg-type]
        write_bytes(path, buffer.getvalue())

    @classmethod
    def read(cls, path: Path) -> Part | None:
        """Read a part; None where there is none or it cannot be read (then it is computed again)."""
        try:
            with np.load(path, allow_pickle=False) as stored:
                arrays = {name: stored[name] for name in stored.files}
        except (OSError, ValueError, EOFError):
            return None
        return cls(
            keys=tuple(str(key) for key in arrays["keys"]),
            values=_named(arrays, "value:"),
            reasons={n: tuple(str(text) for text in a) for n, a in _named(arrays, "reason:").items()},
            vectors=_named(arrays, "vector:"),
        )


def _named(arrays: dict[str, npt.NDArray[np.generic]], prefix: str) -> dict[str, npt.NDArray]:  # type: ignore[type-arg]
    return {name.removeprefix(prefix): array for name, array in arrays.items() if name.startswith(prefix)}
