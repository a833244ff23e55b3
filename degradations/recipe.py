"""A recipe: named, versioned steps that say what may be drawn for an image. One YAML file, or one object."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any, TypeAlias

import yaml

from ..errors import FaultList, RefbenchError
from ..files import sha256_json, write_text
from .distributions import Distribution, Fixed, is_number, parse
from .operations import OPERATIONS, nearest

NAME = re.compile(r"[a-z0-9][a-z0-9._-]*")


@dataclass(frozen=True)
class Step:
    """One operation, each of its parameters with what may be drawn, applied with some probability.

    ``label`` names the step among the recipe's steps (``blur``, then ``blur-2``); the recipe sets it.
    """

    operation: str
    parameters: dict[str, Distribution] = field(default_factory=dict)
    probability: float = 1.0
    label: str = ""


@dataclass(frozen=True)
class Branch:
    """Steps that are taken together, in proportion to ``weight``."""

    weight: float
    steps: tuple[Node, ...] = ()


@dataclass(frozen=True)
class OneOf:
    """Exactly one of several branches."""

    branches: tuple[Branch, ...]
    label: str = ""


Node: TypeAlias = Step | OneOf


@dataclass(frozen=True)
class Recipe:
    """How LQ is made from HQ.

    Attributes:
        name: lower-case letters, digits, ``.``, ``_`` and ``-``; it names folders.
        version: counts up whenever a change moves a pixel.
        steps: applied in order.
        title: one line for tables.
        source: the paper or code it comes from.
        sweep: recipes of one sweep name it here and share their draws; empty otherwise.

    Raises:
        FaultList: steps that cannot be carried out, every fault with its place.
    """

    name: str
    version: int
    steps: tuple[Node, ...]
    title: str = ""
    source: str = ""
    sweep: str = ""

    def __post_init__(self) -> None:
        object.__setattr__(self, "steps", _labelled(self.steps, Counter()))
        faults = [*_name_faults(self), *(f"{place}: {fault}" for place, fault in _faults(self.steps))]
        if faults:
            raise FaultList(f"recipe {self.name!r}", faults)

    @property
    def id(self) -> str:
        """Name and version, for instance ``refldm-severe@1``."""
        return f"{self.name}@{self.version}"

    @property
    def stream(self) -> str:
        """What the draws depend on besides seed and key: the id, or the sweep's."""
        return f"{self.sweep}@{self.version}" if self.sweep else self.id

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 of all that moves a pixel: changed steps under an unchanged id do not go unnoticed."""
        return sha256_json([self.stream, _plain_steps(self.steps)])

    def all_steps(self) -> Iterator[Step]:
        """Every step, branches included, in order of their labels."""
        return _walk(self.steps)

    def columns(self) -> list[str]:
        """Names of all that can be recorded, in order of the steps; see `degrade.Plan`."""
        return list(_columns(self.steps))

    def to_dict(self) -> dict[str, Any]:
        """Plain values, as in YAML."""
        words = {name: getattr(self, name) for name in ("title", "source", "sweep") if getattr(self, name)}
        return {"name": self.name, "version": self.version, **words, "steps": _plain_steps(self.steps)}

    def to_yaml(self) -> str:
        """The recipe as YAML that `from_yaml` reads back to an equal recipe."""
        text: str = yaml.dump(self.to_dict(), Dumper=_Dumper, sort_keys=False, width=100, allow_unicode=True)
        return text

    def write(self, path: Path) -> None:
        """Write the YAML file."""
        write_text(path, self.to_yaml())

    @classmethod
    def from_dict(cls, plain: Any) -> Recipe:
        """Read what `to_dict` wrote.

        Raises:
            FaultList: every fault with its place, unknown names with the nearest known one.
        """
        if not isinstance(plain, dict):
            raise RefbenchError(f"a recipe is a mapping with name, version and steps; got {plain!r}")
        known = {"name", "version", "steps", "title", "source", "sweep"}
        faults = [f"unknown field {name!r}; {nearest(str(name), known)}" for name in plain.keys() - known]
        faults += [
            f"the field {name!r} is missing" for name in ("name", "version", "steps") if name not in plain
        ]
        steps = _parse_steps(plain.get("steps", []), "steps", faults)
        if faults:
            raise FaultList(f"recipe {plain.get('name', 'without a name')!r}", faults)
        words = {name: str(plain.get(name, "")) for name in ("title", "source", "sweep")}
        return cls(plain["name"], plain["version"], steps, **words)

    @classmethod
    def from_yaml(cls, text: str) -> Recipe:
        """Read a recipe from YAML text.

        Raises:
            RefbenchError: not YAML, or not a recipe.
        """
        try:
            plain = yaml.safe_load(text)
        except yaml.YAMLError as error:
            raise RefbenchError(f"not YAML: {' '.join(str(error).split())}") from None
        return cls.from_dict(plain)


class _Dumper(yaml.SafeDumper):
    """Writes ranges and choices on one line."""

    def represent_mapping(self, tag: str, mapping: Any, flow_style: bool | None = None) -> yaml.MappingNode:
        one_line = bool({"uniform", "choice"} & set(dict(mapping)))
        return super().represent_mapping(tag, mapping, flow_style=one_line or flow_style)


def load_recipe(recipe: str | Path) -> Recipe:
    """A bundled recipe by name or id (``refldm-severe``, ``severity-0.4@1``), or one from a YAML file.

    Raises:
        RefbenchError: no such recipe, with the nearest name; or a file that is not a recipe.
    """
    from .recipes import RECIPES, severity_named

    text = str(recipe)
    if text.endswith((".yaml", ".yml")):
        try:
            return Recipe.from_yaml(Path(recipe).read_text("utf-8"))
        except OSError as error:
            raise RefbenchError(f"{recipe}: {error.strerror or error}") from None
        except FaultList as error:
            raise FaultList(f"{recipe}, {error.subject}", error.faults) from None
        except (RefbenchError, UnicodeDecodeError) as error:
            raise RefbenchError(f"{recipe}: {error}") from None
    name, _, version = text.partition("@")
    found = RECIPES.get(name) or severity_named(name)
    if found is None:
        raise RefbenchError(
            f"no recipe is called {name!r}; {nearest(name, RECIPES)} A YAML file ends in .yaml"
        )
    if version and version != str(found.version):
        raise RefbenchError(f"{name} is here at version {found.version}, not {version}")
    return found


def _labelled(steps: tuple[Node, ...], seen: Counter[str]) -> tuple[Node, ...]:
    labelled: list[Node] = []
    for node in steps:
        name = node.operation if isinstance(node, Step) else "one_of"
        seen[name] += 1
        label = name if seen[name] == 1 else f"{name}-{seen[name]}"
        if isinstance(node, Step):
            labelled.append(replace(node, label=label))
        else:
            branches = tuple(replace(b, steps=_labelled(tuple(b.steps), seen)) for b in node.branches)
            labelled.append(OneOf(branches, label))
    return tuple(labelled)


def _walk(steps: tuple[Node, ...]) -> Iterator[Step]:
    for node in steps:
        if isinstance(node, Step):
            yield node
        else:
            for branch in node.branches:
                yield from _walk(branch.steps)


def _columns(steps: tuple[Node, ...]) -> Iterator[str]:
    for node in steps:
        if isinstance(node, Step):
            drawn = (name for name, value in node.parameters.items() if not isinstance(value, Fixed))
            yield from (f"{node.label}.{name}" for name in drawn)
        else:
            yield f"{node.label}.branch"
            for branch in node.branches:
                yield from _columns(branch.steps)


def _name_faults(recipe: Recipe) -> Iterator[str]:
    if not isinstance(recipe.name, str) or not NAME.fullmatch(recipe.name):
        yield f"name: lower-case letters, digits, '.', '_' and '-'; got {recipe.name!r}"
    if type(recipe.version) is not int or recipe.version < 1:
        yield f"version: a whole number from 1; got {recipe.version!r}"
    if not recipe.steps:
        yield "steps: there are none"


def _faults(steps: tuple[Node, ...]) -> Iterator[tuple[str, str]]:
    for node in steps:
        if isinstance(node, OneOf):
            weights = [branch.weight for branch in node.branches]
            if not weights or not all(is_number(w) and w >= 0 for w in weights) or sum(weights) <= 0:
                yield node.label, f"each branch has a weight >= 0, not all 0; got {weights}"
            for branch in node.branches:
                yield from _faults(branch.steps)
            continue
        if not is_number(node.probability) or not 0 <= node.probability <= 1:
            yield node.label, f"probability lies from 0 to 1; got {node.probability!r}"
        operation = OPERATIONS.get(node.operation)
        if operation is None:
            yield (
                node.label,
                f"no operation is called {node.operation!r}; {nearest(node.operation, OPERATIONS)}",
            )
            continue
        for name, distribution in node.parameters.items():
            parameter = operation.parameters.get(name)
            if parameter is None:
                yield f"{node.label}.{name}", f"no such parameter; {nearest(name, operation.parameters)}"
            else:
                yield from ((f"{node.label}.{name}", fault) for fault in parameter.faults(distribution))
        for name, parameter in operation.parameters.items():
            if parameter.default is None and name not in node.parameters:
                yield f"{node.label}.{name}", f"is missing ({parameter.meaning})"


def _plain_steps(steps: tuple[Node, ...]) -> list[dict[str, Any]]:
    plain: list[dict[str, Any]] = []
    for node in steps:
        if isinstance(node, OneOf):
            branches = [{"weight": b.weight, "steps": _plain_steps(b.steps)} for b in node.branches]
            plain.append({"one_of": branches})
        else:
            chance = {} if node.probability == 1 else {"probability": node.probability}
            values = {name: distribution.plain() for name, distribution in node.parameters.items()}
            plain.append({"operation": node.operation, **chance, **values})
    return plain


def _parse_steps(plain: Any, place: str, faults: list[str]) -> tuple[Node, ...]:
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
    parameters: dict[str, Distribution] = {}
    for name, value in entry.items():
        try:
            parameters[str(name)] = Fixed(value) if name == "pipeline" else parse(value)
        except RefbenchError as error:
            faults.append(f"{place} {operation}.{name}: {error}")
    return Step(operation, parameters, probability)


def _parse_branches(plain: Any, place: str, faults: list[str]) -> tuple[Branch, ...]:
    if not isinstance(plain, list) or not all(
        isinstance(b, dict) and b.keys() <= {"weight", "steps"} for b in plain
    ):
        faults.append(f"{place}.one_of: a list of branches, each with weight and steps")
        return ()
    return tuple(
        Branch(
            branch.get("weight", 1.0), _parse_steps(branch.get("steps", []), f"{place}.one_of[{n}]", faults)
        )
        for n, branch in enumerate(plain, start=1)
    )
