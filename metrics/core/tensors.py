"""Validation of image tensors: type, shape, dtype, range and finite values; errors say how to convert."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from ...errors import RefbenchError
from ...faces.align import FFHQ_512, template_at

WANTED = "wanted RGB float in [0, 1], shape (N, 3, H, W)"


def check_images(images: Tensor, name: str = "images") -> Tensor:
    """Return ``images`` if they are RGB, floating point, finite and in [0, 1], shape (N, 3, H, W).

    Raises:
        RefbenchError: anything else; the message says what was given and how to convert it.
    """
    if not isinstance(images, Tensor):
        raise RefbenchError(f"{name}: got {type(images).__name__}; {WANTED}; use torch.from_numpy")
    if images.ndim != 4 or images.shape[1] != 3:
        hint = "; add a batch axis with [None]" if images.ndim == 3 else "; put the channels second"
        raise RefbenchError(f"{name}: got shape {tuple(images.shape)}; {WANTED}{hint}")
    if not images.is_floating_point():
        raise RefbenchError(f"{name}: got {images.dtype}; {WANTED}; convert with .float() / 255")
    if images.shape[0]:
        low, high = (float(value) for value in torch.aminmax(images.detach()))
        if not (low == low and high == high and abs(low) != float("inf") and abs(high) != float("inf")):
            raise RefbenchError(f"{name}: NaN or infinity among the values; {WANTED}")
        if low < 0 or high > 1:
            hint = "divide by 255" if high > 2 else "convert [-1, 1] with x / 2 + 0.5"
            raise RefbenchError(f"{name}: values from {low:g} to {high:g}; {WANTED}; {hint}")
    return images


def check_pair(restored: Tensor, hq: Tensor) -> tuple[Tensor, Tensor]:
    """Check two batches with `check_images` and that their shapes are equal.

    Raises:
        RefbenchError: one of them is refused, or their shapes differ.
    """
    check_images(restored, "restored")
    check_images(hq, "hq")
    if restored.shape != hq.shape:
        got = f"restored {tuple(restored.shape)} and hq {tuple(hq.shape)}"
        raise RefbenchError(f"{got}: a pair needs one shape; nothing is resized for you")
    return restored, hq


def aligned_landmarks(images: Tensor) -> npt.NDArray[np.float64] | None:
    """Landmarks (N, 5, 2) in pixels of FFHQ-aligned faces (N, 3, H, W); None where they are not square."""
    height, width = images.shape[2:]
    return (
        np.repeat(template_at(FFHQ_512, width, 512)[None], len(images), axis=0) if height == width else None
    )
