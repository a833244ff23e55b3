"""Serialisation of recipe steps: to plain YAML data and back."""

from __future__ import annotations

from typing import Any

import yaml

from ...errors import RefbenchError
from ..operations.distributions import Choice, Distribution, Fixed, parse
from ..operations.registry import OPERATIONS
from .steps import Branch, Node, OneOf, Step

PLACEHOLDER = Choice(())  # stands for a value that cannot be read, so that the others are checked too


class RecipeDumper(yaml.SafeDumper):
    """YAML dumper that writes ranges and choices on one line."""

    def represent_mapping(self, tag: str, mapping: Any, flow_style: bool | None = None) -> yaml.MappingNode:
        """A mapping node, in flow style for a range or a choice."""
        one_line = bool({"uniform", "choice"} & set(dict(mapping)))
        return super().represent_mapping(tag, mapping, flow_style=one_line or flow_style)


def plain_steps(steps: tuple[Node, ...]) -> list[dict[str, Any]]:
    """Steps as plain YAML data."""
    plain: list[dict[str, Any]] = []
    for node in steps:
        if isinstance(node, OneOf):
            branches = [{"weight": b.weight, "steps": plain_steps(b.steps)} for b in node.branches]
            plain.append({"one_of": branches})
        else:
            chance = {} if node.probability == 1 else {"probability": node.probability}
            values = {name: distribution.plain() for name, distribution in node.parameters.items()}
            plain.append({"operation": node.operation, **chance, **values})
    return plain


def parse_steps(plain: Any, place: str, faults: list[str]) -> tuple[Node, ...]:
    """Read steps from plain YAML data; faults are appended to ``faults``, each with its place."""
    if not isinstance(plain, list):
        faults.append(f"{place}: a list of steps; got {plain!r}")
        return ()
    parsed: list[Node] = []
    for number, entry in enumerate(plain, start=1):
        here = f"{place}[{number}]"
        if isinstance(entry, dict) and entry.keys() == {"one_of"}:
            parsed.append(OneOf(_parse_branches(entry["one_of"], here, faults)))
        elif isinstance(entry, dict) and isinstance(entry.get("operation"), str):
            parsed.append(_parse_step(dict(entry), here, faults))
        else:
            faults.append(f"{here}: a step has the field 'operation', or 'one_of' alone; got {entry!r}")
    return tuple(parsed)


def _parse_step(entry: dict[str, Any], place: str, faults: list[str]) -> Step:
    operation = entry.pop("operation")
    probability = entry.pop("probability", 1.0)
    known = OPERATIONS[operation].parameters if operation in OPERATIONS else {}
    parameters: dict[str, Distribution] = {}
    for name, value in entry.items():
        literal = name in known and known[name].literal
        try:
            parameters[str(name)] = Fixed(value) if literal else parse(value)
        except RefbenchError as error:
            faults.append(f"{place} {operation}.{name}: {error}")
            parameters[str(name)] = PLACEHOLDER
    return Step(operation, parameters, probability)


def _parse_branches(plain: Any, place: str, faults: list[str]) -> tuple[Branch, ...]:
    branches: list[Branch] = []
    for number, branch in enumerate(plain if isinstance(plain, list) else [plain], start=1):
        here = f"{place}.one_of[{number}]"
        if isinstance(branch, dict) and branch.keys() <= {"weight", "steps"}:
            steps = parse_steps(branch.get("steps", []), here, faults)
            branches.append(Branch(branch.get("weight", 1.0), steps))
        else:
            faults.append(f"{here}: a branch has the fields weight and steps; got {branch!r}")
    return tuple(branches)
