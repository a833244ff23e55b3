"""Detection of copied outputs: of LQ, HQ, a reference or another submission, exact or re-encoded.

A copy becomes a flag on the board and excludes nothing: a restorer that returns LQ is a useful baseline.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from ...errors import UnreadableImageError
from ...images import RGB, luma, read_rgb
from ...progress import progress
from ...records.reference_set import ReferenceSet, Target
from ..store.flags import COPY, Flag
from .stored_again import Plane, measure_copy, psnr, quarter

COPY_DB = 45.0
UNCHANGED_LQ_DB = 55.0
CANDIDATE_DB = 34.0
REENCODED_LQ_DB = 49.0
MAX_SHARPENING = 1.03
MAX_RECOVERED = 0.02
MIN_COPY_SHARE = 0.25
COPY_OF_HQ_DB = 40.0
HQ_MARGIN_DB = 12.0
REENCODED_HQ_DB = 42.0
REENCODED_OTHER_DB = 47.0
OTHER_MARGIN_DB = 8.0
VIEW_SIDE = 64
MIN_CORRELATION = 0.99
MAX_DISTANCE_RATIO = 0.25
MIN_SIDE = 32
COPY_OF_LQ = f"{COPY}LQ"


@dataclass(frozen=True, slots=True)
class _Image:
    """Decoded pixels, luma, luma at a quarter of the size, and a 64-pixel view with mean 0 and norm 1."""

    pixels: RGB
    plane: Plane
    small: Plane
    view: Plane


def find_copies(
    reference_set: ReferenceSet,
    recipe: str,
    submissions: Mapping[str, Mapping[str, Path]],
    *,
    least: float = MIN_COPY_SHARE,
) -> dict[str, tuple[Flag, ...]]:
    """Compare all submissions of one benchmark with HQ, LQ, references and each other, image by image.

    An output is a copy

    - of LQ, from 55 dB of PSNR on, or if it is LQ re-encoded (`measure_copy`): from 49 dB on, not sharpened,
      and with at most 2 % of the detail that LQ lacks; reported from a quarter of the outputs on;
    - of HQ, from 40 dB of PSNR on, or from 42 dB as HQ re-encoded, if LQ is 12 dB farther from it;
    - of a reference or its mirror image, from 45 dB of PSNR on, or if their 64-pixel grey views correlate
      from 0.99 on and four times closer than HQ and the reference do;
    - of another submission, from 45 dB of PSNR on, or from 47 dB as that one re-encoded, if LQ is 8 dB
      farther from it.

    Filters are fitted only where the images agree to 34 dB at a quarter of the size.

    Args:
        reference_set: with HQ, LQ and references.
        recipe: name of the recipe of the LQ images.
        submissions: by name, images by key.
        least: share of a submission's outputs from which on copies of LQ are reported.

    Returns:
        The flags of each submission by its name.

    Images that cannot be read are left out.
    """
    keys = sorted({key for images in submissions.values() for key in images})
    known = {target.key: target for target in reference_set.targets}
    found: dict[str, Counter[str]] = {name: Counter() for name in submissions}

    def compare(key: str) -> dict[str, set[str]]:
        return _compare(
            reference_set,
            recipe,
            known[key],
            outputs={name: images.get(key) for name, images in submissions.items()},
        )

    with progress("looking for copies", len(keys)) as advance, ThreadPoolExecutor(os.cpu_count()) as pool:
        for kinds in pool.map(compare, [key for key in keys if key in known]):
            for name, copies in kinds.items():
                found[name].update(copies)
            advance(1)
    return {name: _flags(counts, len(submissions[name]), least) for name, counts in found.items()}


def _flags(counts: Counter[str], of: int, least: float) -> tuple[Flag, ...]:
    return tuple(
        Flag(kind=kind.split(": ")[0], text=f"{images} of {of} outputs are a {kind}", images=images, of=of)
        for kind, images in sorted(counts.items())
        if kind != COPY_OF_LQ or images >= least * of
    )


def _compare(
    reference_set: ReferenceSet, recipe: str, target: Target, *, outputs: Mapping[str, Path | None]
) -> dict[str, set[str]]:
    hq = _open(reference_set.hq_path(target.key))
    lq = _open(reference_set.lq_path(recipe, target.key))
    references = [_open(reference_set.hq_path(key)) for key in target.references]
    opened = {name: _open(path) for name, path in outputs.items() if path is not None}
    pictures = {name: picture for name, picture in opened.items() if picture is not None}
    found: dict[str, set[str]] = {}
    for name, picture in pictures.items():
        kind = _kind_of_copy(
            picture, hq, lq, references=[reference for reference in references if reference is not None]
        )
        found[name] = {kind} if kind else set()
    plain = [name for name in pictures if not found[name]]
    for place, name in enumerate(plain):
        for other in plain[place + 1 :]:
            if _are_same_output(pictures[name], pictures[other], lq):
                found[name].add(f"{COPY}another submission: {other}")
                found[other].add(f"{COPY}another submission: {name}")
    return found


def _kind_of_copy(
    picture: _Image, hq: _Image | None, lq: _Image | None, *, references: Sequence[_Image]
) -> str:
    if lq is not None and _is_lq(picture, lq, hq):
        return COPY_OF_LQ
    if hq is not None and _is_hq(picture, hq, lq):
        return f"{COPY}HQ"
    for reference in references:
        for other in (reference, _mirrored(reference)):
            closeness = float((picture.view * other.view).sum())
            usual = float((hq.view * other.view).sum()) if hq is not None else 0.0
            is_nearer = closeness >= MIN_CORRELATION and 1.0 - closeness <= MAX_DISTANCE_RATIO * (1.0 - usual)
            if is_nearer or _psnr(picture, other) >= COPY_DB:
                return f"{COPY}a reference"
    return ""


def _is_lq(picture: _Image, lq: _Image, hq: _Image | None) -> bool:
    if _level_free_psnr(picture, lq) >= UNCHANGED_LQ_DB:
        return True
    if not _may_be_copies(picture, lq):
        return False
    like = measure_copy(picture.plane, lq.plane, None if hq is None else hq.plane)
    return (
        like.residual_psnr >= REENCODED_LQ_DB
        and like.sharpening <= MAX_SHARPENING
        and not like.recovered > MAX_RECOVERED
    )


def _is_hq(picture: _Image, hq: _Image, lq: _Image | None) -> bool:
    near, before = _psnr(picture, hq), 0.0 if lq is None else _psnr(lq, hq)
    if near >= COPY_OF_HQ_DB and near >= before + HQ_MARGIN_DB:
        return True
    if not _may_be_copies(picture, hq):
        return False
    like = measure_copy(picture.plane, hq.plane).residual_psnr
    return like >= REENCODED_HQ_DB and (
        lq is None or like >= measure_copy(lq.plane, hq.plane).residual_psnr + HQ_MARGIN_DB
    )


def _may_be_copies(one: _Image, two: _Image) -> bool:
    """A quick comparison at a quarter of the size, before filters are fitted."""
    if one.plane.shape != two.plane.shape or min(one.plane.shape) < MIN_SIDE:
        return False
    gap = one.small - two.small
    return psnr(gap - np.median(gap)) >= CANDIDATE_DB


def _are_same_output(one: _Image, two: _Image, lq: _Image | None) -> bool:
    if _psnr(one, two) >= COPY_DB:
        return True
    if not _may_be_copies(one, two):
        return False
    for output, source in ((one, two), (two, one)):
        like = measure_copy(output.plane, source.plane).residual_psnr
        if like >= REENCODED_OTHER_DB and (
            lq is None or like >= measure_copy(lq.plane, source.plane).residual_psnr + OTHER_MARGIN_DB
        ):
            return True
    return False


def _open(path: Path) -> _Image | None:
    try:
        pixels = read_rgb(path)
    except UnreadableImageError:
        return None
    plane = luma(pixels).astype(np.float32)
    small = cv2.resize(plane, (VIEW_SIDE, VIEW_SIDE), interpolation=cv2.INTER_AREA)
    return _Image(pixels, plane, quarter(plane), _unit(np.asarray(small, dtype=np.float32)))


def _unit(view: Plane) -> Plane:
    centred = view - view.mean(dtype=np.float32)
    length = float(np.linalg.norm(centred))
    return np.asarray(centred / length if length else centred, dtype=np.float32)


def _mirrored(picture: _Image) -> _Image:
    return _Image(
        np.ascontiguousarray(picture.pixels[:, ::-1]),
        np.ascontiguousarray(picture.plane[:, ::-1]),
        np.ascontiguousarray(picture.small[:, ::-1]),
        np.ascontiguousarray(picture.view[:, ::-1]),
    )


def _psnr(a: _Image, b: _Image) -> float:
    if a.pixels.shape != b.pixels.shape:
        return 0.0
    return psnr(cv2.subtract(a.pixels, b.pixels, dtype=cv2.CV_16S).astype(np.float32))


def _level_free_psnr(a: _Image, b: _Image) -> float:
    """PSNR after the median difference of each channel is taken out."""
    if a.pixels.shape != b.pixels.shape:
        return 0.0
    gap = cv2.subtract(a.pixels, b.pixels, dtype=cv2.CV_16S)
    gap -= np.median(gap, axis=(0, 1)).astype(np.int16)
    return psnr(gap.astype(np.float32))
