"""Options of a verb: one typed object, the same in Python, in YAML files and on the command line."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Any, ClassVar, Literal, Self

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError

from ..errors import RefbenchError

Split = Literal["train", "val", "test", "all"]
"""Whose targets a verb works on; ``all`` for every image with references."""


class Options(BaseModel):
    """Base of all options objects: frozen, every field checked, unknown names refused.

    A field's ``description`` is its help on the command line. ``OLD_NAMES`` maps names that earlier versions
    used, at any depth as ``outer.inner``, to the names of today; both are read.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    WHAT: ClassVar[str] = "options"
    OLD_NAMES: ClassVar[Mapping[str, str]] = {}

    @classmethod
    def read(cls, path: Path | None, given: Mapping[str, Any]) -> Self:
        """The options of a YAML file (None for the defaults) with those ``given`` by name in their place.

        Raises:
            RefbenchError: no such file, or not a mapping of names to values; every unknown name and every
                value that is out of its range, at once.
        """
        return cls.checked({} if path is None else cls._load(path), given)

    @classmethod
    def merged(cls, options: Self | None, given: Mapping[str, Any]) -> Self:
        """``options`` (None for the defaults) with those ``given`` by name in their place.

        Raises:
            RefbenchError: ``options`` is of another class; every unknown name and every value that is out of
                its range, at once.
        """
        if options is not None and not isinstance(options, cls):
            came = type(options).__name__
            raise RefbenchError(f"{cls.WHAT} must be a {cls.__name__}, or given by name; got a {came}")
        if options and not given:
            return options
        values = (
            {} if options is None else {name: getattr(options, name) for name in options.model_fields_set}
        )
        return cls.checked(values, given)

    @classmethod
    def checked(cls, values: Mapping[str, Any], given: Mapping[str, Any]) -> Self:
        """Options of plain values, those ``given`` in place of ``values``.

        Raises:
            RefbenchError: every unknown name and every value that is out of its range, at once.
        """
        named = {cls.OLD_NAMES.get(name, name): value for name, value in {**values, **given}.items()}
        try:
            return cls.model_validate(named)
        except ValidationError as error:
            faults = cls._faults(error.errors())
            listed = "\n  - ".join([f"{cls.WHAT}:", *faults])
            raise RefbenchError(f"{listed}\nthe options are: {', '.join(cls.model_fields)}") from None

    @classmethod
    def prepare(cls, values: dict[str, Any], folder: Path) -> dict[str, Any]:
        """What a file holds, completed by other files that it names relative to its own ``folder``."""
        return values

    @classmethod
    def _load(cls, path: Path) -> dict[str, Any]:
        try:
            loaded = yaml.safe_load(path.read_text("utf-8"))
        except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
            raise RefbenchError(f"{path} cannot be read as {cls.WHAT}: {error}") from None
        if not isinstance(loaded, dict):
            raise RefbenchError(f"{path} must hold {cls.WHAT} as NAME: VALUE lines")
        return cls.prepare(loaded, path.parent)

    @classmethod
    def _faults(cls, found: Iterable[Any]) -> list[str]:
        """Faults of pydantic's in our words, one per field; the branches of a union are no places."""
        by_name: dict[str, list[Any]] = {}
        for fault in found:
            place = (str(part) for part in fault["loc"])
            parts = [part for part in place if not part.startswith(("constrained", "literal["))]
            by_name.setdefault(".".join(parts) or "options", []).append(fault)
        return [cls._fault(name, faults) for name, faults in by_name.items()]

    @classmethod
    def _fault(cls, name: str, faults: Sequence[Any]) -> str:
        """What is wrong with one field, what came, and what the field means."""
        if faults[0]["type"] == "extra_forbidden":
            close = get_close_matches(name, [*cls._paths()], n=1)
            return f"{name}: no such option" + (f"; did you mean {close[0]!r}?" if close else "")
        said = "; or ".join(dict.fromkeys(fault["msg"] for fault in faults))
        field = cls.model_fields.get(name)
        meaning = f" ({field.description})" if field and field.description else ""
        return f"{name}: {said}; got {faults[0]['input']!r}{meaning}"

    @classmethod
    def _paths(cls) -> Iterator[str]:
        for name, field in cls.model_fields.items():
            yield name
            inner = field.annotation
            if isinstance(inner, type) and issubclass(inner, BaseModel):
                yield from (f"{name}.{part}" for part in inner.model_fields)
