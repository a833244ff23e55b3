"""Audit of a set for leaks: the same picture or person in two splits, or in this set and another one."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, field, replace
from operator import attrgetter
from pathlib import Path
from typing import Any

import numpy as np

from ...errors import RefbenchError
from ...faces.embeddings import Embeddings
from ...files import StrPath, paths_of, write_json
from ...records.reference_set import ReferenceSet
from ..identities.cosine_distance import nearest_distances
from ..identities.pair_search import Pairs, find_pairs
from ..photos.phash import MIRROR_BITS, are_copies, hash_vectors, mirrored_hash
from .audit_inputs import AuditInput, audit_input_of, person_threshold, read_audit_input

NEAR_BITS = 8
BINS = 40
WIDEST = 2.0
KINDS = {
    "same_file": "the same file",
    "near_picture": "nearly the same picture, or its mirror image (perceptual hash)",
    "same_person": "the same person (embedding)",
    "reference_is_target": "a reference that is the target, or nearly",
}


@dataclass(frozen=True, slots=True)
class Leak:
    """Two images that show the same picture or person and should not be in both places.

    Attributes:
        kind: a key of `KINDS`.
        first: key of the image in the audited set.
        first_side: its split, with the name of the set where the other image is of another one.
        second: key of the other image.
        second_side: its split or set.
        amount: differing bits of perceptual hashes, cosine distance of embeddings, or 0 for equal files.
    """

    kind: str
    first: str
    first_side: str
    second: str
    second_side: str
    amount: float


@dataclass(frozen=True)
class Audit:
    """Result of an audit.

    Attributes:
        name: of the audited set.
        leaks: in order of kind, then by amount.
        checked: the comparisons that could be made, in words.
        nearest: histograms by pair of splits or sets: number of images of the first by the cosine distance to
            the nearest image of the second, in ``BINS`` equal bins from 0 to 2.
        of: what it was made of, see `ReferenceSet.identification`; empty in files of version 0.1.
        against: the other sets or files that were compared with: name, and content hash or SHA-256.
    """

    name: str
    leaks: tuple[Leak, ...]
    checked: tuple[str, ...]
    nearest: dict[str, tuple[int, ...]]
    of: dict[str, str] = field(default_factory=dict)
    against: tuple[tuple[str, str], ...] = ()

    @property
    def counts(self) -> dict[str, int]:
        """Number of leaks of each kind."""
        return {kind: sum(leak.kind == kind for leak in self.leaks) for kind in KINDS}

    def is_of(self, found: ReferenceSet) -> bool:
        """Whether it tells the leaks inside this very set, and none of other sets."""
        return self.of == found.identification() and not self.against

    @classmethod
    def read(cls, path: StrPath) -> Audit:
        """Read what `write` wrote.

        Raises:
            RefbenchError: not such a file.
        """
        path = Path(path)
        try:
            found = json.loads(path.read_text("utf-8"))
            return cls(
                name=found["name"],
                leaks=tuple(Leak(**leak) for leak in found["leaks"]),
                checked=tuple(found["checked"]),
                nearest={sides: tuple(bins) for sides, bins in found["nearest"].items()},
                of={str(part): str(digest) for part, digest in found.get("of", {}).items()},
                against=tuple((str(name), str(digest)) for name, digest in found.get("against", [])),
            )
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise RefbenchError(f"{path}: not an audit of refbench: {error!r}") from None

    def text(self, most: int = 20) -> str:
        """Comparisons, counts and the first ``most`` leaks, one per line."""
        checked = (
            "; ".join(self.checked)
            or "only one split and no other set, so only the reference lists were checked"
        )
        lines = [f"{self.name}: {checked}"]
        lines += [f"{count:>7}  {KINDS[kind]}" for kind, count in self.counts.items()]
        lines += [
            f"  - {KINDS[leak.kind]}: {leak.first} ({leak.first_side}), {leak.second} ({leak.second_side}), "
            f"{leak.amount:.4g}"
            for leak in self.leaks[:most]
        ]
        if len(self.leaks) > most:
            lines.append(f"  ... and {len(self.leaks) - most} more in the file")
        return "\n".join(lines)

    def write(self, path: StrPath) -> None:
        """Write ``audit.json``, atomically."""
        write_json(Path(path), self.as_dict())

    def as_dict(self) -> dict[str, Any]:
        """What ``audit.json`` holds."""
        return {
            "name": self.name,
            "of": self.of,
            "against": [list(other) for other in self.against],
            "counts": self.counts,
            "checked": list(self.checked),
            "nearest": {sides: list(bins) for sides, bins in self.nearest.items()},
            "leaks": [asdict(leak) for leak in self.leaks],
        }


def audit_set(
    root: StrPath,
    others: Sequence[StrPath] | StrPath = (),
    threshold: float | None = None,
    *,
    near_bits: int = NEAR_BITS,
) -> Audit:
    """Search for leaks between the splits of a set, in its reference lists, and between it and other sets.

    Args:
        root: folder of the set; it is only read.
        others: folders of sets, text files of hashes (SHA-256 of aligned PNG files or perceptual hashes, one
            per line, in any mixture), or ``.npy`` files of embeddings (N, D) float32 of the same recogniser.
        threshold: cosine distance, 0 to 2, under which two images show one person; None takes the one of the
            build, or the recogniser's own for an imported set.
        near_bits: greatest Hamming distance, in bits of 256, of two perceptual hashes of one picture.

    Raises:
        RefbenchError: not a set, another input that cannot be read, or embeddings of another length.
    """
    return joined(audit_parts(root, others, threshold, near_bits=near_bits))


def audit_parts(
    root: StrPath,
    others: Sequence[StrPath] | StrPath = (),
    threshold: float | None = None,
    *,
    near_bits: int = NEAR_BITS,
) -> list[Audit]:
    """The audit of a set itself, then one comparison per other set; arguments as for `audit_set`.

    Raises:
        RefbenchError: see `audit_set`.
    """
    found = ReferenceSet.read(root)
    own = audit_input_of(found)
    limit = person_threshold(found.info) if threshold is None else threshold
    parts = [_audit_of_splits(found, own, limit, near_bits=near_bits)]
    parts += (
        _comparison(found, own, Path(other), threshold=limit, near_bits=near_bits)
        for other in paths_of(others)
    )
    return parts


def comparison_name(comparison: Audit) -> str:
    """File name of a comparison: ``audit-against-NAME-HASH.json``, so that no other one is overwritten."""
    name, digest = comparison.against[0]
    plain = re.sub(r"[^A-Za-z0-9._-]+", "_", name)[:80]
    return f"audit-against-{plain}-{digest[:8]}.json"


def _audit_of_splits(found: ReferenceSet, own: AuditInput, threshold: float, *, near_bits: int) -> Audit:
    leaks: list[Leak] = []
    checked: list[str] = []
    nearest: dict[str, tuple[int, ...]] = {}
    for first, second in _across_splits(own):
        leaks += compare(first, second, threshold, near_bits=near_bits, checked=checked)
        nearest |= nearest_histogram(first, second)
    leaks += _references_that_are_targets(found, near_bits)
    return _audit(found, leaks, checked=checked, nearest=nearest)


def _comparison(
    found: ReferenceSet, own: AuditInput, other: Path, *, threshold: float, near_bits: int
) -> Audit:
    compared = read_audit_input(other)
    checked: list[str] = []
    leaks = [*compare(own, compared, threshold, near_bits=near_bits, checked=checked)]
    against = ((compared.name, compared.content_hash),)
    return replace(
        _audit(found, leaks, checked=checked, nearest=nearest_histogram(own, compared)), against=against
    )


def _audit(
    found: ReferenceSet, leaks: Iterable[Leak], *, checked: Iterable[str], nearest: dict[str, tuple[int, ...]]
) -> Audit:
    checks = tuple(dict.fromkeys(checked))
    return Audit(found.info.name, _in_order(leaks), checks, nearest, found.identification())


def _in_order(leaks: Iterable[Leak]) -> tuple[Leak, ...]:
    order = {kind: number for number, kind in enumerate(KINDS)}
    key = attrgetter("amount", "first", "second")
    return tuple(sorted(leaks, key=lambda leak: (order[leak.kind], *key(leak))))


def joined(parts: Sequence[Audit]) -> Audit:
    """One audit of several of one set."""
    return replace(
        parts[0],
        leaks=_in_order(leak for part in parts for leak in part.leaks),
        checked=tuple(dict.fromkeys(check for part in parts for check in part.checked)),
        nearest={sides: bins for part in parts for sides, bins in part.nearest.items()},
        against=tuple(other for part in parts for other in part.against),
    )


def compare(
    first: AuditInput, second: AuditInput, threshold: float, *, near_bits: int, checked: list[str]
) -> Iterator[Leak]:
    """Every leak between two inputs; ``checked`` gets a line for every comparison that could be made."""
    if first.hashes and second.hashes:
        checked.append("files by SHA-256")
        places: dict[str, list[int]] = {}
        for row, digest in enumerate(second.hashes):
            places.setdefault(digest, []).append(row)
        for row, digest in enumerate(first.hashes):
            for other in places.get(digest, []):
                yield _leak("same_file", first, row, second=second, other=other, amount=0.0)
    if first.phashes and second.phashes:
        checked.append(
            f"perceptual hashes within {near_bits} of 256 bits, of mirror images within {MIRROR_BITS}"
        )
        yield from _near_pictures(first, second, near_bits)
    if first.vectors is not None and second.vectors is not None:
        if first.recogniser and second.recogniser and first.recogniser != second.recogniser:
            checked.append(f"no embeddings against {second.name}: they are of another recogniser")
            return
        if first.vectors.shape[1] != second.vectors.shape[1]:
            raise RefbenchError(
                f"{first.name} has embeddings of {first.vectors.shape[1]} numbers, {second.name} of "
                f"{second.vectors.shape[1]}; embed both with one recogniser"
            )
        checked.append(f"embeddings under {threshold:g}")
        for row, other, distance in _rows(cross_pairs(first.vectors, second.vectors, threshold)):
            yield _leak("same_person", first, row, second=second, other=other, amount=round(distance, 6))


def _near_pictures(first: AuditInput, second: AuditInput, near_bits: int) -> Iterator[Leak]:
    """Pictures of one input in the other, as they are and mirrored."""
    here = hash_vectors(first.phashes)
    told = set()
    for bits, hashes in (
        (near_bits, second.phashes),
        (MIRROR_BITS, [mirrored_hash(text) for text in second.phashes]),
    ):
        for row, other, distance in _rows(cross_pairs(here, hash_vectors(hashes), (bits + 0.5) / 128)):
            if (row, other) not in told:
                told.add((row, other))
                amount = float(round(distance * 128))
                yield _leak("near_picture", first, row, second=second, other=other, amount=amount)


def cross_pairs(first: Embeddings, second: Embeddings, threshold: float) -> Pairs:
    """Pairs of a row of ``first`` and a row of ``second`` under ``threshold``, each numbered from 0."""
    near = find_pairs(np.concatenate([first, second]), threshold)
    across = (near.first < len(first)) & (near.second >= len(first))
    return Pairs(near.first[across], near.second[across] - len(first), near.distance[across])


def nearest_histogram(first: AuditInput, second: AuditInput) -> dict[str, tuple[int, ...]]:
    """Histogram of the distance of every image of one input to the nearest of the other; empty if unknown."""
    if first.vectors is None or second.vectors is None or not len(first.keys) or not len(second.keys):
        return {}
    if first.vectors.shape[1] != second.vectors.shape[1] or first.recogniser != second.recogniser:
        return {}
    nearest = nearest_distances(first.vectors, second.vectors)
    counts = np.histogram(nearest, bins=BINS, range=(0.0, WIDEST))[0]
    return {f"{_side_name(first)} to {_side_name(second)}": tuple(int(count) for count in counts)}


def _across_splits(own: AuditInput) -> Iterator[tuple[AuditInput, AuditInput]]:
    splits = sorted(set(own.groups), reverse=True)
    for number, split in enumerate(splits):
        for other in splits[number + 1 :]:
            yield own.part(split), own.part(other)


def _references_that_are_targets(found: ReferenceSet, near_bits: int) -> Iterator[Leak]:
    rows = {target.key: row for row, target in enumerate(found.targets)}
    listed = [
        (row, rows[key], distance)
        for row, target in enumerate(found.targets)
        for key, distance in zip(target.references, target.reference_distances, strict=True)
    ]
    if not listed:
        return
    first, second = (np.array([entry[side] for entry in listed], dtype=np.int64) for side in (0, 1))
    distances = np.array([distance for *_, distance in listed], dtype=np.float64)
    copied = are_copies([target.phash for target in found.targets], first, second, distances=distances)
    for (row, other, distance), is_copy in zip(listed, copied.tolist(), strict=True):
        target, reference = found.targets[row], found.targets[other]
        same = reference.hq_sha256 == target.hq_sha256
        if same or is_copy or _bits(target.phash, reference.phash) <= near_bits:
            yield Leak(
                "reference_is_target",
                target.key,
                target.split,
                reference.key,
                reference.split,
                float(distance),
            )


def _bits(first: str, second: str) -> int:
    if not first or not second:
        return 256
    return (int(first, 16) ^ int(second, 16)).bit_count()


def _leak(kind: str, first: AuditInput, row: int, *, second: AuditInput, other: int, amount: float) -> Leak:
    apart = first.name != second.name
    here, there = (
        "/".join(part for part in (side.name if apart else "", group) if part)
        for side, group in ((first, first.groups[row]), (second, second.groups[other]))
    )
    return Leak(kind, first.keys[row], here, second.keys[other], there, amount)


def _side_name(side: AuditInput) -> str:
    return side.groups[0] if len(set(side.groups)) == 1 and side.groups[0] else side.name


def _rows(pairs: Pairs) -> Iterator[tuple[int, int, float]]:
    return zip(pairs.first.tolist(), pairs.second.tolist(), pairs.distance.tolist(), strict=True)
