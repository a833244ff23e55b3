"""Metrics as plain functions on image tensors: psnr, ssim, lpips, identity_similarity, fid, kid and others.

Each function computes one protocol of the catalogue, whose id stands in its docstring. `measure` computes any
protocol by its id, `Meter` collects batches, `measure_sets` compares sets of any size in any protocol of a
set. Images are RGB floating point in [0, 1], (N, 3, H, W), on any device; nothing is resized.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Literal

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from ..errors import RefbenchError
from .core.metric import SetMetric
from .core.tensors import aligned_landmarks, check_images
from .scoring.meter import Meter, measure

BATCH = 16
Colour = Literal["rgb", "y-full", "y-limited"]
LpipsNet = Literal["alex", "vgg", "squeeze"]
Resize = Literal["clean", "tf", "antialias"]
Images = Tensor | Iterable[Tensor]
"""A batch (N, 3, H, W), or a stream of batches, whose sizes may differ."""


def psnr(restored: Tensor, hq: Tensor, *, colour: Colour = "rgb") -> Tensor:
    """Peak signal-to-noise ratio in dB, (N,) float64, 0 to 80, higher is better; protocol ``psnr/COLOUR``.

    Args:
        restored, hq: RGB in [0, 1], (N, 3, H, W) each.
        colour: ``rgb``, or the luma of BT.601 in full range (``y-full``) or in 16 to 235 (``y-limited``).

    Raises:
        RefbenchError: images of another type, shape or range, or of unequal shapes.
    """
    return measure(f"psnr/{colour}", restored, hq)


def ssim(restored: Tensor, hq: Tensor, *, colour: Colour = "y-full") -> Tensor:
    """Structural similarity, (N,) float64, at most 1, higher is better; protocol ``ssim/COLOUR@2``.

    Wang et al., IEEE TIP 2004. ``y-full`` equals pyiqa's ``ssim``, ``rgb`` scikit-image's with Gaussian
    weights.

    Args:
        restored, hq: RGB in [0, 1], (N, 3, H, W) each, sides of 11 pixels or more.
        colour: ``rgb``, ``y-full`` or ``y-limited``, as for `psnr`.

    Raises:
        RefbenchError: images of another type, shape or range, or of unequal shapes.
    """
    return measure(f"ssim/{colour}@2", restored, hq)


def ms_ssim(restored: Tensor, hq: Tensor) -> Tensor:
    """SSIM over five scales on luma, (N,) float64, 0 to 1, higher is better; ``ms-ssim/y-full@2``.

    Wang, Simoncelli, Bovik, Asilomar 2003.

    Args:
        restored, hq: RGB in [0, 1], (N, 3, H, W) each, sides of 176 pixels or more.

    Raises:
        RefbenchError: images of another type, shape or range, of unequal shapes, or too small.
    """
    return measure("ms-ssim/y-full@2", restored, hq)


def lpips(restored: Tensor, hq: Tensor, *, net: LpipsNet = "alex", device: str = "cpu") -> Tensor:
    """LPIPS 0.1, (N,) float64, 0 and above, lower is better; protocol ``lpips/NET-v0.1``.

    Zhang et al., CVPR 2018.

    Args:
        restored, hq: RGB in [0, 1], (N, 3, H, W) each.
        net: ``alex`` (weights ``lpips-alexnet``), ``vgg`` (``lpips-vgg16``) or ``squeeze``
            (``lpips-squeezenet``).
        device: where the network runs: ``cpu``, ``cuda``, ``cuda:1``, or ``auto``.

    Raises:
        RefbenchError: images of another type, shape or range, or of unequal shapes; absent weights, with the
            command that fetches them.
    """
    return measure(f"lpips/{net}-v0.1", restored, hq, device=device)


def flpips(restored: Tensor, hq: Tensor, *, device: str = "cpu") -> Tensor:
    """LPIPS (VGG16) of the face alone, (N,) float64, lower is better; protocol ``flpips/vgg-v0.1-parsenet``.

    Hsiao et al.: ReF-LDM, NeurIPS 2024. Both images are multiplied by the face mask of ``hq``.

    Args:
        restored, hq: RGB in [0, 1], (N, 3, H, W) each.
        device: where the networks run: ``cpu``, ``cuda``, ``cuda:1``, or ``auto``.

    Raises:
        RefbenchError: images of another type, shape or range, or of unequal shapes; absent weights
            (``lpips-vgg16``, ``parsenet``), or facexlib is not installed.
    """
    return measure("flpips/vgg-v0.1-parsenet", restored, hq, device=device)


def identity_similarity(
    restored: Tensor,
    hq: Tensor,
    *,
    landmarks: npt.ArrayLike | None = None,
    recogniser: str = "mobilefacenet-5pt",
    device: str = "cpu",
) -> Tensor:
    """Cosine of the face embeddings, (N,) float64, -1 to 1, higher is better; protocol ``ids/RECOGNISER-v1``.

    NaN where a row of ``landmarks`` is NaN.

    Args:
        restored, hq: RGB in [0, 1], (N, 3, H, W) each.
        landmarks: (N, 5, 2) of the HQ faces in pixels; None for square images aligned as FFHQ's, whose
            landmarks are those of the template.
        recogniser: ``mobilefacenet-5pt``, ``dlib-resnet-5pt``, ``arcface-r50-webface-5pt`` or
            ``arcface-r50-webface-centercrop``.
        device: where the network runs: ``cpu``, ``cuda``, ``cuda:1``, or ``auto``.

    Raises:
        RefbenchError: images of another type, shape or range, or of unequal shapes; no landmarks for images
            that are not square; an unknown recogniser or absent weights.
    """
    points = aligned_landmarks(check_images(hq, "hq")) if landmarks is None else landmarks
    if points is None:
        raise RefbenchError("the images are not square, so not aligned as FFHQ's; give landmarks (N, 5, 2)")
    return measure(f"ids/{recogniser}-v1", restored, hq, landmarks=points, device=device)


def landmark_distance(restored: Tensor, hq: Tensor, *, device: str = "cpu") -> Tensor:
    """Displacement of five landmarks in eye distances, (N,) float64, lower is better; ``landmarks/mtcnn-v1``.

    NaN where MTCNN finds no face.

    Args:
        restored, hq: RGB in [0, 1], (N, 3, H, W) each.
        device: where the detector runs: ``cpu``, ``cuda``, ``cuda:1``, or ``auto``.

    Raises:
        RefbenchError: images of another type, shape or range, or of unequal shapes; absent weights.
    """
    return measure("landmarks/mtcnn-v1", restored, hq, device=device)


def no_reference_quality(images: Tensor, name: str = "niqe", *, device: str = "cpu") -> Tensor:
    """A no-reference metric of pyiqa, (N,) float64; protocol ``pyiqa/NAME``, which fixes direction and range.

    Args:
        images: RGB in [0, 1], (N, 3, H, W).
        name: pyiqa's name, for instance ``niqe`` (lower is better), ``musiq`` or ``clipiqa`` (higher is
            better).
        device: where the metric runs: ``cpu``, ``cuda``, ``cuda:1``, or ``auto``.

    Raises:
        RefbenchError: images of another type, shape or range; pyiqa is not installed, has no such metric, or
            a file of it is missing.
    """
    return measure(f"pyiqa/{name}", images, device=device)


def fid(restored: Images, hq: Images, *, resize: Resize = "clean", device: str = "cpu") -> float:
    """Fréchet inception distance of image sets, 0 and above, lower is better; ``fid/inception-RESIZE-hq``.

    Heusel et al., NeurIPS 2017. With fewer than about 2,000 images a side it is biased: compare at equal
    counts.

    Args:
        restored, hq: RGB in [0, 1], (N, 3, H, W), two images or more each, or streams of such batches; the
            sets may differ in number and size of images.
        resize: to 299 pixels as clean-fid (``clean``), torch-fidelity (``tf``) or torchmetrics
            (``antialias``).
        device: where the network runs: ``cpu``, ``cuda``, ``cuda:1``, or ``auto``.

    Raises:
        RefbenchError: images of another type, shape or range; too few images; absent weights
            (``inception-fid``), or torch-fidelity is not installed.
    """
    return measure_sets(f"fid/inception-{resize}-hq", restored, hq, device=device)


def kid(restored: Images, hq: Images, *, device: str = "cpu") -> float:
    """Kernel inception distance (unbiased MMD^2) of image sets, lower is better; ``kid/inception-tf-hq``.

    Bińkowski et al., ICLR 2018.

    Args:
        restored, hq: as for `fid`.
        device: where the network runs: ``cpu``, ``cuda``, ``cuda:1``, or ``auto``.

    Raises:
        RefbenchError: as `fid`.
    """
    return measure_sets("kid/inception-tf-hq", restored, hq, device=device)


def measure_sets(protocol: str, restored: Images, hq: Images | None = None, *, device: str = "cpu") -> float:
    """Any protocol of image sets: FID, KID, Fréchet distances, precision, recall, density, coverage.

    Faces are taken to be aligned as FFHQ's where the protocol crops them.

    Args:
        protocol: id of a metric of a set, for instance ``fd/alexnet-relu5-v1``.
        restored: RGB in [0, 1], (N, 3, H, W), or a stream of such batches.
        hq: the same of the HQ images, any number of them; None where the protocol names stored statistics.
        device: where the network runs: ``cpu``, ``cuda``, ``cuda:1``, or ``auto``.

    Raises:
        RefbenchError: an unknown protocol or one of single images; images of another type, shape or range,
            too few of them, or not square where faces are cropped; absent weights.
    """
    meter = Meter(protocol, device)
    metric = meter.metric
    if not isinstance(metric, SetMetric):
        raise RefbenchError(f"{protocol} is a metric of single images; use measure")
    if hq is None and not metric.statistics:
        raise RefbenchError(f"{protocol} compares with HQ images; give hq")
    streams = [_vectors(meter, restored, "restored"), _vectors(meter, () if hq is None else hq, "hq")]
    return metric.compare(*streams)


def _vectors(meter: Meter, images: Images, name: str) -> Iterator[npt.NDArray[np.float32]]:
    """Feature vectors (n, D) of images, batch by batch."""
    for batch in (images,) if isinstance(images, Tensor) else images:
        for part in torch.split(check_images(batch, name), BATCH):
            found = meter.extract(part, aligned_landmarks(part))[0].float().cpu().numpy()
            if not np.isfinite(found).all():
                fix = "give square images aligned as FFHQ's"
                raise RefbenchError(f"{name}: {meter.metric.protocol.id} crops the face; {fix}")
            yield found
