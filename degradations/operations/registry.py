"""All operations by name. A new one is a declared `Operation` in a file of its kind and a line here."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches

from . import albumentations_op as pipelines
from . import blurring, coding, colours, noises, resizing
from .operation import Operation

OPERATIONS: dict[str, Operation] = {
    operation.name: operation
    for operation in (
        blurring.BLUR,
        blurring.SINC,
        blurring.MOTION_BLUR,
        blurring.DEFOCUS,
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
        pipelines.ALBUMENTATIONS,
    )
}


def nearest(name: str, names: Iterable[str]) -> str:
    """A hint for a name that does not exist: the one most like it, or all there are."""
    known = list(names)
    close = get_close_matches(name, known, n=1, cutoff=0.5)
    return f"did you mean {close[0]!r}?" if close else f"there are: {', '.join(known) or 'none'}"
