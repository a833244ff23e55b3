"""Detection of training data that overlaps the test images or the test people.

An overlap becomes a flag on the board and excludes nothing.
"""

from __future__ import annotations

import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from ...errors import FaultListError, InvalidInputError, UnreadableTextError
from ...images import RGB, read_rgb
from ...records.reference_set import ReferenceSet, Target
from ...text_files import read_hashes
from ..store.flags import Flag
from ..submission.submission import Submission

MAX_EMBEDDING_BYTES = 4 << 30
HASHES_WANTED = "wanted one SHA-256 (64 hexadecimal digits) per line"

Embed = Callable[[str, Sequence[RGB], npt.NDArray[np.float64]], tuple[npt.NDArray[np.float32], float]]


def find_training_overlap(
    submission: Submission, reference_set: ReferenceSet, split: str, *, embed: Embed | None = None
) -> tuple[Flag, ...]:
    """Find test images and test people in the training data that a submission declares beside its images.

    ``training_hashes.txt`` has one SHA-256 of a file per line. ``training_embeddings.npz`` holds
    ``embeddings`` (N, D) and the name of the ``recogniser`` that made them; a test person counts whose
    nearest embedding lies within the threshold of that recogniser (cosine distance).

    Args:
        submission: with or without these files.
        reference_set: whose images and people are tested.
        split: ``train``, ``val``, ``test`` or ``all``.
        embed: replaces the recogniser: (name, N images RGB uint8, landmarks (N, 5, 2) in pixels) to unit
            vectors (N, D) and a threshold.

    Raises:
        InvalidInputError: one of the files is not of that form.
    """
    targets = [target for target in reference_set.targets if split in ("all", target.split)]
    flags = []
    hashes = _read_hashes(submission.root / "training_hashes.txt")
    if hashes is not None:
        found = [target for target in targets if target.hq_sha256 in hashes]
        if found:
            text = f"{len(found)} of {len(targets)} test images are in the training data, by their hash"
            flags.append(Flag(kind="trained on test images", text=text, images=len(found), of=len(targets)))
    trained = _read_embeddings(submission.root / "training_embeddings.npz")
    if trained is not None:
        flags += _embedding_flags(*trained, targets, reference_set=reference_set, embed=embed or _embed)
    return tuple(flags)


def _embedding_flags(
    embeddings: npt.NDArray[np.float32],
    recogniser: str,
    targets: Sequence[Target],
    *,
    reference_set: ReferenceSet,
    embed: Embed,
) -> list[Flag]:
    people: dict[str, bool] = {}
    for start in range(0, len(targets), 32):
        batch = [target for target in targets[start : start + 32] if target.landmarks]
        if not batch:
            continue
        images = [read_rgb(reference_set.hq_path(target.key)) for target in batch]
        landmarks = np.array([target.landmarks for target in batch], dtype=np.float64)
        vectors, threshold = embed(recogniser, images, landmarks)
        if vectors.shape[1] != embeddings.shape[1]:
            wanted = f"{recogniser} makes vectors of {vectors.shape[1]}"
            raise InvalidInputError(f"training_embeddings.npz has vectors of {embeddings.shape[1]}; {wanted}")
        nearest = 1.0 - np.max(vectors @ embeddings.T, axis=1)
        for target, distance in zip(batch, nearest, strict=True):
            people[target.identity] = people.get(target.identity, False) or bool(distance < threshold)
    seen = sum(people.values())
    if not seen:
        return []
    text = f"{seen} of {len(people)} test people are in the training data, by {recogniser} embeddings"
    return [Flag(kind="trained on test people", text=text, images=seen, of=len(people))]


def _embed(
    recogniser: str, images: Sequence[RGB], landmarks: npt.NDArray[np.float64]
) -> tuple[npt.NDArray[np.float32], float]:
    from ...faces.recognisers.recognise import RECOGNISERS, load_recogniser

    if recogniser not in RECOGNISERS:
        raise InvalidInputError(
            f"training_embeddings.npz: there is no recogniser {recogniser!r}; {', '.join(RECOGNISERS)}"
        )
    vectors = load_recogniser(recogniser).embed(images, landmarks)
    return np.asarray(vectors, dtype=np.float32), float(RECOGNISERS[recogniser].threshold)


def _read_hashes(path: Path) -> frozenset[str] | None:
    if not path.is_file():
        return None
    try:
        return frozenset(read_hashes(path))
    except UnreadableTextError as error:
        raise InvalidInputError(f"{path.name}: {error.reason}; wanted one SHA-256 per line") from None
    except FaultListError as error:
        raise FaultListError(path.name, error.faults, HASHES_WANTED) from None


def _read_embeddings(path: Path) -> tuple[npt.NDArray[np.float32], str] | None:
    if not path.is_file():
        return None
    try:
        with zipfile.ZipFile(path) as packed:
            if sum(part.file_size for part in packed.infolist()) > MAX_EMBEDDING_BYTES:
                raise InvalidInputError(
                    f"{path.name} unpacks to more than {MAX_EMBEDDING_BYTES >> 30} GiB; send fewer rows"
                )
        with np.load(path, allow_pickle=False) as held:
            vectors = np.asarray(held["embeddings"], dtype=np.float32)
            recogniser = str(held["recogniser"])
    except (OSError, ValueError, KeyError, TypeError, zipfile.BadZipFile) as error:
        raise InvalidInputError(
            f"{path.name} is not readable ({error}); wanted embeddings (N, D) and recogniser"
        ) from None
    if vectors.ndim != 2 or not len(vectors) > 0 or not np.isfinite(vectors).all():
        raise InvalidInputError(f"{path.name}: wanted finite embeddings (N, D); got shape {vectors.shape}")
    norms = np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors / np.maximum(norms, 1e-12), recogniser
