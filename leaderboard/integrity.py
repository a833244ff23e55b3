"""Integrity: outputs that are copies of what they must not be, and training data that overlaps the test.

What is found becomes a flag on the board. Nothing is banned in silence: a restorer that returns LQ is a
useful baseline, and a reader must only know.
"""

from __future__ import annotations

import math
import os
import zipfile
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from ..builders.manifest import ReferenceSet, Target
from ..errors import FaultyInput, UnreadableImage
from ..images import RGB, read_rgb
from ..progress import progress
from .flags import Flag
from .submission import Submission

SAME = 45.0
UNTOUCHED = 55.0
REENCODED = 43.0
FEW = 0.1
RESTORED = 40.0
GAIN = 12.0
VIEW = 64
ALIKE = 0.99
NEARER = 0.25
COPY_OF_LQ = "copy of LQ"
MAX_EMBEDDING_BYTES = 4 << 30

Embed = Callable[[str, Sequence[RGB], npt.NDArray[np.float64]], tuple[npt.NDArray[np.float32], float]]


@dataclass(frozen=True, slots=True)
class _Picture:
    """Decoded pixels and a small grey view with mean 0 and norm 1."""

    pixels: RGB
    view: npt.NDArray[np.float32]


def find_copies(
    reference_set: ReferenceSet, recipe: str, submissions: Mapping[str, Mapping[str, Path]]
) -> dict[str, tuple[Flag, ...]]:
    """Compare all submissions of one benchmark with HQ, LQ, references and each other, image by image.

    An output is a copy of LQ from 55 dB of PSNR, or from 43 dB if it is no nearer to HQ than LQ is (so a copy
    stored as JPEG is one, and a mild restoration is not), both after a shift of each channel's level is taken
    out; a tenth of a submission's outputs must be one. It is a copy of another submission from 45 dB; of HQ
    from 40 dB if it is also 12 dB nearer to HQ than LQ is; of a reference (or its mirror image) from 45 dB,
    or if their 64-pixel grey views correlate from 0.99 on and four times closer than HQ and the reference do.

    Args:
        reference_set: with HQ, LQ and references.
        recipe: name of the recipe of the LQ images.
        submissions: by name, images by key.
    """
    keys = sorted({key for images in submissions.values() for key in images})
    known = {target.key: target for target in reference_set.targets}
    found: dict[str, Counter[str]] = {name: Counter() for name in submissions}

    def look(key: str) -> dict[str, set[str]]:
        return _look(
            reference_set, recipe, known[key], {name: images.get(key) for name, images in submissions.items()}
        )

    with progress("looking for copies", len(keys)) as advance, ThreadPoolExecutor(os.cpu_count()) as pool:
        for kinds in pool.map(look, [key for key in keys if key in known]):
            for name, said in kinds.items():
                found[name].update(said)
            advance(1)
    return {name: _flags(counts, len(submissions[name])) for name, counts in found.items()}


def _flags(counts: Counter[str], of: int) -> tuple[Flag, ...]:
    return tuple(
        Flag(kind=kind.split(": ")[0], text=f"{images} of {of} outputs are a {kind}", images=images, of=of)
        for kind, images in sorted(counts.items())
        if kind != COPY_OF_LQ or images >= FEW * of
    )


def _look(
    reference_set: ReferenceSet, recipe: str, target: Target, outputs: Mapping[str, Path | None]
) -> dict[str, set[str]]:
    hq = _open(reference_set.hq_path(target.key))
    lq = _open(reference_set.lq_path(recipe, target.key))
    references = [_open(reference_set.hq_path(key)) for key in target.references]
    opened = {name: _open(path) for name, path in outputs.items() if path is not None}
    pictures = {name: picture for name, picture in opened.items() if picture is not None}
    found: dict[str, set[str]] = {}
    for name, picture in pictures.items():
        kind = _kind(picture, hq, lq, [reference for reference in references if reference is not None])
        found[name] = {kind} if kind else set()
    plain = [name for name in pictures if not found[name]]
    for name in plain:
        twins = [other for other in plain if other != name and _psnr(pictures[name], pictures[other]) >= SAME]
        found[name] |= {f"copy of another submission: {twin}" for twin in twins}
    return found


def _kind(picture: _Picture, hq: _Picture | None, lq: _Picture | None, references: Sequence[_Picture]) -> str:
    if lq is not None and _is_untouched(picture, lq, hq):
        return COPY_OF_LQ
    if hq is not None:
        to_hq = _psnr(picture, hq)
        before = _psnr(lq, hq) if lq is not None else 0.0
        if to_hq >= RESTORED and to_hq >= before + GAIN:
            return "copy of HQ"
    for reference in references:
        for other in (reference, _mirrored(reference)):
            closeness = float((picture.view * other.view).sum())
            usual = float((hq.view * other.view).sum()) if hq is not None else 0.0
            is_nearer = closeness >= ALIKE and 1.0 - closeness <= NEARER * (1.0 - usual)
            if is_nearer or _psnr(picture, other) >= SAME:
                return "copy of a reference"
    return ""


def _is_untouched(picture: _Picture, lq: _Picture, hq: _Picture | None) -> bool:
    near = _level_free_psnr(picture, lq)
    if near < REENCODED or near >= UNTOUCHED or hq is None:
        return near >= UNTOUCHED
    return _level_free_psnr(picture, hq) <= _level_free_psnr(lq, hq)


def _open(path: Path) -> _Picture | None:
    try:
        pixels = read_rgb(path)
    except UnreadableImage:
        return None
    grey = cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY).astype(np.float32)
    small = cv2.resize(grey, (VIEW, VIEW), interpolation=cv2.INTER_AREA)
    return _Picture(pixels, _unit(np.asarray(small, dtype=np.float32)))


def _unit(view: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    centred = view - view.mean(dtype=np.float32)
    length = float(np.linalg.norm(centred))
    return np.asarray(centred / length if length else centred, dtype=np.float32)


def _mirrored(picture: _Picture) -> _Picture:
    return _Picture(
        np.ascontiguousarray(picture.pixels[:, ::-1]), np.ascontiguousarray(picture.view[:, ::-1])
    )


def _psnr(a: _Picture, b: _Picture) -> float:
    if a.pixels.shape != b.pixels.shape:
        return 0.0
    return float(min(cv2.PSNR(a.pixels, b.pixels), 100.0))


def _level_free_psnr(a: _Picture, b: _Picture) -> float:
    """PSNR after the median difference of each channel is taken out."""
    if a.pixels.shape != b.pixels.shape:
        return 0.0
    gap = cv2.subtract(a.pixels, b.pixels, dtype=cv2.CV_16S)
    gap -= np.median(gap, axis=(0, 1)).astype(np.int16)
    error = float(np.square(gap, dtype=np.float32).mean())
    return min(100.0, 10.0 * math.log10(255.0**2 / error)) if error else 100.0


def find_overlap(
    submission: Submission, reference_set: ReferenceSet, split: str, embed: Embed | None = None
) -> tuple[Flag, ...]:
    """Training data that holds test images or test people, from what the team put beside its images.

    ``training_hashes.txt`` has one SHA-256 of a file per line. ``training_embeddings.npz`` holds
    ``embeddings`` (N, D) and the name of the ``recogniser`` that made them; test people whose nearest
    embedding lies within that recogniser's threshold are counted. ``embed`` replaces the recogniser.

    Raises:
        FaultyInput: one of the files is not of that form.
    """
    targets = [target for target in reference_set.targets if split in ("all", target.split)]
    flags = []
    hashes = _read_hashes(submission.root / "training_hashes.txt")
    if hashes is not None:
        seen = [target for target in targets if target.hq_sha256 in hashes]
        if seen:
            text = f"{len(seen)} of {len(targets)} test images are in the training data, by their hash"
            flags.append(Flag(kind="trained on test images", text=text, images=len(seen), of=len(targets)))
    trained = _read_embeddings(submission.root / "training_embeddings.npz")
    if trained is not None:
        flags += _embedding_flags(*trained, targets, reference_set, embed or _embed)
    return tuple(flags)


def _embedding_flags(
    embeddings: npt.NDArray[np.float32],
    recogniser: str,
    targets: Sequence[Target],
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
            raise FaultyInput(f"training_embeddings.npz has vectors of {embeddings.shape[1]}; {wanted}")
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
    from ..faces.recognise import RECOGNISERS, load_recogniser

    if recogniser not in RECOGNISERS:
        raise FaultyInput(
            f"training_embeddings.npz: there is no recogniser {recogniser!r}; {', '.join(RECOGNISERS)}"
        )
    vectors = load_recogniser(recogniser).embed(images, landmarks)
    return np.asarray(vectors, dtype=np.float32), float(RECOGNISERS[recogniser].threshold)


def _read_hashes(path: Path) -> frozenset[str] | None:
    if not path.is_file():
        return None
    try:
        lines = path.read_text("utf-8").split("\n")
    except UnicodeDecodeError:
        raise FaultyInput(f"{path.name} is not text; wanted one SHA-256 per line") from None
    hashes = {line.split()[0].lower() for line in lines if line.strip()}
    wrong = next(
        (found for found in hashes if len(found) != 64 or set(found) - set("0123456789abcdef")), None
    )
    if wrong:
        raise FaultyInput(
            f"{path.name}: wanted one SHA-256 (64 hexadecimal digits) per line; got {wrong[:80]!r}"
        )
    return frozenset(hashes)


def _read_embeddings(path: Path) -> tuple[npt.NDArray[np.float32], str] | None:
    if not path.is_file():
        return None
    try:
        with zipfile.ZipFile(path) as packed:
            if sum(part.file_size for part in packed.infolist()) > MAX_EMBEDDING_BYTES:
                raise FaultyInput(
                    f"{path.name} unpacks to more than {MAX_EMBEDDING_BYTES >> 30} GiB; send fewer rows"
                )
        with np.load(path, allow_pickle=False) as held:
            vectors = np.asarray(held["embeddings"], dtype=np.float32)
            recogniser = str(held["recogniser"])
    except (OSError, ValueError, KeyError, TypeError, zipfile.BadZipFile) as error:
        raise FaultyInput(
            f"{path.name} is not readable ({error}); wanted embeddings (N, D) and recogniser"
        ) from None
    if vectors.ndim != 2 or not len(vectors) > 0 or not np.isfinite(vectors).all():
        raise FaultyInput(f"{path.name}: wanted finite embeddings (N, D); got shape {vectors.shape}")
    norms = np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors / np.maximum(norms, 1e-12), recogniser
