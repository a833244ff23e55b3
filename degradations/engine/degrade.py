"""Degrade one image: draw the parameters of every step and apply the steps."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from ...deprecated import renamed
from ...errors import InvalidInputError, RefbenchError
from ...images import RGB
from ...records.lq_set import Scalar
from ..operations.coding import CODECS, encode_decode
from ..operations.kernels import Kernel
from ..operations.noises import standard_normal
from ..operations.operation import Levels, Pixels, Setting, Size, as_pixels, round_levels
from ..operations.resizing import downscaled
from ..recipes.plan import DrawnStep, Plan, make_plan
from ..recipes.recipe import Recipe
from .fast import blur_shrink_round, enlarge_round


@dataclass(frozen=True, slots=True)
class Degraded:
    """An LQ image with the draws that made it.

    Attributes:
        pixels: RGB uint8 (H, W, 3), of the size of HQ.
        record: every drawn value by ``LABEL.PARAMETER``, see `Plan`.
    """

    pixels: RGB
    record: dict[str, Scalar]


def degrade_image(hq: RGB, recipe: Recipe, seed: int, *, key: str) -> Degraded:
    """Synthesise the LQ image of one HQ image; the result depends on (recipe id, seed, key) and ``hq`` alone.

    Args:
        hq: RGB uint8 (H, W, 3), levels 0 to 255.
        recipe: steps and the distributions of their parameters.
        seed: seed of the draws, shared by all images of a set.
        key: key of this image.

    Raises:
        InvalidInputError: not such an array, or an image smaller than the drawn kernel or size demands.
        RefbenchError: the last step of the recipe does not return to the size of HQ.
    """
    plan = make_plan(recipe, seed, key)
    return Degraded(apply_plan(hq, plan), plan.record)


def apply_plan(hq: RGB, plan: Plan) -> RGB:
    """Apply the steps of ``plan``: the same bytes as `apply_plan_reference`, faster where `fast` applies.

    Args:
        hq: RGB uint8 (H, W, 3).
        plan: the drawn steps.

    Raises:
        InvalidInputError, RefbenchError: as `degrade_image`.
    """
    if not _is_classical(plan.steps):
        return apply_plan_reference(hq, plan)
    size = _checked_size(hq)
    blur, shrink, noise, coding, _ = plan.steps
    shrunk = downscaled(size, shrink.values, size)
    normal = standard_normal(shrunk, noise.values["grey"], plan.draw.generator(noise.label))
    levels = _flip(hq)
    small = blur_shrink_round(levels, _kernel(blur), shrunk, normal=normal, sigma=noise.values["sigma"])
    decoded = encode_decode(small, coding.operation.name, coding.values["quality"])
    return _to_rgb(enlarge_round(decoded, size), size)


def apply_plan_reference(hq: RGB, plan: Plan) -> RGB:
    """Apply the steps of ``plan`` one by one in float64: the reference implementation.

    Args:
        hq: RGB uint8 (H, W, 3).
        plan: the drawn steps.

    Raises:
        InvalidInputError, RefbenchError: as `degrade_image`.
    """
    size = _checked_size(hq)
    pixels = as_pixels(hq[..., ::-1])
    for step in plan.steps:
        pixels = _apply(step, pixels, plan, size=size)
    return _to_rgb(round_levels(pixels), size)


def _apply(step: DrawnStep, pixels: Pixels, plan: Plan, *, size: Size) -> Pixels:
    setting = Setting(plan.draw.generator(step.label), size)
    return step.operation.apply(pixels, step.values, setting)


def _is_classical(steps: tuple[DrawnStep, ...]) -> bool:
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


def _kernel(step: DrawnStep) -> Kernel:
    if step.operation.kernel is None:
        raise TypeError(f"{step.label} does not correlate with a kernel")
    return step.operation.kernel(step.values)


def _is_bilinear(step: DrawnStep, operation: str) -> bool:
    return step.operation.name == operation and step.values["method"] == "bilinear"


def _checked_size(hq: RGB) -> Size:
    if hq.dtype != np.uint8 or hq.ndim != 3 or hq.shape[2] != 3:
        raise InvalidInputError(f"HQ is RGB uint8 (H, W, 3); got {hq.dtype} {hq.shape}")
    return hq.shape[0], hq.shape[1]


def _to_rgb(levels: Levels, size: Size) -> RGB:
    if levels.shape[:2] != size:
        ended = f"{levels.shape[1]}x{levels.shape[0]} pixels, HQ has {size[1]}x{size[0]}"
        raise RefbenchError(f"the recipe ends at {ended}; end it with the operation full_size")
    return _flip(levels)


def _flip(levels: Levels) -> Levels:
    """RGB to BGR, or back."""
    return np.asarray(cv2.cvtColor(levels, cv2.COLOR_RGB2BGR), dtype=np.uint8)


__getattr__ = renamed(
    __name__,
    {"degrade": "degrade_image", "carry_out": "apply_plan", "carry_out_plainly": "apply_plan_reference"},
)
