"""Chunks of targets, the unit of work of scoring, and the part files that hold the scores of a chunk."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
import numpy.typing as npt
from torch import Tensor

from ...files import write_bytes
from ...records.reference_set import ReferenceSet, Target

CHUNK = 32


@dataclass(frozen=True, slots=True)
class Chunk:
    """At most `CHUNK` targets, and all images that their scores need: the targets and their references.

    Chunks depend on the set, the split and the reference lists alone, and each is computed by itself. So a
    score never depends on the order of the chunks, on the process that computed them, or on whether they were
    read from disk.

    Attributes:
        targets: the targets that are scored.
        images: targets and references, each once, in order of their keys.
    """

    targets: tuple[Target, ...]
    images: tuple[Target, ...]

    @property
    def content(self) -> list[Any]:
        """Keys, references, hashes and landmarks of the chunk, as plain values to be hashed."""
        wanted = [[t.key, list(t.references)] for t in self.targets]
        return [*wanted, *([t.key, t.hq_sha256, [list(p) for p in t.landmarks]] for t in self.images)]


def chunks(reference_set: ReferenceSet, targets: Sequence[Target]) -> Iterator[Chunk]:
    """Cut targets into chunks by identity and key; an identity is divided only if it exceeds one chunk."""
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


def batches(targets: Sequence[Target], size: int) -> Iterator[list[Target]]:
    """Batches of images of one size, in their order within each size."""
    buckets: dict[tuple[int, int], list[Target]] = {}
    for target in targets:
        buckets.setdefault((target.width, target.height), []).append(target)
    for bucket in buckets.values():
        for start in range(0, len(bucket), size):
            yield bucket[start : start + size]


@dataclass(frozen=True, slots=True)
class Part:
    """The scores of one submission on some targets: a chunk, or a batch of one.

    Attributes:
        keys: of the targets.
        values: protocol id to float64 (N,), NaN where unscored.
        reasons: protocol id to (N,) texts, empty where scored.
        vectors: feature name to float32 (n, D) of the images that gave one, for metrics of the set.
    """

    keys: tuple[str, ...]
    values: dict[str, npt.NDArray[np.float64]]
    reasons: dict[str, tuple[str, ...]]
    vectors: dict[str, npt.NDArray[np.float32]]

    @classmethod
    def join(cls, keys: tuple[str, ...], pieces: Sequence[Part]) -> Part:
        """One part from pieces that each cover some of ``keys`` for some protocols."""
        slots = {key: slot for slot, key in enumerate(keys)}
        values: dict[str, npt.NDArray[np.float64]] = {}
        reasons: dict[str, list[str]] = {}
        vectors: dict[str, list[npt.NDArray[np.float32]]] = {}
        for piece in pieces:
            rows = [slots[key] for key in piece.keys]
            for name, scored in piece.values.items():
                values.setdefault(name, np.full(len(keys), np.nan))[rows] = scored
                texts = reasons.setdefault(name, [""] * len(keys))
                for row, text in zip(rows, piece.reasons[name], strict=True):
                    texts[row] = text
            for name, found in piece.vectors.items():
                vectors.setdefault(name, []).append(found)
        joined = {name: np.concatenate(found) for name, found in vectors.items()}
        return cls(keys, values, {name: tuple(texts) for name, texts in reasons.items()}, joined)

    def write(self, path: Path) -> None:
        """Write the part; the file is whole or absent."""
        arrays: dict[str, npt.NDArray[Any]] = {"keys": np.array(self.keys, dtype=np.str_)}
        arrays |= {f"value:{name}": array for name, array in self.values.items()}
        arrays |= {f"reason:{name}": np.array(texts, dtype=np.str_) for name, texts in self.reasons.items()}
        arrays |= {f"vector:{name}": array for name, array in self.vectors.items()}
        buffer = io.BytesIO()
        save: Any = np.savez
        save(buffer, **arrays)
        write_bytes(path, buffer.getvalue())

    @classmethod
    def read(cls, path: Path) -> Part | None:
        """Read a part; None where the file is absent or damaged, so that it is computed again."""
        try:
            with np.load(path, allow_pickle=False) as stored:
                arrays = {name: stored[name] for name in stored.files}
                keys = tuple(str(key) for key in arrays["keys"])
        except (OSError, ValueError, EOFError, KeyError, BadZipFile):
            return None
        return cls(
            keys=keys,
            values=_named(arrays, "value:"),
            reasons={n: tuple(str(text) for text in a) for n, a in _named(arrays, "reason:").items()},
            vectors=_named(arrays, "vector:"),
        )


class PartBuilder:
    """Collects the scores of one submission on some targets, metric by metric, into a `Part`."""

    def __init__(self, targets: Sequence[Target]) -> None:
        self.targets = targets
        self._values: dict[str, npt.NDArray[np.float64]] = {}
        self._reasons: dict[str, list[str]] = {}
        self._vectors: dict[str, npt.NDArray[np.float32]] = {}

    def score(self, name: str, rows: Sequence[int], values: Tensor | None, *, reason: str) -> None:
        """Write values into rows; where a value is None or not finite, the row is unscored with a reason."""
        column = self._values.setdefault(name, np.full(len(self.targets), np.nan))
        texts = self._reasons.setdefault(name, [""] * len(self.targets))
        for place, row in enumerate(rows):
            value = float("nan") if values is None else float(values[place])
            if np.isfinite(value):
                column[row] = value
            else:
                texts[row] = reason

    def keep(self, name: str, rows: Tensor) -> None:
        """Keep the vectors (N, D) of a feature that are finite."""
        found = rows.float().cpu().numpy()
        self._vectors[name] = found[np.isfinite(found).all(axis=1)]

    def part(self) -> Part:
        """The part with everything written so far."""
        keys = tuple(target.key for target in self.targets)
        reasons = {name: tuple(texts) for name, texts in self._reasons.items()}
        return Part(keys, self._values, reasons, self._vectors)


def _named(arrays: dict[str, npt.NDArray[Any]], prefix: str) -> dict[str, npt.NDArray[Any]]:
    return {name.removeprefix(prefix): array for name, array in arrays.items() if name.startswith(prefix)}
