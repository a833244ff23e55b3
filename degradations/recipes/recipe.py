"""A recipe: named, versioned degradation steps with distributions of their parameters; read from YAML."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import yaml

from ...errors import FaultListError, RefbenchError, UnreadableTextError
from ...files import StrPath, sha256_json, write_text
from ...names import is_portable
from ...records.ids import VersionedId
from ...text_files import parse_yaml
from ..operations.registry import nearest
from .recipe_yaml import RecipeDumper, parse_steps, plain_steps
from .steps import Node, drawn_names, faults_in, labelled, labels

FIELDS = ("name", "version", "title", "source", "sweep", "steps")
NAME = re.compile(r"[a-z0-9][a-z0-9._-]*")


@dataclass(frozen=True)
class Recipe:
    """How LQ images are synthesised from HQ images.

    Attributes:
        name: lower-case letters, digits, ``.``, ``_`` and ``-``; it names folders.
        version: from 1; increased by every change that alters pixels.
        steps: applied in order.
        title: one line for tables.
        source: the paper or code it comes from.
        sweep: name of a sweep whose recipes share their draws; empty for none.

    Raises:
        FaultListError: invalid name, version or steps, every fault with its place.
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
        return str(VersionedId(self.name, str(self.version)))

    @property
    def stream(self) -> str:
        """What the draws depend on besides seed and key: the id, or that of the sweep."""
        return str(VersionedId(self.sweep or self.name, str(self.version)))

    @property
    def labels(self) -> tuple[str, ...]:
        """The labels of all steps, in order, those of every branch included."""
        return tuple(labels(self.steps))

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 of the stream and the steps: it detects changed steps under an unchanged id."""
        return sha256_json([self.stream, plain_steps(self.steps)])

    @property
    def drawn(self) -> tuple[str, ...]:
        """Names of all drawn values, in order of the steps: the columns of ``draws.parquet``."""
        return tuple(drawn_names(self.steps))

    def to_dict(self) -> dict[str, Any]:
        """The recipe as plain YAML data."""
        texts = {name: getattr(self, name) for name in ("title", "source", "sweep") if getattr(self, name)}
        return {"name": self.name, "version": self.version, **texts, "steps": plain_steps(self.steps)}

    def to_yaml(self) -> str:
        """The recipe as YAML that `from_yaml` reads back to an equal recipe."""
        plain = self.to_dict()
        text: str = yaml.dump(plain, Dumper=RecipeDumper, sort_keys=False, width=100, allow_unicode=True)
        return text

    def write(self, path: StrPath) -> None:
        """Write the YAML file."""
        path = Path(path)
        write_text(path, self.to_yaml())

    @classmethod
    def from_dict(cls, plain: Any) -> Recipe:
        """Read a recipe from plain YAML data.

        Raises:
            FaultListError: every fault with its place, unknown names with the most similar known one.
        """
        if not isinstance(plain, dict):
            raise RefbenchError(f"a recipe is a mapping with name, version and steps; got {plain!r}")
        faults = [f"unknown field {n!r}; {nearest(str(n), FIELDS)}" for n in plain if n not in FIELDS]
        faults += [f"the field {n!r} is missing" for n in ("name", "version", "steps") if n not in plain]
        steps = parse_steps(plain.get("steps", []), "steps", faults)
        if faults:
            faults += faults_in(labelled(steps))
            raise FaultListError(f"recipe {plain.get('name', 'without a name')!r}", faults)
        texts = {name: str(plain.get(name, "")) for name in ("title", "source", "sweep")}
        return cls(plain["name"], plain["version"], steps, **texts)

    @classmethod
    def from_yaml(cls, text: str) -> Recipe:
        """Read a recipe from YAML text.

        Raises:
            RefbenchError: not YAML, or not a recipe.
        """
        try:
            plain = parse_yaml(text, "recipe")
        except UnreadableTextError as error:
            raise RefbenchError(error.reason) from None
        return cls.from_dict(plain)


def _name_faults(recipe: Recipe) -> Iterator[str]:
    if not isinstance(recipe.name, str) or not NAME.fullmatch(recipe.name):
        yield f"name: lower-case letters, digits, '.', '_' and '-'; got {recipe.name!r}"
    elif not is_portable(recipe.name):
        yield f"name: no folder may be called {recipe.name!r} on every system"
    if type(recipe.version) is not int or recipe.version < 1:
        yield f"version: a whole number from 1; got {recipe.version!r}"
    if not recipe.steps:
        yield "steps: there are none"
