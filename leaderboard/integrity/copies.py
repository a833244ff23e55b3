"""Detection of copied outputs: of LQ, HQ, a reference or another submission, exact or re-encoded.

A copy becomes a flag on the board and excludes nothing: a restorer that returns LQ is a useful baseline.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import cached_property, lru_cache
from pathlib import Path

import cv2
import numpy as np
from threadpoolctl import threadpool_limits

from ...errors import UnreadableImageError
from ...files import StrPath, paths_by_key, sha256_file, sha256_json
from ...images import RGB, enlarged, luma, read_rgb
from ...progress import progress
from ...records.reference_set import ReferenceSet, Target
from ..arrays import Floats
from ..store.flags import COPY, Flag
from ..store.names import safe_name
from .known_copies import KnownCopies
from .stored_again import CopySource, Plane, psnr, quarter, recovered_share, residual_psnr, sharpening_of

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
RULES = (
    1,  # the version of the rules: raise it when the code below finds other copies
    *(COPY_DB, UNCHANGED_LQ_DB, CANDIDATE_DB, REENCODED_LQ_DB, MAX_SHARPENING, MAX_RECOVERED),
    *(COPY_OF_HQ_DB, HQ_MARGIN_DB, REENCODED_HQ_DB, REENCODED_OTHER_DB, OTHER_MARGIN_DB),
    *(VIEW_SIDE, MIN_CORRELATION, MAX_DISTANCE_RATIO, MIN_SIDE),
)
LUMA_SHARE = 3 * 0.587
"""Most that the squared error of BT.601 luma can be, relative to the mean over red, green and blue."""
ROUNDING = 1.0
"""Most that rounding two lumas to 8 bits moves their difference, in levels."""
SLACK = 0.001
KEPT_FILES = 4_096


class _Image:
    """Decoded pixels and what is derived from them: planes of luma, a small one, and a 64-pixel view."""

    def __init__(self, pixels: RGB) -> None:
        self.pixels = pixels

    @cached_property
    def plane(self) -> Plane:
        """Luma, float32 (H, W), 0 to 255."""
        return luma(self.pixels).astype(np.float32)

    @cached_property
    def small(self) -> Plane:
        """Luma at a quarter of the size."""
        return quarter(self.plane)

    @cached_property
    def view(self) -> Plane:
        """A 64-pixel view of luma with mean 0 and norm 1."""
        small = cv2.resize(self.plane, (VIEW_SIDE, VIEW_SIDE), interpolation=cv2.INTER_AREA)
        return _unit(np.asarray(small, dtype=np.float32))

    @cached_property
    def source(self) -> CopySource:
        """Luma as a source of copies, with what its comparisons share."""
        return CopySource(self.plane)


class _Files:
    """What several images of a set need of one file: its hash, and the small planes of a reference."""

    def __init__(self) -> None:
        self.digest = lru_cache(KEPT_FILES)(_digest)
        self.reference = lru_cache(KEPT_FILES)(_reference)


def _digest(path: Path) -> str:
    """SHA-256 of a file; empty for one that cannot be read."""
    try:
        return sha256_file(path)
    except OSError:
        return ""


def _reference(path: Path) -> tuple[Plane, Plane] | None:
    """The view and the small plane of a reference; None for one that cannot be read."""
    image = _open(path)
    return None if image is None else (image.view, image.small)


class _Scene:
    """One image of a set with all that its outputs are compared with, each part read when it is needed."""

    def __init__(self, reference_set: ReferenceSet, recipe: str, target: Target, *, files: _Files) -> None:
        self.set = reference_set
        self.target = target
        self.files = files
        self._lq_path = reference_set.lq_path(recipe, target.key)

    @property
    def fingerprint(self) -> str:
        """Hash of the files of HQ, LQ and the references."""
        paths = [self.set.hq_path(self.target.key), self._lq_path]
        paths += [self.set.hq_path(key) for key in self.target.references]
        return sha256_json([self.files.digest(path) for path in paths])

    @cached_property
    def hq(self) -> _Image | None:
        return _open(self.set.hq_path(self.target.key))

    @cached_property
    def lq(self) -> _Image | None:
        lq = _open(self._lq_path)
        return None if lq is None else _Image(enlarged(lq.pixels, (self.target.width, self.target.height)))

    @cached_property
    def lq_to_hq(self) -> float:
        """How much LQ looks like HQ re-encoded: the PSNR of the residual; 0 where one is absent."""
        if self.lq is None or self.hq is None:
            return 0.0
        return residual_psnr(self.lq.source, self.hq.source)


def find_copies(
    reference_set: ReferenceSet,
    recipe: str,
    submissions: Mapping[str, Mapping[str, StrPath]],
    *,
    least: float = MIN_COPY_SHARE,
    kept: StrPath | None = None,
    digests: Mapping[str, Mapping[str, str]] | None = None,
) -> dict[str, tuple[Flag, ...]]:
    """Compare all submissions of one track with HQ, LQ, references and each other, image by image.

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
        kept: folder where comparisons are kept by the content of the images, so that each is made once; None
            for nowhere.
        digests: SHA-256 of the images, as ``submissions``; None to compute them where they are needed.

    Returns:
        The flags of each submission by its name.

    Images that cannot be read are left out.
    """
    given = {name: paths_by_key(images) for name, images in submissions.items()}
    keys = sorted({key for images in given.values() for key in images})
    known = {target.key: target for target in reference_set.targets}
    found: dict[str, Counter[str]] = {name: Counter() for name in given}
    name = f"{safe_name(recipe)}-{reference_set.info.content_hash[:16]}"
    before, files = KnownCopies.open(None if kept is None else Path(kept), name, RULES), _Files()

    def compare(key: str) -> dict[str, set[str]]:
        paths = {name: images[key] for name, images in given.items() if key in images}
        hashes = {
            name: digests[name][key] if digests is not None else files.digest(path)
            for name, path in paths.items()
        }
        scene = _Scene(reference_set, recipe, known[key], files=files)
        return _compare(scene, paths, hashes, before=before)

    with (
        _one_thread_each(),
        progress("looking for copies", len(keys)) as advance,
        ThreadPoolExecutor(os.cpu_count()) as pool,
    ):
        for kinds in pool.map(compare, [key for key in keys if key in known]):
            for name, copies in kinds.items():
                found[name].update(copies)
            advance(1)
    before.write()
    return {name: _flags(counts, len(given[name]), least) for name, counts in found.items()}


@contextmanager
def _one_thread_each() -> Iterator[None]:
    """Linear algebra and OpenCV with one thread each, since several images are compared at once."""
    threads = cv2.getNumThreads()
    cv2.setNumThreads(1)
    try:
        with threadpool_limits(1):
            yield
    finally:
        cv2.setNumThreads(threads)


def _flags(counts: Counter[str], of: int, least: float) -> tuple[Flag, ...]:
    return tuple(
        Flag(kind=kind.split(": ")[0], text=f"{images} of {of} outputs are a {kind}", images=images, of=of)
        for kind, images in sorted(counts.items())
        if kind != COPY_OF_LQ or images >= least * of
    )


def _compare(
    scene: _Scene, paths: Mapping[str, Path], hashes: Mapping[str, str], *, before: KnownCopies
) -> dict[str, set[str]]:
    """What each output of one image is a copy of, by name; only what is not known yet is compared."""
    known = before.of(scene.target.key, scene.fingerprint)
    pictures = _Pictures(paths)
    todo = {hashes[name]: name for name in paths if hashes[name] not in known.kinds}
    opened = {digest: image for digest, name in todo.items() if (image := pictures[name]) is not None}
    known.kinds |= _kinds_of_copies(opened, scene)
    found = {name: {known.kinds[hashes[name]]} - {""} for name in paths if hashes[name] in known.kinds}
    plain = [name for name in paths if name in found and not found[name]]
    pairs = [(one, two) for place, one in enumerate(plain) for two in plain[place + 1 :]]
    lacking = [pair for pair in pairs if _pair(hashes, pair) not in known.pairs]
    if lacking:
        known.pairs |= {
            _pair(hashes, pair): same for pair, same in _same_outputs(lacking, pictures, scene).items()
        }
    for one, two in pairs:
        if known.pairs.get(_pair(hashes, (one, two)), False):
            found[one].add(f"{COPY}another submission: {two}")
            found[two].add(f"{COPY}another submission: {one}")
    return found


class _Pictures(dict[str, "_Image | None"]):
    """The outputs of one image by name, each read when it is needed; None for one that cannot be read."""

    def __init__(self, paths: Mapping[str, Path]) -> None:
        super().__init__()
        self._paths = paths

    def __missing__(self, name: str) -> _Image | None:
        self[name] = _open(self._paths[name])
        return self[name]


def _pair(hashes: Mapping[str, str], names: tuple[str, str]) -> tuple[str, str]:
    one, two = sorted(hashes[name] for name in names)
    return one, two


def _kinds_of_copies(outputs: Mapping[str, _Image], scene: _Scene) -> dict[str, str]:
    """What each output is a copy of, LQ, HQ or a reference; empty for nothing."""
    kinds = {}
    for name, picture in outputs.items():
        if scene.lq is not None and _is_lq(picture, scene.lq, scene.hq):
            kinds[name] = COPY_OF_LQ
        elif scene.hq is not None and _is_hq(picture, scene.hq, scene):
            kinds[name] = f"{COPY}HQ"
    rest = {name: picture for name, picture in outputs.items() if name not in kinds}
    return kinds | _copies_of_references(rest, scene)


def _copies_of_references(outputs: Mapping[str, _Image], scene: _Scene) -> dict[str, str]:
    """Which outputs are a copy of a reference or of its mirror image; the 64-pixel views decide first."""
    found = dict.fromkeys(outputs, "")
    if not outputs or not scene.target.references:
        return found
    paths = [scene.set.hq_path(key) for key in scene.target.references]
    held = [(path, planes) for path in paths if (planes := scene.files.reference(path)) is not None]
    if not held:
        return found
    others = [
        (path, small[:, ::-1] if is_mirrored else small, is_mirrored)
        for path, (_, small) in held
        for is_mirrored in (False, True)
    ]
    sides = [side for _, (view, _) in held for side in (view, view[:, ::-1])]
    usual = [0.0 if scene.hq is None else float((scene.hq.view * side).sum()) for side in sides]
    closeness = _rows([image.view for image in outputs.values()]) @ _rows(sides).T
    for row, (name, picture) in enumerate(outputs.items()):
        for place, (path, small, is_mirrored) in enumerate(others):
            near = closeness[row, place]
            is_nearer = near >= MIN_CORRELATION and 1.0 - near <= MAX_DISTANCE_RATIO * (1.0 - usual[place])
            if is_nearer or _is_close_to(picture, path, small, is_mirrored=is_mirrored):
                found[name] = f"{COPY}a reference"
                break
    return found


def _is_close_to(picture: _Image, path: Path, small: Plane, *, is_mirrored: bool) -> bool:
    """Whether a picture is within 45 dB of a reference, which is read only where its small plane is near."""
    if small.shape != picture.small.shape:
        return False
    if _has_whole_areas(picture) and not _may_reach(picture.small - small, COPY_DB):
        return False
    reference = _open(path)
    if reference is None:
        return False
    pixels = np.ascontiguousarray(reference.pixels[:, ::-1]) if is_mirrored else reference.pixels
    return _psnr(picture, _Image(pixels)) >= COPY_DB


def _is_lq(picture: _Image, lq: _Image, hq: _Image | None) -> bool:
    if _is_unchanged(picture, lq):
        return True
    if not _may_be_copies(picture, lq):
        return False
    if residual_psnr(picture.source, lq.source) < REENCODED_LQ_DB:
        return False
    if sharpening_of(picture.source, lq.source) > MAX_SHARPENING:
        return False
    return hq is None or not recovered_share(picture.source, lq.source, hq.source) > MAX_RECOVERED


def _is_hq(picture: _Image, hq: _Image, scene: _Scene) -> bool:
    if _reaches(picture, hq, COPY_OF_HQ_DB):
        before = 0.0 if scene.lq is None else _psnr(scene.lq, hq)
        if _psnr(picture, hq) >= before + HQ_MARGIN_DB:
            return True
    if not _may_be_copies(picture, hq):
        return False
    like = residual_psnr(picture.source, hq.source)
    return like >= REENCODED_HQ_DB and (scene.lq is None or like >= scene.lq_to_hq + HQ_MARGIN_DB)


def _same_outputs(
    pairs: Sequence[tuple[str, str]], pictures: _Pictures, scene: _Scene
) -> dict[tuple[str, str], bool]:
    """Of each pair of outputs, whether one is a copy of the other."""
    names = sorted({name for pair in pairs for name in pair})
    images = {name: image for name in names if (image := pictures[name]) is not None}
    spread = _spreads([image.small for image in images.values()])
    place = {name: number for number, name in enumerate(images)}
    from_lq: dict[str, float] = {}

    def of_lq(name: str) -> float:
        """How much LQ looks like this output re-encoded; minus infinity without LQ."""
        if name not in from_lq:
            source = images[name].source
            from_lq[name] = -np.inf if scene.lq is None else residual_psnr(scene.lq.source, source)
        return from_lq[name]

    found = {}
    most = _most_square(CANDIDATE_DB) * (1 + SLACK) + SLACK
    for one, two in pairs:
        if one not in images or two not in images:
            continue
        a, b = images[one], images[two]
        is_far = spread is not None and spread[place[one], place[two]] > most
        found[one, two] = not is_far and (
            _reaches(a, b, COPY_DB)
            or (_may_be_copies(a, b) and _is_reencoded(a, b, names=(one, two), of_lq=of_lq))
        )
    return found


def _is_reencoded(a: _Image, b: _Image, *, names: tuple[str, str], of_lq: Callable[[str], float]) -> bool:
    """Whether one of two outputs is the other re-encoded, and LQ is not nearly as close to it."""
    for output, source, name in ((a, b, names[1]), (b, a, names[0])):
        like = residual_psnr(output.source, source.source)
        if like >= REENCODED_OTHER_DB and like >= of_lq(name) + OTHER_MARGIN_DB:
            return True
    return False


def _may_be_copies(one: _Image, two: _Image) -> bool:
    """A quick comparison at a quarter of the size, before filters are fitted."""
    if one.plane.shape != two.plane.shape or min(one.plane.shape) < MIN_SIDE:
        return False
    gap = one.small - two.small
    if float(gap.var()) > _most_square(CANDIDATE_DB) * (1 + SLACK):
        return False
    return psnr(gap - np.median(gap)) >= CANDIDATE_DB


def _most_square(db: float) -> float:
    """The mean squared error, in levels of 255, of a PSNR in dB."""
    return float(255.0**2 / 10 ** (db / 10))


def _may_reach(gap: Plane, db: float) -> bool:
    """False where the difference of two lumas at a quarter of the size rules out a PSNR of ``db`` or more.

    Averaging over areas makes no mean square larger, and luma is a mean of the channels.
    """
    most = (np.sqrt(LUMA_SHARE * _most_square(db)) + ROUNDING) ** 2
    return bool(np.square(gap).mean() <= most * (1 + SLACK))


def _has_whole_areas(image: _Image) -> bool:
    """Whether a quarter of the size averages areas of 4 x 4 pixels, which `_may_reach` needs."""
    return all(side >= 4 and side % 4 == 0 for side in image.plane.shape)


def _reaches(one: _Image, two: _Image, db: float) -> bool:
    """Whether the PSNR of two images is at least ``db``."""
    if one.pixels.shape != two.pixels.shape:
        return False
    if _has_whole_areas(one) and not _may_reach(one.small - two.small, db):
        return False
    return _psnr(one, two) >= db


def _spreads(planes: Sequence[Plane]) -> Floats | None:
    """The variance of the difference of every two planes; None where their sizes differ."""
    if len({plane.shape for plane in planes}) != 1:
        return None
    rows = _rows([plane - plane.mean() for plane in planes])
    products = rows @ rows.T
    lengths = np.diagonal(products)
    return np.asarray((lengths[:, None] + lengths[None, :] - 2 * products) / rows.shape[1])


def _rows(planes: Sequence[Plane]) -> Floats:
    return np.stack([plane.ravel() for plane in planes]).astype(np.float64)


def _open(path: Path) -> _Image | None:
    try:
        return _Image(read_rgb(path))
    except UnreadableImageError:
        return None


def _unit(view: Plane) -> Plane:
    centred = view - view.mean(dtype=np.float32)
    length = float(np.linalg.norm(centred))
    return np.asarray(centred / length if length else centred, dtype=np.float32)


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


def _is_unchanged(picture: _Image, lq: _Image) -> bool:
    """Whether a picture is LQ but for a level per channel."""
    if picture.pixels.shape != lq.pixels.shape:
        return False
    gap = picture.small - lq.small
    if _has_whole_areas(lq) and not _may_reach(gap - gap.mean(), UNCHANGED_LQ_DB):
        return False
    return _level_free_psnr(picture, lq) >= UNCHANGED_LQ_DB
