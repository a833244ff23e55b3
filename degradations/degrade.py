"""One image: what is drawn for it, and its steps carried out."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..errors import FaultyInput, RefbenchError
from ..images import RGB
from .coding import round_levels
from .distributions import Fixed, Scalar, pick
from .draws import Draw
from .operation import Operation, Pixels, Setting
from .operations import OPERATIONS
from .recipe import Node, OneOf, Recipe, Step


@dataclass(frozen=True, slots=True)
class Drawn:
    """A step with its drawn values; ``label`` names its generator."""

    label: str
    operation: Operation
    values: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Plan:
    """All that is decided before a pixel is touched.

    Attributes:
        draw: where the chance comes from.
        steps: in order; steps and branches that chance left out are absent.
        record: what was drawn, by ``LABEL.PARAMETER`` (``LABEL.branch`` for a choice of branches).
    """

    draw: Draw
    steps: tuple[Drawn, ...]
    record: dict[str, Scalar]


@dataclass(frozen=True, slots=True)
class Degraded:
    """``pixels`` RGB uint8 of HQ's size, and the ``record`` of what was drawn for them."""

    pixels: RGB
    record: dict[str, Scalar]


def make_plan(recipe: Recipe, seed: int, key: str) -> Plan:
    """Draw for one image: a pure function of (recipe id, seed, key)."""
    draw = Draw(recipe.stream, seed, key)
    record: dict[str, Scalar] = {}
    steps = tuple(_draw_steps(recipe.steps, draw, record))
    return Plan(draw, steps, record)


def degrade(hq: RGB, recipe: Recipe, seed: int, key: str) -> Degraded:
    """Make the LQ image of one HQ image.

    Args:
        hq: RGB uint8, HWC.
        recipe: what may be drawn.
        seed: of the whole set.
        key: of this image.

    Raises:
        FaultyInput: the image is too small for what was drawn.
        RefbenchError: the recipe does not end at the size of HQ.
    """
    plan = make_plan(recipe, seed, key)
    return Degraded(carry_out(hq, plan), plan.record)


def carry_out(hq: RGB, plan: Plan) -> RGB:
    """Apply the steps of ``plan`` one by one, in float64 up to the first coding: the reference path."""
    if hq.dtype != np.uint8 or hq.ndim != 3 or hq.shape[2] != 3:
        raise FaultyInput(f"HQ is RGB uint8, HWC; got {hq.dtype} {hq.shape}")
    size = (hq.shape[0], hq.shape[1])
    pixels: Pixels = hq / 255.0
    for step in plan.steps:
        setting = Setting(plan.draw.generator(step.label), size)
        pixels = step.operation.apply(pixels, step.values, setting)
    if pixels.shape[:2] != size:
        ended = f"{pixels.shape[1]}x{pixels.shape[0]}, HQ has {size[1]}x{size[0]}"
        raise RefbenchError(f"the recipe ends at {ended}; end it with the operation full_size")
    return round_levels(pixels)


def _draw_steps(steps: tuple[Node, ...], draw: Draw, record: dict[str, Scalar]) -> Iterator[Drawn]:
    for node in steps:
        if isinstance(node, OneOf):
            chosen = pick(tuple(branch.weight for branch in node.branches), draw.unit(f"{node.label}.branch"))
            record[f"{node.label}.branch"] = chosen
            yield from _draw_steps(node.branches[chosen].steps, draw, record)
        elif node.probability == 1 or draw.unit(f"{node.label}.probability") < node.probability:
            yield _draw_step(node, draw, record)


def _draw_step(step: Step, draw: Draw, record: dict[str, Scalar]) -> Drawn:
    operation = OPERATIONS[step.operation]
    values = {name: parameter.default for name, parameter in operation.parameters.items()}
    for name, distribution in step.parameters.items():
        values[name] = distribution.at(draw.unit(f"{step.label}.{name}"))
    unused = operation.unused(values)
    for name, distribution in step.parameters.items():
        if name not in unused and not isinstance(distribution, Fixed):
            record[f"{step.label}.{name}"] = values[name]
    return Drawn(step.label, operation, values)
