"""Old versions of protocols: ids that records of earlier versions name, with the computation of that time.

Each names the version that replaced it (`Protocol.superseded_by`). Scoring takes the new version; an old
one is computed only where it is asked for as version 1, for instance ``ssim/y-full@1``.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor

from ...records.protocol import Protocol, ProtocolId
from ..core.metric import ImageMetric, Metric, SetMetric
from ..distances import precision_recall
from . import identity, inception, pixel
from .pixel import C1, C2, SCALE_WEIGHTS, blur, luma_limited, luma_rounded

SSIM_BOUND = 1.001
"""Up to which SSIM of the first version can lie above 1, from variances by subtraction in float32."""
SSIM_NOTE = (
    "First version: variances by subtraction in float32, so values are off by up to 1e-4, some above 1."
)
TIES_NOTE = "First version: an image at the radius of a ball counts as within it."


def ssim_maps(restored: Tensor, hq: Tensor, nonnegative: bool) -> tuple[Tensor, Tensor]:
    """Contrast-structure and luminance of every window, with variances by subtraction in float32."""
    stacked = torch.stack([restored, hq, restored.square() + hq.square(), restored * hq])
    mean_restored, mean_hq, squares, product = blur(stacked)
    crossed = mean_restored * mean_hq
    powers = mean_restored.square() + mean_hq.square()
    contrast = (2.0 * (product - crossed) + C2) / (squares - powers + C2)
    luminance = (2.0 * crossed + C1) / (powers + C1)
    return (contrast.clamp_min(0.0) if nonnegative else contrast), luminance


def ssim(restored: Tensor, hq: Tensor, nonnegative: bool = False) -> Tensor:
    """SSIM (N,) of two (N, C, H, W) batches as its first version computed it."""
    contrast, luminance = ssim_maps(restored, hq, nonnegative)
    return (contrast * luminance).mean(dim=(1, 2, 3), dtype=torch.float64)


def ms_ssim(restored: Tensor, hq: Tensor) -> Tensor:
    """MS-SSIM (N,) of two (N, C, H, W) batches as its first version computed it."""
    product = torch.ones(len(restored), dtype=torch.float64, device=restored.device)
    for scale, weight in enumerate(SCALE_WEIGHTS):
        contrast, luminance = ssim_maps(restored, hq, nonnegative=True)
        last = scale == len(SCALE_WEIGHTS) - 1
        term = contrast * luminance if last else contrast
        product *= term.mean(dim=(1, 2, 3), dtype=torch.float64).clamp_min(0.0) ** weight
        if not last:
            filling = (restored.shape[2] % 2, restored.shape[3] % 2)
            restored, hq = (F.avg_pool2d(images, 2, padding=filling) for images in (restored, hq))
    return product


def _old(new: Protocol, note: str) -> Protocol:
    """The first version of a protocol whose second one has ``@2`` in its id."""
    text = new.definition
    for words in (", variances in float64", " in float64", "open "):
        text = text.replace(words, "")
    return replace(
        new,
        id=str(ProtocolId.parse(new.id).unqualified),
        title=f"{new.title}, old version",
        definition=f"{text} {note}",
        superseded_by=new.id,
    )


def _old_ssim(
    new: ImageMetric, compare: Callable[[Tensor, Tensor], Tensor], planes: pixel.Planes
) -> ImageMetric:
    old = _old(new.protocol, SSIM_NOTE)
    return replace(
        new,
        protocol=replace(old, bounds=(old.bounds[0], SSIM_BOUND)),
        compare=lambda restored, hq: compare(planes(restored[0]), planes(hq[0])),
    )


def _with_ties(name: str, neighbours: int = 5) -> SetMetric:
    """Density or coverage with closed balls."""
    found = (metric for metric in inception.METRICS if metric.protocol.id == f"{name}/inception-tf-hq@2")
    new = cast("SetMetric", next(found))
    compare = partial(getattr(precision_recall, name), neighbours=neighbours, open_balls=False)
    return replace(new, protocol=_old(new.protocol, TIES_NOTE), compare=compare)


_NEW = {metric.protocol.id: metric for metric in pixel.METRICS}

METRICS: tuple[Metric, ...] = (
    _old_ssim(_NEW["ssim/rgb@2"], ssim, lambda images: images),
    _old_ssim(_NEW["ssim/y-full@2"], partial(ssim, nonnegative=True), luma_rounded),
    _old_ssim(_NEW["ssim/y-limited@2"], ssim, luma_limited),
    _old_ssim(_NEW["ms-ssim/y-full@2"], ms_ssim, luma_rounded),
    *identity.ROUNDED_CROP,
    _with_ties("density"),
    _with_ties("coverage"),
)
