"""Inputs of an audit: a reference set or one of its splits, a list of hashes, or an array of embeddings."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path, PurePath

import numpy as np
import numpy.typing as npt

from ...errors import RefbenchError, UnreadableTextError
from ...faces.embeddings import Embeddings
from ...faces.recognisers.registry import RECOGNISERS
from ...files import sha256_file
from ...records.reference_set import EMBEDDINGS, ReferenceSet, SetInfo
from ...text_files import read_hashes
from ..identities.cosine_distance import check_embeddings


@dataclass(frozen=True, slots=True)
class AuditInput:
    """What is known of some images; all tuples have one entry per image, or none where it is unknown.

    Attributes:
        name: of the set or file.
        keys: names of the images.
        groups: split of each; empty strings where there are no splits.
        hashes: SHA-256 of the image files.
        phashes: perceptual hashes.
        vectors: embeddings, (N, D) float32 of length 1; None where unknown.
        recogniser: name, crop and weights by hash of the recogniser of ``vectors``.
        content_hash: of the set, or SHA-256 of the file.
    """

    name: str
    keys: tuple[str, ...]
    groups: tuple[str, ...]
    hashes: tuple[str, ...] = ()
    phashes: tuple[str, ...] = ()
    vectors: Embeddings | None = None
    recogniser: str = ""
    content_hash: str = ""

    def part(self, group: str) -> AuditInput:
        """The images of one split."""
        rows = [row for row, found in enumerate(self.groups) if found == group]
        return AuditInput(
            name=self.name,
            keys=tuple(self.keys[row] for row in rows),
            groups=(group,) * len(rows),
            hashes=tuple(self.hashes[row] for row in rows) if self.hashes else (),
            phashes=tuple(self.phashes[row] for row in rows) if self.phashes else (),
            vectors=None if self.vectors is None else self.vectors[rows],
            recogniser=self.recogniser,
            content_hash=self.content_hash,
        )


def audit_input_of(found: ReferenceSet) -> AuditInput:
    """All images of a set, with their splits.

    Raises:
        RefbenchError: ``embeddings.npy`` cannot be read, does not fit the set, or was replaced.
    """
    path = found.root / EMBEDDINGS
    vectors = None
    if path.is_file() and (stated := found.info.files.get(EMBEDDINGS)):
        vectors = _load_vectors(path)
        if sha256_file(path) != stated:
            raise RefbenchError(
                f"{path} is not the file that set.json states; restore it, or build the set again"
            )
        if len(vectors) != len(found.targets):
            raise RefbenchError(f"{path} has {len(vectors)} rows for {len(found.targets)} images")
    phashes = tuple(target.phash for target in found.targets)
    return AuditInput(
        name=found.info.name,
        content_hash=found.info.content_hash,
        keys=tuple(target.key for target in found.targets),
        groups=tuple(target.split for target in found.targets),
        hashes=tuple(target.hq_sha256 for target in found.targets),
        phashes=phashes if all(phashes) else (),
        vectors=vectors,
        recogniser=_recogniser(found),
    )


def read_audit_input(path: Path) -> AuditInput:
    """Read a set (folder), embeddings (``.npy``) or a list of hashes (text).

    Raises:
        RefbenchError: none of these, or not readable.
    """
    if path.is_dir():
        return audit_input_of(ReferenceSet.read(path))
    if path.suffix == ".npy":
        vectors = _load_vectors(path)
        keys = tuple(f"row {row}" for row in range(len(vectors)))
        digest = sha256_file(path)
        return AuditInput(path.name, keys, ("",) * len(keys), vectors=vectors, content_hash=digest)
    try:
        hashes = tuple(read_hashes(path))
    except UnreadableTextError as error:
        raise RefbenchError(
            f"{path}: neither a set, embeddings (.npy) nor a list of hashes: {error.reason}"
        ) from None
    return AuditInput(path.name, hashes, ("",) * len(hashes), hashes, hashes, content_hash=sha256_file(path))


def person_threshold(info: SetInfo) -> float:
    """Cosine distance under which two images show one person: the build's, else its recogniser's, else 0."""
    given = info.settings.get("threshold")
    if given is not None:
        return float(given)
    kind = RECOGNISERS.get(str(info.settings.get("recogniser")))
    return 0.0 if kind is None else kind.clustering_threshold


def _recogniser(found: ReferenceSet) -> str:
    settings, versions = found.info.settings, found.info.versions
    name = PurePath(str(settings.get("recogniser", ""))).name
    kind = RECOGNISERS.get(name)
    files = (name,) if kind is None else kind.weights
    crop = kind.crop.name if kind else settings.get("crop") or ""
    return " ".join(part for part in (name, crop, *(versions.get(file, "") for file in files)) if part)


def _load_vectors(path: Path) -> npt.NDArray[np.float32]:
    try:
        vectors: npt.NDArray[np.float32] = np.load(path, allow_pickle=False)
        check_embeddings(vectors)
    except (OSError, ValueError, RefbenchError) as error:
        raise RefbenchError(f"{path}: not embeddings: {error}") from None
    return vectors
