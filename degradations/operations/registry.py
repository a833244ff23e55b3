"""Registry of all operations by name."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches

from . import albumentations_op, blurring, coding, colours, noises, resizing
from .operation import Operation

OPERATIONS: dict[str, Operation] = {
    operation.name: operation
    for operation in (
        blurring.BLUR,
        blurring.SINC,
        blurring.MOTION_BLUR,
        blurring.DEFOCUS,
        blurring.UNSHARP_MASK,
        resizing.DOWNSCALE,
        resizing.RESCALE,
        resizing.FULL_SIZE,
        noises.GAUSSIAN_NOISE,
        noises.POISSON_NOISE,
        noises.SPECKLE_NOISE,
        noises.SENSOR_NOISE,
        coding.JPEG,
        coding.WEBP,
        colours.COLOUR_SHIFT,
        colours.COLOUR_JITTER,
        colours.GREY,
        albumentations_op.ALBUMENTATIONS,
    )
}


def nearest(name: str, names: Iterable[str]) -> str:
    """Hint for an unknown name: the most similar known name, or all of them."""
    known = list(names)
    close = get_close_matches(name, known, n=1, cutoff=0.5)
    return f"did you mean {close[0]!r}?" if close else f"there are: {', '.join(known) or 'none'}"
