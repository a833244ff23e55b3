"""Metrics of image files: one pair of images, or two folders of images that are paired by file name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch

from ..errors import FaultListError, RefbenchError
from ..faces.align import FFHQ_512, template_at
from ..faces.detectors.detect import find_faces, load_detector
from ..files import StrPath, names_of
from ..images import find_photos, read_rgb
from ..progress import track
from ..records.protocol import Protocol
from .catalogue import ALL_READY, select
from .core.feature import Landmarks
from .core.metric import NOT_FINITE, GainMetric, Metric, ReferenceMetric, SetMetric, size_fault
from .requirements import check_requirements, needs
from .scoring.meter import Meter

DEFAULT = ("psnr/rgb", "ssim/y-full@2")
"""What `measure_files` takes by default: no weights, the same on every machine."""
NO_FACE = "no face was detected in this image, which is not square"


@dataclass(frozen=True, slots=True)
class FileMeasure:
    """The result of one protocol on image files.

    Attributes:
        protocol: what the number means.
        value: the mean over the scored images, or the number of the set; NaN where no image was scored.
        values: value by image name, NaN where unscored; empty for a number of the set.
        reasons: why an image is unscored, by its name.
    """

    protocol: Protocol
    value: float
    values: Mapping[str, float]
    reasons: Mapping[str, str] = field(default_factory=dict)

    @property
    def unscored(self) -> int:
        """Number of images without a value."""
        return sum(value != value for value in self.values.values())


def measure_files(
    restored: StrPath,
    hq: StrPath | None = None,
    *,
    protocols: Sequence[str] | str = DEFAULT,
    device: str = "cpu",
) -> list[FileMeasure]:
    """Measure one image or a folder of images, against HQ where a protocol compares with it.

    Images of two folders are paired by the names of their files without the ending. Where a metric crops the
    face, square images are taken to be faces aligned as FFHQ's, whose landmarks lie on the template; in
    others the landmarks are detected (MTCNN) in the HQ image. A reference set has landmarks of its own, with
    which a number can differ: build one and use `score`.

    Args:
        restored: an image, or a folder of images.
        hq: the same of the HQ images, of the same sizes; None for protocols that compare with nothing.
        protocols: ids; gains and metrics against references need a reference set and are refused.
        device: where networks run.

    Raises:
        FaultListError: images on one side only, or two of one name.
        RefbenchError: an unknown protocol, one that needs more than these files, images of unequal sizes,
            absent weights (also those of the detector, where images are not square).
    """
    restored = Path(restored)
    hq = None if hq is None else Path(hq)
    protocols = names_of(protocols)
    pairs = _pairs(restored, hq)
    metrics = _fitting(select(protocols), protocols, with_hq=hq is not None)
    check_requirements(metrics)
    meters = [Meter(metric.protocol.scored_as, device) for metric in metrics]
    values: list[dict[str, float]] = [{} for _ in meters]
    reasons: list[dict[str, str]] = [{} for _ in meters]
    for name, (image, truth) in track("measure", sorted(pairs.items()), len(pairs)):
        restored_pixels = _tensor(image)
        hq_pixels = None if truth is None else _tensor(truth)
        if hq_pixels is not None and restored_pixels.shape != hq_pixels.shape:
            sizes = [f"{one.shape[3]}x{one.shape[2]}" for one in (restored_pixels, hq_pixels)]
            raise RefbenchError(
                f"{image} is {sizes[0]} and {truth} is {sizes[1]}; a pair needs one size, nothing is resized"
            )
        cropped = any(metric.feature.needs_landmarks for metric in metrics)
        points = _landmarks(truth or image, device) if cropped else None
        for metric, meter, found, why in zip(metrics, meters, values, reasons, strict=True):
            height, width = restored_pixels.shape[2:]
            if fault := size_fault(metric, width, height):
                found[name], why[name] = float("nan"), fault
                continue
            needed = points if metric.feature.needs_landmarks else None
            scored = meter.update(restored_pixels, hq_pixels, landmarks=needed)
            if scored is not None:
                found[name] = float(scored[0])
                if not np.isfinite(found[name]):
                    lost = needed is not None and not np.isfinite(needed).all()
                    why[name] = NO_FACE if lost else getattr(metric, "if_nan", NOT_FINITE)
    return [
        FileMeasure(
            metric.protocol,
            meter.compute() if isinstance(metric, SetMetric) else _mean(found),
            found,
            why,
        )
        for metric, meter, found, why in zip(metrics, meters, values, reasons, strict=True)
    ]


def _fitting(metrics: Sequence[Metric], names: Sequence[str], *, with_hq: bool) -> Sequence[Metric]:
    """The metrics, if files alone suffice for them; of a list of all that are ready, those for which they do.

    Raises:
        RefbenchError: some need LQ images, references or masks; or HQ, which is not given.
    """
    needing = [m for m in metrics if isinstance(m, GainMetric | ReferenceMetric) or m.feature.needs_masks]
    without = [m for m in metrics if not with_hq and "HQ" in needs(m) and m not in needing]
    if ALL_READY in names:
        return [metric for metric in metrics if metric not in needing and metric not in without]
    if needing:
        ids = ", ".join(metric.protocol.id for metric in needing)
        raise RefbenchError(f"{ids}: needs LQ images, references or masks; build a set, then: refbench score")
    if without:
        raise RefbenchError(f"{', '.join(m.protocol.id for m in without)} compares with HQ images; give hq")
    return metrics


def _landmarks(path: Path, device: str) -> Landmarks:
    """Landmarks (1, 5, 2) of a face image: on the template where it is square, else detected, else NaN."""
    photo = read_rgb(path)
    if photo.shape[0] == photo.shape[1]:
        return template_at(FFHQ_512, photo.shape[1], 512)[None]
    faces = find_faces(load_detector(device=device), photo)
    return np.full((1, 5, 2), np.nan) if not faces else faces[0].landmarks[None]


def _pairs(restored: Path, hq: Path | None) -> dict[str, tuple[Path, Path | None]]:
    restored_files = _named(restored)
    if hq is None:
        return {name: (path, None) for name, path in restored_files.items()}
    if restored.is_file() and hq.is_file():
        return {restored.stem: (restored, hq)}
    hq_files = _named(hq)
    faults = [f"{name}: only in {restored}" for name in sorted(restored_files.keys() - hq_files.keys())]
    faults += [f"{name}: only in {hq}" for name in sorted(hq_files.keys() - restored_files.keys())]
    if faults:
        raise FaultListError("pairs of images", faults, "give both images of a pair the same name")
    return {name: (path, hq_files[name]) for name, path in restored_files.items()}


def _named(path: Path) -> dict[str, Path]:
    """Images by name; a single image is a folder of one."""
    if not path.exists():
        raise RefbenchError(f"{path}: there is no such image or folder")
    files = [path] if path.is_file() else find_photos(path)
    if not files:
        raise RefbenchError(f"{path}: holds no image")
    names = {file: (file if path.is_file() else file.relative_to(path)).with_suffix("") for file in files}
    twice = sorted({str(name) for name in names.values() if list(names.values()).count(name) > 1})
    if twice:
        raise FaultListError(str(path), [f"{name}: two images of this name" for name in twice])
    return {(name.name if path.is_file() else name.as_posix()): file for file, name in names.items()}


def _tensor(path: Path) -> torch.Tensor:
    """(1, 3, H, W) float32 in [0, 1]."""
    pixels = np.ascontiguousarray(read_rgb(path))
    return torch.from_numpy(pixels).permute(2, 0, 1)[None].float() / 255.0


def _mean(values: Mapping[str, float]) -> float:
    scored = [value for value in values.values() if value == value]
    return float(np.mean(scored)) if scored else float("nan")
