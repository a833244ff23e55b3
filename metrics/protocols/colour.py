"""Colour difference of the face in CIE L*a*b*: from the HQ image, and towards the references.

Colours that drift from the references into the result are a known failure of reference-based restoration
(ReF-LDM, limitations).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from ...records.protocol import Protocol
from ..core.feature import Batch, Extractor, Feature, Tensors
from ..core.metric import NO_FACE_POINTS, ImageMetric, ReferenceMetric

SRGB_TO_XYZ = ((0.412456, 0.357576, 0.180438), (0.212673, 0.715152, 0.072175), (0.019334, 0.119192, 0.950304))
D65 = (0.950470, 1.0, 1.088830)
EPSILON, KAPPA = 216 / 24389, 24389 / 27


def lab(images: Tensor) -> Tensor:
    """CIE L*a*b* (D65) of sRGB images (N, 3, H, W) in [0, 1]; L in 0 to 100."""
    linear = torch.where(images <= 0.04045, images / 12.92, ((images + 0.055) / 1.055) ** 2.4)
    matrix = torch.tensor(SRGB_TO_XYZ, dtype=images.dtype, device=images.device)
    white = torch.tensor(D65, dtype=images.dtype, device=images.device).view(1, 3, 1, 1)
    xyz = torch.einsum("ij,njhw->nihw", matrix, linear) / white
    root = torch.where(xyz > EPSILON, xyz.clamp_min(EPSILON) ** (1 / 3), (KAPPA * xyz + 16) / 116)
    x, y, z = root.unbind(1)
    return torch.stack([116.0 * y - 16.0, 500.0 * (x - y), 200.0 * (y - z)], dim=1)


def face_ellipse(landmarks: Tensor, height: int, width: int) -> Tensor:
    """1 within an ellipse over brows, cheeks and chin, else 0: (N, H, W) of five landmarks (N, 5, 2).

    Its centre is the mean of the points, its half axes 0.9 and 1.2 times the distance of the eyes, rotated
    as the eyes are.
    """
    eyes = landmarks[:, 1] - landmarks[:, 0]
    distance = torch.linalg.vector_norm(eyes, dim=1).view(-1, 1, 1)
    angle = torch.atan2(eyes[:, 1], eyes[:, 0]).view(-1, 1, 1)
    middle = landmarks.mean(dim=1)
    rows = torch.arange(height, device=landmarks.device).view(1, -1, 1) - middle[:, 1].view(-1, 1, 1)
    columns = torch.arange(width, device=landmarks.device).view(1, 1, -1) - middle[:, 0].view(-1, 1, 1)
    across = (columns * angle.cos() + rows * angle.sin()) / (0.9 * distance)
    along = (rows * angle.cos() - columns * angle.sin()) / (1.2 * distance)
    inside: Tensor = across.square() + along.square() <= 1.0
    return inside.to(landmarks.dtype)


def _load(device: torch.device) -> Extractor:
    def extract(batch: Batch) -> Tensors:
        points = torch.tensor(batch.landmarks, device=device)
        inside = face_ellipse(points, *batch.pixels.shape[-2:])
        colours = lab(batch.pixels).double()
        return (torch.einsum("nchw,nhw->nc", colours, inside) / inside.sum(dim=(1, 2))[:, None],)

    return extract


FACE_COLOUR = Feature("face-colour", (), _load, vector=True, compact=True, needs_landmarks=True)


def colour_shift(restored: Tensor, hq: Tensor) -> Tensor:
    """Distance of mean colours (N, 3) in L*a*b*, (N,)."""
    distance: Tensor = torch.linalg.vector_norm(restored - hq, dim=1)
    return distance


def colour_drift(restored: Tensor, hq: Tensor, references: Sequence[Tensor]) -> Tensor:
    """How far (N,) the mean colour moved from HQ's towards the references' mean colour; 0 if away from it."""
    towards = torch.stack([group.mean(dim=0) for group in references]) - hq
    direction = towards / towards.norm(dim=1, keepdim=True).clamp_min(np.finfo(np.float64).tiny)
    along: Tensor = ((restored - hq) * direction).sum(dim=1)
    return along.clamp_min(0.0)


def _protocol(name: str, title: str, references: bool, *, definition: str) -> Protocol:
    return Protocol(
        id=name,
        title=title,
        higher_is_better=False,
        unit="ΔE",
        bounds=(0.0, None),
        compared_with="references" if references else "hq",
        decimals=2,
        weights=(),
        definition=f"{definition} Mean L*a*b* (D65, CIE76) within an ellipse over the face, set by the five "
        "landmarks of the HQ image.",
        licence="Apache-2.0",
        citation="refbench",
    )


METRICS = (
    ImageMetric(
        _protocol(
            "colour-shift/face-lab-v1", "Colour shift", False, definition="Distance of restored and HQ."
        ),
        FACE_COLOUR,
        lambda restored, hq: colour_shift(restored[0], hq[0]),
        NO_FACE_POINTS,
    ),
    ReferenceMetric(
        _protocol(
            "colour-drift/face-lab-v1",
            "Colour drift to references",
            True,
            definition="The part of the shift from HQ that points at the references' mean colour; 0 if away.",
        ),
        FACE_COLOUR,
        colour_drift,
    ),
)
