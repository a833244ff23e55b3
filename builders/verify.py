"""Verify a reference set: file hashes, content hash, and the consistency of the manifest."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from ..files import StrPath, sha256_file
from ..progress import track
from ..records.reference_set import (
    INFO,
    REAL,
    SPLITS,
    ReferenceSet,
    Target,
    content_hash,
    image_path,
)


@dataclass(frozen=True, slots=True)
class SetVerification:
    """Result of verifying a set.

    Attributes:
        root: folder of the set.
        files: number of files that were hashed.
        faults: one line per fault; empty for a valid set.
    """

    root: Path
    files: int
    faults: tuple[str, ...]

    @property
    def is_valid(self) -> bool:
        """Whether no fault was found."""
        return not self.faults

    def text(self) -> str:
        """Summary and faults, one per line."""
        head = f"{self.root}: {self.files} files hashed, " + (
            "all as recorded" if self.is_valid else f"{len(self.faults)} faults"
        )
        return "\n".join([head, *(f"  - {fault}" for fault in self.faults)])


def verify_set(root: StrPath) -> SetVerification:
    """Hash every file of a set and check that its manifest is consistent. LQ images are not checked.

    Args:
        root: folder of the set; it is only read.

    Returns:
        The number of hashed files and every fault: missing, changed and unlisted images, a wrong content
        hash, and whatever `manifest_faults` finds.

    Raises:
        RefbenchError: not a readable reference set.
    """
    root = Path(root)
    found = ReferenceSet.read(root)
    faults = [*manifest_faults(found.targets), *_folder_faults(found)]
    if content_hash(found.targets) != found.info.content_hash:
        faults.append("manifest.parquet does not have the content hash that set.json states")
    faults += (
        fault
        for name, digest in sorted(found.info.files.items())
        if (fault := _file_fault(root, name, digest))
    )
    images = (named for target in found.targets for named in _images_of(target))
    for name, digest in track("hashes", images, len(found.targets)):
        if fault := _file_fault(root, name, digest):
            faults.append(fault)
    known = {name for target in found.targets for name, _ in _images_of(target)}
    inside = (path.relative_to(root).as_posix() for path in sorted((root / "images").rglob("*.png")))
    faults += (f"{name}: is not in the manifest" for name in inside if name not in known)
    return SetVerification(root, len(found.targets) + len(found.info.files), tuple(faults))


def _images_of(target: Target) -> Iterator[tuple[str, str]]:
    """Path and hash of the images of a target: HQ, or the photo itself."""
    yield (target.hq, target.hq_sha256) if target.has_hq else (target.lq, target.lq_sha256)


def _folder_faults(found: ReferenceSet) -> Iterator[str]:
    """Images in other folders than ``set.json`` states; sets of version 0.1 may have them anywhere."""
    if found.info.schema_version == 1:
        return
    for target in found.targets:
        wanted = image_path(target.key, found.info.image_folder_digits)
        if target.has_hq and target.hq != wanted:
            yield f"{target.key}: its image is {target.hq}; {INFO} states {wanted}"


def manifest_faults(targets: Sequence[Target]) -> Iterator[str]:
    """Inconsistencies of a manifest, each in one line that begins with the key.

    Checked are duplicate keys (ignoring case), identities in several splits, paths outside the set, unknown
    splits, and reference lists: lengths, distances in [0, 2], duplicates, unknown keys, the target itself,
    the same picture, another identity.
    """
    keys = {target.key: target for target in targets}
    for key, many in Counter(target.key.lower() for target in targets).items():
        if many > 1:
            yield f"{key}: {many} images have this key, whatever the case of its letters"
    splits: dict[str, set[str]] = defaultdict(set)
    for target in targets:
        if target.has_hq:
            splits[target.identity].add(target.split)
    for identity, found in sorted(splits.items()):
        if len(found) > 1:
            yield f"identity {identity}: lies in several splits ({', '.join(sorted(found))})"
    for target in targets:
        yield from (f"{target.key}: {fault}" for fault in _target_faults(target, keys))


def _target_faults(target: Target, keys: dict[str, Target]) -> Iterator[str]:
    (name, digest), *_ = _images_of(target)
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts:
        yield f"its image {name} lies outside the set"
    if not name or not digest:
        yield "it has neither an HQ image nor, as a real photo, an LQ image with its hash"
    wanted = SPLITS if target.has_hq else (REAL,)
    if target.split not in wanted:
        yield f"its split {target.split!r} is none of {', '.join(wanted)}"
    if len(target.references) != len(target.reference_distances):
        yield f"{len(target.references)} references but {len(target.reference_distances)} distances"
    if not all(0.0 <= distance <= 2.0 for distance in target.reference_distances):
        yield "a distance of a reference is not between 0 and 2"
    if len(set(target.references)) < len(target.references):
        yield "its reference list names an image twice"
    for reference in target.references:
        other = keys.get(reference)
        if other is None:
            yield f"its reference {reference} is not in the set"
        elif reference == target.key:
            yield "it is its own reference"
        elif not other.has_hq:
            yield f"its reference {reference} is a real photo without HQ"
        elif other.hq_sha256 == target.hq_sha256:
            yield f"its reference {reference} is the same picture"
        elif other.identity != target.identity:
            yield f"its reference {reference} is of {other.identity}, not of {target.identity}"


def _file_fault(root: Path, name: str, digest: str) -> str:
    path = root / name
    if not path.is_file():
        return f"{name}: is missing"
    found = sha256_file(path)
    return "" if found == digest else f"{name}: has the hash {found[:12]}..., not {digest[:12]}..."
