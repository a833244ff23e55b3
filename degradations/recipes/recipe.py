"""A recipe: named, versioned steps that say what may be drawn for an image. One YAML file, or one object."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import yaml

from ...errors import FaultListError, RefbenchError
from ...files import sha256_json, write_text
from ..operations.registry import nearest
from .recipe_yaml import RecipeDumper, parse_steps, plain_steps
from .steps import Node, drawn_names, faults_in, labelled, labels

FIELDS = ("name", "version", "title", "source", "sweep", "steps")
NAME = re.compile(r"[a-z0-9][a-z0-9._-]*")


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
        FaultListError: steps that cannot be carried out, every fault with its place.
    """

    name: str
    version: int
    steps: tuple[Node, ...]
    title: str = ""
    source: str = ""
    sweep: str = ""

    def __post_init__(self) -> None:
        object.__setattr__(self, "steps", labelled(tuple(self.steps)))
        faults = [*_name_faults(self), *faults_in(self.steps)]
        if faults:
            raise FaultListError(f"recipe {self.name!r}", faults)

    @property
    def id(self) -> str:
        """Name and version, for instance ``refldm-severe@1``."""
        return f"{self.name}@{self.version}"

    @property
    def stream(self) -> str:
        """What the draws depend on besides seed and key: the id, or the sweep's."""
        return f"{self.sweep}@{self.version}" if self.sweep else self.id

    @property
    def labels(self) -> tuple[str, ...]:
        """The labels of all steps, in order, those of every branch included."""
        return tuple(labels(self.steps))

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 of all that moves a pixel: changed steps under an unchanged id do not go unnoticed."""
        return sha256_json([self.stream, plain_steps(self.steps)])

    @property
    def drawn(self) -> tuple[str, ...]:
        """Names of all that can be drawn, in order of the steps: the columns of ``draws.parquet``."""
        return tuple(drawn_names(self.steps))

    def to_dict(self) -> dict[str, Any]:
        """Plain values, as in YAML."""
        words = {name: getattr(self, name) for name in ("title", "source", "sweep") if getattr(self, name)}
        return {"name": self.name, "version": self.version, **words, "steps": plain_steps(self.steps)}

    def to_yaml(self) -> str:
        """The recipe as YAML that `from_yaml` reads back to an equal recipe."""
        plain = self.to_dict()
        text: str = yaml.dump(plain, Dumper=RecipeDumper, sort_keys=False, width=100, allow_unicode=True)
        return text

    def write(self, path: Path) -> None:
        """Write the YAML file."""
        write_text(path, self.to_yaml())

    @classmethod
    def from_dict(cls, plain: Any) -> Recipe:
        """Read what `to_dict` wrote.

        Raises:
            FaultListError: every fault with its place, unknown names with the nearest known one.
        """
        if not isinstance(plain, dict):
            raise RefbenchError(f"a recipe is a mapping with name, version and steps; got {plain!r}")
        faults = [f"unknown field {n!r}; {nearest(str(n), FIELDS)}" for n in plain if n not in FIELDS]
        faults += [f"the field {n!r} is missing" for n in ("name", "version", "steps") if n not in plain]
        steps = parse_steps(plain.get("steps", []), "steps", faults)
        if faults:
            faults += faults_in(labelled(steps))
            raise FaultListError(f"recipe {plain.get('name', 'without a name')!r}", faults)
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


def _name_faults(recipe: Recipe) -> Iterator[str]:
    if not isinstance(recipe.name, str) or not NAME.fullmatch(recipe.name):
        yield f"name: lower-case letters, digits, '.', '_' and '-'; got {recipe.name!r}"
    if type(recipe.version) is not int or recipe.version < 1:
        yield f"version: a whole number from 1; got {recipe.version!r}"
    if not recipe.steps:
        yield "steps: there are none"
