"""Steps of a recipe: operations with distributions of their parameters, and choices between branches."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import TypeAlias

from ..operations.distributions import Distribution, Fixed, is_number
from ..operations.registry import OPERATIONS, nearest


@dataclass(frozen=True)
class Step:
    """One operation with distributions of its parameters.

    Attributes:
        operation: name of the operation.
        parameters: distribution of each parameter, by name; others take their defaults.
        probability: with which the step is applied, 0 to 1.
        label: name of the step within its recipe (``blur``, then ``blur-2``), set by the recipe.
    """

    operation: str
    parameters: dict[str, Distribution] = field(default_factory=dict)
    probability: float = 1.0
    label: str = ""


@dataclass(frozen=True)
class Branch:
    """Steps that `OneOf` applies with a probability in proportion to ``weight``."""

    weight: float
    steps: tuple[Node, ...] = ()


@dataclass(frozen=True)
class OneOf:
    """A random choice of exactly one branch."""

    branches: tuple[Branch, ...]
    label: str = ""


Node: TypeAlias = Step | OneOf


def labelled(steps: tuple[Node, ...], seen: Counter[str] | None = None) -> tuple[Node, ...]:
    """The steps with labels: the operation's name, numbered from its second use on."""
    seen = Counter() if seen is None else seen
    done: list[Node] = []
    for node in steps:
        name = node.operation if isinstance(node, Step) else "one_of"
        seen[name] += 1
        label = name if seen[name] == 1 else f"{name}-{seen[name]}"
        if isinstance(node, Step):
            done.append(replace(node, label=label))
        else:
            branches = tuple(replace(b, steps=labelled(tuple(b.steps), seen)) for b in node.branches)
            done.append(OneOf(branches, label))
    return tuple(done)


def labels(steps: tuple[Node, ...]) -> Iterator[str]:
    """The labels of all steps, in order."""
    for node in steps:
        if isinstance(node, Step):
            yield node.label
        else:
            for branch in node.branches:
                yield from labels(branch.steps)


def drawn_names(steps: tuple[Node, ...]) -> Iterator[str]:
    """Names of all values that are drawn and recorded, in order of the steps."""
    for node in steps:
        if isinstance(node, Step):
            if node.probability != 1:
                yield f"{node.label}.applied"
            drawn = (name for name, value in node.parameters.items() if not isinstance(value, Fixed))
            yield from (f"{node.label}.{name}" for name in drawn)
        else:
            yield f"{node.label}.branch"
            for branch in node.branches:
                yield from drawn_names(branch.steps)


def faults_in(steps: tuple[Node, ...]) -> Iterator[str]:
    """The faults of labelled steps, each with its place."""
    for node in steps:
        if isinstance(node, Step):
            yield from (f"{node.label}{fault}" for fault in _step_faults(node))
        else:
            weights = [branch.weight for branch in node.branches]
            if not weights or not all(is_number(w) and w >= 0 for w in weights) or sum(weights) <= 0:
                yield f"{node.label}: each branch has a weight >= 0, not all 0; got {weights}"
            for branch in node.branches:
                yield from faults_in(branch.steps)


def _step_faults(step: Step) -> Iterator[str]:
    if not is_number(step.probability) or not 0 <= step.probability <= 1:
        yield f": probability must be between 0 and 1; got {step.probability!r}"
    operation = OPERATIONS.get(step.operation)
    if operation is None:
        yield f": no operation is called {step.operation!r}; {nearest(step.operation, OPERATIONS)}"
        return
    for name, distribution in step.parameters.items():
        parameter = operation.parameters.get(name)
        if parameter is None:
            yield f".{name}: no such parameter; {nearest(name, operation.parameters)}"
        else:
            yield from (f".{name}: {fault}" for fault in parameter.faults(distribution))
    for name, parameter in operation.parameters.items():
        if parameter.default is None and name not in step.parameters:
            yield f".{name}: is missing ({parameter.meaning})"
