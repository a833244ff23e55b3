"""Detection of copied references: the restored face or its patches match a reference closer than HQ does.

A restorer that pastes a reference over the LQ image scores a high identity similarity with the wrong
expression. References resemble the HQ image too, as photos of one person do, so only a similarity above that
of the HQ image counts as copied.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from ...faces.align import ARCFACE_112, align_to, template_at
from ...records.protocol import Protocol
from ..core.feature import Batch, Extractor, Feature, Tensors
from ..core.metric import ReferenceMetric
from .pixel import luma

CHIP = 128
PATCH = 16
STRIDE = 8
SEARCH = 6
FLAT = 0.02
MATCH = 0.9
EXCESS = 0.1


def _load(device: torch.device) -> Extractor:
    template = template_at(ARCFACE_112, CHIP, 112)

    def chip(batch: Batch, row: int) -> Tensor:
        if not np.isfinite(batch.landmarks[row]).all():
            return torch.full((CHIP * CHIP,), torch.nan)
        pixels = align_to(batch.photos[row], batch.landmarks[row], template, size=CHIP).pixels
        image = torch.from_numpy(pixels).permute(2, 0, 1)[None].float() / 255.0
        return luma(image).flatten()

    def extract(batch: Batch) -> Tensors:
        return (torch.stack([chip(batch, row) for row in range(len(batch.photos))]).to(device),)

    return extract


FACE_CHIP = Feature("face-chip-128", (), _load, vector=True, compact=True, needs_landmarks=True)


def correlation(first: Tensor, second: Tensor) -> Tensor:
    """Correlation of vectors along the last axis, in [-1, 1]; 0 where one of them is flat."""
    a = first - first.mean(dim=-1, keepdim=True)
    b = second - second.mean(dim=-1, keepdim=True)
    length = (a.square().sum(dim=-1) * b.square().sum(dim=-1)).sqrt()
    return (a * b).sum(dim=-1) / length.clamp_min(1e-12)


def copy_excess(restored: Tensor, hq: Tensor, references: Sequence[Tensor]) -> Tensor:
    """Excess (N,) of the restored face's correlation with a reference over that of the HQ face.

    Faces are luma crops of 128x128 pixels as vectors (N, 16384); the greatest excess over the references
    counts. 0 for HQ itself, below 0 for an output that is less like the references than HQ.
    """
    return torch.stack(
        [
            (correlation(one, group) - correlation(truth, group)).max()
            for one, truth, group in zip(restored, hq, references, strict=True)
        ]
    )


def copied_share(restored: Tensor, hq: Tensor, references: Sequence[Tensor]) -> Tensor:
    """Share (N,) of the restored face's patches that were copied from a reference, 0 to 1.

    A patch of 16x16 pixels counts as copied if its best correlation with a reference, within 6 pixels of
    its place, is at least 0.9 and at least 0.1 above that of HQ's patch. Only places where this can be
    decided are counted: HQ's patch is not flat, and its own correlation is at most 0.9. NaN where there are
    none.
    """
    return torch.stack(
        [_copied(one, truth, group) for one, truth, group in zip(restored, hq, references, strict=True)]
    )


def _copied(restored: Tensor, hq: Tensor, references: Tensor) -> Tensor:
    patches, textured = _patches(restored)
    hq_patches, decidable = _patches(hq)
    best = _best_matches(torch.stack([patches, hq_patches]), references)
    decidable &= best[1] <= 1.0 - EXCESS
    copied = (best[0] >= MATCH) & (best[0] >= best[1] + EXCESS) & textured & decidable
    share: Tensor = copied.sum() / decidable.sum()
    return share


def _patches(chip: Tensor) -> tuple[Tensor, Tensor]:
    """Patches of a chip on a grid, normalised (P, 256), and which of them are not flat (P,)."""
    columns = F.unfold(chip.view(1, 1, CHIP, CHIP), PATCH, stride=STRIDE)[0].T
    return _normalise(columns), columns.std(dim=1, correction=0) >= FLAT


def _normalise(columns: Tensor) -> Tensor:
    centred = columns - columns.mean(dim=1, keepdim=True)
    length: Tensor = torch.linalg.vector_norm(centred, dim=1, keepdim=True)
    return centred / length.clamp_min(1e-6)


def _best_matches(patches: Tensor, references: Tensor) -> Tensor:
    """Best correlation of patches (K, P, 256) with patches of any reference near the same place, (K, P)."""
    places = CHIP - PATCH + 1
    grid = torch.arange(0, places, STRIDE, device=patches.device)
    offsets = torch.arange(-SEARCH, SEARCH + 1, device=patches.device)
    near = (grid[:, None] + offsets).clamp(0, places - 1)
    index = (near[:, None, :, None] * places + near[None, :, None, :]).reshape(len(grid) ** 2, -1)
    best = torch.full(patches.shape[:2], -1.0, dtype=patches.dtype, device=patches.device)
    for reference in references:
        everywhere = _normalise(F.unfold(reference.view(1, 1, CHIP, CHIP), PATCH)[0].T)
        for place, row in enumerate(index):
            scores = patches[:, place] @ everywhere[row].T
            best[:, place] = torch.maximum(best[:, place], scores.amax(dim=1))
    return best


def _protocol(name: str, title: str, unit: str, *, bounds: tuple[float, float], definition: str) -> Protocol:
    return Protocol(
        id=name,
        title=title,
        higher_is_better=False,
        unit=unit,
        bounds=bounds,
        compared_with="references",
        decimals=4,
        weights=(),
        definition=f"{definition} Luma of 128-pixel chips cut by five landmarks, the restored one by HQ's.",
        licence="Apache-2.0",
        citation="refbench",
    )


METRICS = (
    ReferenceMetric(
        _protocol(
            "copy/face-correlation-v1",
            "Copy check (face)",
            "correlation",
            bounds=(-2.0, 2.0),
            definition="Correlation of restored and a reference, less that of HQ and the same reference; the "
            "greatest. 0 for HQ itself; above 0 the output is closer to a reference than the truth is.",
        ),
        FACE_CHIP,
        copy_excess,
    ),
    ReferenceMetric(
        _protocol(
            "copy/patches-v1",
            "Copied patches",
            "share",
            bounds=(0.0, 1.0),
            definition="Share of 16-pixel patches whose best correlation with a reference within 6 pixels "
            "is at least 0.9 and 0.1 above that of HQ's patch, among those where HQ's is textured and "
            "at most 0.9.",
        ),
        FACE_CHIP,
        copied_share,
        if_nan="no landmarks, or the references are too similar to HQ to detect a copy",
    ),
)
