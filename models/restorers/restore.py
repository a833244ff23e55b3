"""Batch restoration of images: a seed per image, rounding to 8 bits, failures per image, resumable runs."""

from __future__ import annotations

import hashlib
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from ...errors import InvalidInputError, RefbenchError
from ...files import StrPath
from ...folder_lock import locks
from ...images import RGB, enlarged, read_rgb, to_uint8, write_png
from ...progress import progress
from ...records.card import RestorerCard
from ...records.run_manifest import Job, close_run, open_run
from ...user_code import explain_error
from .restorer import AnyRestorer, FileRestorer
from .user_restorers import FolderRestorer

RANGE_SLACK = 0.5


@dataclass(frozen=True, slots=True)
class RestoreReport:
    """Result of a restoration run.

    Attributes:
        restored: keys restored by this run.
        kept: keys restored by an earlier run in the same folder.
        failures: reason why there is no image, by key.
        seconds_per_image: mean seconds in the restorer, without reading and writing of files; None unless
            recorded, and for a folder of finished images, whose model ran elsewhere.
        peak_memory_mib: largest memory of the process, or of the GPU where one is used; None likewise, and on
            Windows, where it is not measured.
    """

    restored: tuple[str, ...]
    kept: tuple[str, ...]
    failures: Mapping[str, str]
    seconds_per_image: float | None = None
    peak_memory_mib: float | None = None


@locks("out")
def restore_images(
    jobs: Sequence[Job],
    restorer: AnyRestorer,
    out: StrPath,
    *,
    seed: int = 0,
    batch_size: int = 1,
    record_times: bool = False,
) -> RestoreReport:
    """Restore every job and write ``out/KEY.png``: 8-bit RGB, rounded to the nearest level, not truncated.

    Random numbers of an image depend on (seed, key) alone. The run manifest ``out/restore.json`` names the
    restorer, the seed, the hash of every input, and the failures with their reasons. Images made by the same
    restorer, seed and inputs are kept, so a killed run is resumed by the same call. A failed image does not
    affect the others; the next run tries it again.

    Args:
        jobs: key, LQ image and references of each face; images of one job have one size.
        restorer: a `Restorer` or `FileRestorer`, see `load_restorer`.
        out: folder of the images; created if absent.
        seed: base of the images' seeds.
        batch_size: images restored together, of one size; any number gives the same images.
        record_times: measure seconds per image and peak memory (MiB).

    Raises:
        RefbenchError: ``out`` holds images of another run; a duplicate key; a batch size below 1; a restorer
            that cannot run at all.
        FaultListError: absent inputs.
    """
    out = Path(out)
    if batch_size < 1:
        raise RefbenchError(f"batch_size must be at least 1; got {batch_size}")
    keys = [job.key for job in jobs]
    if len(set(keys)) < len(keys):
        twice = sorted({key for key in keys if keys.count(key) > 1})
        raise RefbenchError(f"every image needs a unique key; duplicate: {', '.join(twice)}")
    card = card_of(restorer)
    jobs = [replace(job, references=job.references[: card.references_used]) for job in jobs]
    manifest = open_run(jobs, card, seed, out=out)
    kept = tuple(key for key in keys if (out / f"{key}.png").exists())
    waiting = [job for job in jobs if job.key not in set(kept)]
    restored: list[str] = []
    failures: dict[str, str] = {}
    seconds = 0.0
    with progress("restore", len(waiting)) as advance:
        for first in range(0, len(waiting), batch_size):
            batch = waiting[first : first + batch_size]
            outcomes, spent = _restore_batch(batch, restorer, seed)
            seconds += spent
            for key, outcome in outcomes:
                if isinstance(outcome, str):
                    failures[key] = outcome
                else:
                    write_png(out / f"{key}.png", outcome)
                    restored.append(key)
            advance(len(batch))
    close_run(manifest, failures, out)
    if not record_times or not restored or isinstance(restorer, FolderRestorer):
        return RestoreReport(tuple(restored), kept, failures)
    return RestoreReport(tuple(restored), kept, failures, seconds / len(restored), peak_memory_mib())


def card_of(restorer: AnyRestorer) -> RestorerCard:
    """The card of a restorer.

    Raises:
        RefbenchError: a restorer of the user's that has none, or whose code fails.
    """
    try:
        card = restorer.card
    except RefbenchError:
        raise
    except Exception as error:
        raise RefbenchError(f"the restorer's card cannot be read: {explain_error(error)}") from error
    if not isinstance(card, RestorerCard):
        raise RefbenchError(f"the restorer's card is {type(card).__name__}; wanted refbench.RestorerCard")
    return card


def image_seed(seed: int, key: str) -> int:
    """Seed of one image: 63 bits of the SHA-256 of (seed, key)."""
    return int.from_bytes(hashlib.sha256(f"{seed}:{key}".encode()).digest()[:8], "big") >> 1


def peak_memory_mib() -> float | None:
    """Largest memory so far, in MiB: of the GPU where one was used, else of this process or a child of it.

    None where it cannot be measured: Windows has no ``resource`` module.
    """
    if torch.cuda.is_available() and torch.cuda.max_memory_allocated() > 0:
        return torch.cuda.max_memory_allocated() / 2**20
    try:
        import resource
    except ImportError:
        return None
    unit = 2**20 if sys.platform == "darwin" else 2**10
    users = (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    return max(resource.getrusage(user).ru_maxrss for user in users) / unit


@dataclass(frozen=True, slots=True)
class _Face:
    job: Job
    lq: RGB
    references: tuple[RGB, ...]


def _restore_batch(
    batch: Sequence[Job], restorer: AnyRestorer, seed: int
) -> tuple[list[tuple[str, RGB | str]], float]:
    """The image or the reason of failure for each key, and the seconds spent in the restorer."""
    outcomes: list[tuple[str, RGB | str]] = []
    faces: list[_Face] = []
    for job in batch:
        try:
            faces.append(_read_face(job))
        except InvalidInputError as fault:
            outcomes.append((job.key, str(fault)))
    groups = [[face] for face in faces] if isinstance(restorer, FileRestorer) else list(_by_size(faces))
    seconds = 0.0
    while groups:
        group = groups.pop(0)
        start = time.perf_counter()
        try:
            images = _run(restorer, group, seed)
        except (Exception, SystemExit) as error:
            if isinstance(error, RefbenchError) and not isinstance(error, InvalidInputError):
                raise
            if len(group) > 1:
                groups = [[face] for face in group] + groups
            else:
                outcomes.append((group[0].job.key, _reason(error)))
            continue
        finally:
            seconds += time.perf_counter() - start
        for face, image in zip(group, images, strict=True):
            wrong = _fault(image, face.lq.shape)
            outcomes.append((face.job.key, wrong or _to_rgb(image)))
    return outcomes, seconds


def _read_face(job: Job) -> _Face:
    lq = read_rgb(job.lq)
    lq = enlarged(lq, job.size or (lq.shape[1], lq.shape[0]))
    references = tuple(read_rgb(path) for path in job.references)
    for path, reference in zip(job.references, references, strict=True):
        if reference.shape != lq.shape:
            sizes = f"{reference.shape[1]}x{reference.shape[0]}, its LQ image {lq.shape[1]}x{lq.shape[0]}"
            raise InvalidInputError(f"reference {path.name} is {sizes}; they must be of one size")
    return _Face(job, lq, references)


def _by_size(faces: Sequence[_Face]) -> Iterator[list[_Face]]:
    shapes = dict.fromkeys(face.lq.shape for face in faces)
    yield from ([face for face in faces if face.lq.shape == shape] for shape in shapes)


def _run(restorer: AnyRestorer, faces: Sequence[_Face], seed: int) -> Sequence[Tensor | RGB]:
    seeds = [image_seed(seed, face.job.key) for face in faces]
    if isinstance(restorer, FileRestorer):
        return [restorer.restore_file(face.job, one) for face, one in zip(faces, seeds, strict=True)]
    with torch.inference_mode():
        restored = restorer.restore(
            torch.cat([_to_batch(face.lq) for face in faces]),
            [
                torch.cat([torch.empty(0, 3, *face.lq.shape[:2]), *map(_to_batch, face.references)])
                for face in faces
            ],
            [torch.Generator().manual_seed(one) for one in seeds],
        )
    if not isinstance(restored, Tensor):
        raise InvalidInputError(f"the restorer returned {type(restored).__name__}; wanted a tensor")
    wanted = (len(faces), 3, *faces[0].lq.shape[:2])
    if tuple(restored.shape) != wanted:
        raise InvalidInputError(f"the restorer returned {tuple(restored.shape)}; wanted {wanted}")
    return list(restored.cpu())


def _fault(image: Tensor | RGB, wanted: tuple[int, ...]) -> str:
    """The fault of a restored image whose LQ image has the shape ``wanted`` (HWC); empty if there is none."""
    if isinstance(image, np.ndarray):
        return "" if image.shape == wanted else f"the result is {image.shape}; wanted {wanted}"
    if not image.is_floating_point():
        return f"the restorer returned {image.dtype}; wanted float32 in [0, 1]"
    if not bool(image.isfinite().all()):
        return "the restorer returned NaN or infinity"
    low, high = float(image.min()), float(image.max())
    if low < -RANGE_SLACK or high > 1 + RANGE_SLACK:
        return f"the restorer returned values from {low:.3g} to {high:.3g}; wanted [0, 1]"
    return ""


def _to_batch(pixels: RGB) -> Tensor:
    return torch.from_numpy(pixels).permute(2, 0, 1)[None].to(torch.float32) / 255


def _to_rgb(image: Tensor | RGB) -> RGB:
    if isinstance(image, np.ndarray):
        return image
    return to_uint8(image.permute(1, 2, 0).to(torch.float32).numpy())


def _reason(error: BaseException) -> str:
    text = str(error).strip().splitlines()
    said = text[0] if text else ""
    return said if isinstance(error, InvalidInputError) else explain_error(error)
