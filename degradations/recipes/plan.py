"""The plan of one image: the drawn steps and the record of every draw, before pixels are processed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from ...records.lq_set import Scalar
from ..operations.distributions import Fixed, pick
from ..operations.operation import Operation
from ..operations.registry import OPERATIONS
from .draws import Draw
from .recipe import Recipe
from .steps import Node, OneOf, Step


@dataclass(frozen=True, slots=True)
class DrawnStep:
    """A step with its drawn values.

    Attributes:
        label: name of the step within its recipe; it seeds the generator of the step.
        operation: what the step applies.
        values: value of each parameter, by name.
    """

    label: str
    operation: Operation
    values: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Plan:
    """The drawn steps of one image.

    Attributes:
        draw: source of the draws.
        steps: in order; steps and branches that were not drawn are absent.
        record: every drawn value by ``LABEL.PARAMETER``; ``LABEL.applied`` for a step of probability below 1,
            ``LABEL.branch`` (from 0) for a choice of branches.
    """

    draw: Draw
    steps: tuple[DrawnStep, ...]
    record: dict[str, Scalar]


def make_plan(recipe: Recipe, seed: int, key: str) -> Plan:
    """Draw the steps of one image: a pure function of (recipe id, seed, key)."""
    draw = Draw(recipe.stream, seed, key)
    record: dict[str, Scalar] = {}
    steps = tuple(_draw_steps(recipe.steps, draw, record))
    return Plan(draw, steps, record)


def _draw_steps(steps: tuple[Node, ...], draw: Draw, record: dict[str, Scalar]) -> Iterator[DrawnStep]:
    for node in steps:
        if isinstance(node, OneOf):
            chosen = pick(tuple(branch.weight for branch in node.branches), draw.unit(f"{node.label}.branch"))
            record[f"{node.label}.branch"] = chosen
            yield from _draw_steps(node.branches[chosen].steps, draw, record)
        elif node.probability == 1:
            yield _draw_step(node, draw, record)
        else:
            applied = draw.unit(f"{node.label}.applied") < node.probability
            record[f"{node.label}.applied"] = applied
            if applied:
                yield _draw_step(node, draw, record)


def _draw_step(step: Step, draw: Draw, record: dict[str, Scalar]) -> DrawnStep:
    operation = OPERATIONS[step.operation]
    values = {name: parameter.default for name, parameter in operation.parameters.items()}
    for name, distribution in step.parameters.items():
        values[name] = distribution.at(draw.unit(f"{step.label}.{name}"))
    unused = operation.unused(values) if operation.unused else frozenset()
    for name, distribution in step.parameters.items():
        if name not in unused and not isinstance(distribution, Fixed):
            record[f"{step.label}.{name}"] = values[name]
    return DrawnStep(step.label, operation, values)
