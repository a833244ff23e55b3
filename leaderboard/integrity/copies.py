"""Integrity of outputs: copies of what they must not be, as they are or stored again.

What is found becomes a flag on the board. Nothing is banned in silence: a restorer that returns LQ is a
useful baseline, and a reader must only know.
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
from ...images import RGB, read_rgb
from ...progress import progress
from ...records.reference_set import ReferenceSet, Target
from ..store.flags import Flag
from .stored_again import Plane, likeness, luma, psnr, quarter

SAME = 45.0
UNTOUCHED = 55.0
NEAR = 34.0
STORED_AGAIN = 49.0
SHARPENED = 1.03
BROUGHT = 0.02
MANY = 0.25
RESTORED = 40.0
GAIN = 12.0
STORED_HQ = 42.0
STORED_TWIN = 47.0
FARTHER = 8.0
VIEW = 64
ALIKE = 0.99
NEARER = 0.25
LEAST_SIDE = 32
COPY_OF_LQ = "copy of LQ"


@dataclass(frozen=True, slots=True)
class _Picture:
    """Decoded pixels, their luma, that in a quarter of the size, and a grey view with mean 0 and norm 1."""

    pixels: RGB
    plane: Plane
    small: Plane
    view: Plane


def find_copies(
    reference_set: ReferenceSet,
    recipe: str,
    submissions: Mapping[str, Mapping[str, Path]],
    *,
    least: float = MANY,
) -> dict[str, tuple[Flag, ...]]:
    """Compare all submissions of one benchmark with HQ, LQ, references and each other, image by image.

    An output is a copy

    - of LQ, from 55 dB of PSNR on, or if it is LQ stored again (`likeness`): from 49 dB on, not sharpened,
      and with at most 2 % of what LQ lacks; a quarter of a submission's outputs must be one;
    - of HQ, from 40 dB of PSNR on, or from 42 dB as HQ stored again, if LQ is 12 dB farther from it;
    - of a reference or its mirror image, from 45 dB of PSNR on, or if their 64-pixel grey views correlate
      from 0.99 on and four times closer than HQ and the reference do;
    - of another submission, from 45 dB of PSNR on, or from 47 dB as that one stored again, if LQ is 8 dB
      farther from it.

    What is near to nothing else costs little: filters are fitted only where a quarter of the size has 34 dB.

    Args:
        reference_set: with HQ, LQ and references.
        recipe: name of the recipe of the LQ images.
        submissions: by name, images by key.
        least: share of a submission's outputs from which on copies of LQ are told.
    """
    keys = sorted({key for images in submissions.values() for key in images})
    known = {target.key: target for target in reference_set.targets}
    found: dict[str, Counter[str]] = {name: Counter() for name in submissions}

    def look(key: str) -> dict[str, set[str]]:
        return _look(
            reference_set,
            recipe,
            known[key],
            outputs={name: images.get(key) for name, images in submissions.items()},
        )

    with progress("looking for copies", len(keys)) as advance, ThreadPoolExecutor(os.cpu_count()) as pool:
        for kinds in pool.map(look, [key for key in keys if key in known]):
            for name, said in kinds.items():
                found[name].update(said)
            advance(1)
    return {name: _flags(counts, len(submissions[name]), least) for name, counts in found.items()}


def _flags(counts: Counter[str], of: int, least: float) -> tuple[Flag, ...]:
    return tuple(
        Flag(kind=kind.split(": ")[0], text=f"{images} of {of} outputs are a {kind}", images=images, of=of)
        for kind, images in sorted(counts.items())
        if kind != COPY_OF_LQ or images >= least * of
    )


def _look(
    reference_set: ReferenceSet, recipe: str, target: Target, *, outputs: Mapping[str, Path | None]
) -> dict[str, set[str]]:
    hq = _open(reference_set.hq_path(target.key))
    lq = _open(reference_set.lq_path(recipe, target.key))
    references = [_open(reference_set.hq_path(key)) for key in target.references]
    opened = {name: _open(path) for name, path in outputs.items() if path is not None}
    pictures = {name: picture for name, picture in opened.items() if picture is not None}
    found: dict[str, set[str]] = {}
    for name, picture in pictures.items():
        kind = _kind(
            picture, hq, lq, references=[reference for reference in references if reference is not None]
        )
        found[name] = {kind} if kind else set()
    plain = [name for name in pictures if not found[name]]
    for place, name in enumerate(plain):
        for other in plain[place + 1 :]:
            if _are_twins(pictures[name], pictures[other], lq):
                found[name].add(f"copy of another submission: {other}")
                found[other].add(f"copy of another submission: {name}")
    return found


def _kind(
    picture: _Picture, hq: _Picture | None, lq: _Picture | None, *, references: Sequence[_Picture]
) -> str:
    if lq is not None and _is_lq(picture, lq, hq):
        return COPY_OF_LQ
    if hq is not None and _is_hq(picture, hq, lq):
        return "copy of HQ"
    for reference in references:
        for other in (reference, _mirrored(reference)):
            closeness = float((picture.view * other.view).sum())
            usual = float((hq.view * other.view).sum()) if hq is not None else 0.0
            is_nearer = closeness >= ALIKE and 1.0 - closeness <= NEARER * (1.0 - usual)
            if is_nearer or _psnr(picture, other) >= SAME:
                return "copy of a reference"
    return ""


def _is_lq(picture: _Picture, lq: _Picture, hq: _Picture | None) -> bool:
    if _level_free_psnr(picture, lq) >= UNTOUCHED:
        return True
    if not _may_be_copies(picture, lq):
        return False
    like = likeness(picture.plane, lq.plane, None if hq is None else hq.plane)
    return like.decibel >= STORED_AGAIN and like.sharpening <= SHARPENED and not like.brought > BROUGHT


def _is_hq(picture: _Picture, hq: _Picture, lq: _Picture | None) -> bool:
    near, before = _psnr(picture, hq), 0.0 if lq is None else _psnr(lq, hq)
    if near >= RESTORED and near >= before + GAIN:
        return True
    if not _may_be_copies(picture, hq):
        return False
    like = likeness(picture.plane, hq.plane).decibel
    return like >= STORED_HQ and (lq is None or like >= likeness(lq.plane, hq.plane).decibel + GAIN)


def _may_be_copies(one: _Picture, two: _Picture) -> bool:
    """A quick look in a quarter of the size, before filters are fitted."""
    if one.plane.shape != two.plane.shape or min(one.plane.shape) < LEAST_SIDE:
        return False
    gap = one.small - two.small
    return psnr(gap - np.median(gap)) >= NEAR


def _are_twins(one: _Picture, two: _Picture, lq: _Picture | None) -> bool:
    if _psnr(one, two) >= SAME:
        return True
    if not _may_be_copies(one, two):
        return False
    for output, source in ((one, two), (two, one)):
        like = likeness(output.plane, source.plane).decibel
        if like >= STORED_TWIN and (lq is None or like >= likeness(lq.plane, source.plane).decibel + FARTHER):
            return True
    return False


def _open(path: Path) -> _Picture | None:
    try:
        pixels = read_rgb(path)
    except UnreadableImageError:
        return None
    plane = luma(pixels)
    small = cv2.resize(plane, (VIEW, VIEW), interpolation=cv2.INTER_AREA)
    return _Picture(pixels, plane, quarter(plane), _unit(np.asarray(small, dtype=np.float32)))


def _unit(view: Plane) -> Plane:
    centred = view - view.mean(dtype=np.float32)
    length = float(np.linalg.norm(centred))
    return np.asarray(centred / length if length else centred, dtype=np.float32)


def _mirrored(picture: _Picture) -> _Picture:
    return _Picture(
        np.ascontiguousarray(picture.pixels[:, ::-1]),
        np.ascontiguousarray(picture.plane[:, ::-1]),
        np.ascontiguousarray(picture.small[:, ::-1]),
        np.ascontiguousarray(picture.view[:, ::-1]),
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
    return psnr(gap.astype(np.float32))
