"""One image: its steps carried out."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from ...errors import InvalidInputError, RefbenchError
from ...images import RGB
from ...records.lq_set import Scalar
from ..operations.coding import CODECS, recode
from ..operations.kernels import Kernel
from ..operations.noises import standard_normal
from ..operations.operation import Levels, Pixels, Setting, Size, as_pixels, round_levels
from ..operations.resizing import downscaled
from ..recipes.plan import Drawn, Plan, make_plan
from ..recipes.recipe import Recipe
from .fast import blur_shrink_round, enlarge_round


@dataclass(frozen=True, slots=True)
class Degraded:
    """``pixels`` RGB uint8 of HQ's size, and the ``record`` of what was drawn for them."""

    pixels: RGB
    record: dict[str, Scalar]


def degrade(hq: RGB, recipe: Recipe, seed: int, *, key: str) -> Degraded:
    """Make the LQ image of one HQ image.

    Args:
        hq: RGB uint8, HWC.
        recipe: what may be drawn.
        seed: of the whole set.
        key: of this image.

    Raises:
        InvalidInputError: the image is too small for what was drawn.
        RefbenchError: the recipe does not end at the size of HQ.
    """
    plan = make_plan(recipe, seed, key)
    return Degraded(carry_out(hq, plan), plan.record)


def carry_out(hq: RGB, plan: Plan) -> RGB:
    """Apply the steps of ``plan``: the same bytes as `carry_out_plainly`, sooner where `fast` knows how."""
    if not _is_classical(plan.steps):
        return carry_out_plainly(hq, plan)
    size = _checked_size(hq)
    blur, shrink, noise, coding, _ = plan.steps
    shrunk = downscaled(size, shrink.values, size)
    normal = standard_normal(shrunk, noise.values["grey"], plan.draw.generator(noise.label))
    levels = _flip(hq)
    small = blur_shrink_round(levels, _kernel(blur), shrunk, normal=normal, sigma=noise.values["sigma"])
    decoded = recode(small, coding.operation.name, coding.values["quality"])
    return _to_rgb(enlarge_round(decoded, size), size)


def carry_out_plainly(hq: RGB, plan: Plan) -> RGB:
    """Apply the steps of ``plan`` one by one: the definition of what a recipe gives."""
    size = _checked_size(hq)
    pixels = as_pixels(hq[..., ::-1])
    for step in plan.steps:
        pixels = _apply(step, pixels, plan, size=size)
    return _to_rgb(round_levels(pixels), size)


def _apply(step: Drawn, pixels: Pixels, plan: Plan, *, size: Size) -> Pixels:
    setting = Setting(plan.draw.generator(step.label), size)
    return step.operation.apply(pixels, step.values, setting)


def _is_classical(steps: tuple[Drawn, ...]) -> bool:
    if len(steps) != 5:
        return False
    blur, shrink, noise, coding, enlarge = steps
    return (
        blur.operation.kernel is not None
        and _is_bilinear(shrink, "downscale")
        and shrink.values["by"] >= 1
        and noise.operation.name == "gaussian_noise"
        and coding.operation.name in CODECS
        and _is_bilinear(enlarge, "full_size")
        and enlarge.values["divided_by"] == enlarge.values["by"] == 1
    )


def _kernel(step: Drawn) -> Kernel:
    if step.operation.kernel is None:
        raise TypeError(f"{step.label} is no correlation with a kernel")
    return step.operation.kernel(step.values)


def _is_bilinear(step: Drawn, operation: str) -> bool:
    return step.operation.name == operation and step.values["method"] == "bilinear"


def _checked_size(hq: RGB) -> Size:
    if hq.dtype != np.uint8 or hq.ndim != 3 or hq.shape[2] != 3:
        raise InvalidInputError(f"HQ is RGB uint8, HWC; got {hq.dtype} {hq.shape}")
    return hq.shape[0], hq.shape[1]


def _to_rgb(levels: Levels, size: Size) -> RGB:
    if levels.shape[:2] != size:
        ended = f"{levels.shape[1]}x{levels.shape[0]} pixels, HQ has {size[1]}x{size[0]}"
        raise RefbenchError(f"the recipe ends at {ended}; end it with the operation full_size")
    return _flip(levels)


def _flip(levels: Levels) -> Levels:
    """RGB to BGR, or back."""
    return np.asarray(cv2.cvtColor(levels, cv2.COLOR_RGB2BGR), dtype=np.uint8)
