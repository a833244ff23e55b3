"""Options of a verb: one typed object, the same in Python, in YAML files and on the command line."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar, Literal, Self

from pydantic import BaseModel, ConfigDict, ModelWrapValidatorHandler, ValidationError, model_validator

from ..errors import RefbenchError, UnreadableTextError
from ..files import StrPath
from ..text_files import read_yaml
from ..validation import listed_faults

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
    def read(cls, path: StrPath | None, given: Mapping[str, Any]) -> Self:
        """The options of a YAML file (None for the defaults) with those ``given`` by name in their place.

        Raises:
            RefbenchError: no such file, or not a mapping of names to values; every unknown name and every
                value that is out of its range, at once.
        """
        path = None if path is None else Path(path)
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
        return cls.model_validate({**values, **given})

    @model_validator(mode="wrap")
    @classmethod
    def _checked_in_words(cls, values: Any, check: ModelWrapValidatorHandler[Self]) -> Self:
        """Old names are read as today's; faults are told as errors of the package, however it is made."""
        if isinstance(values, Mapping):
            values = {cls.OLD_NAMES.get(name, name): value for name, value in values.items()}
        try:
            return check(values)
        except ValidationError as error:
            listed = "\n  - ".join([f"{cls.WHAT}:", *listed_faults(error.errors(), cls)])
            raise RefbenchError(f"{listed}\nthe options are: {', '.join(cls.model_fields)}") from None

    @classmethod
    def prepare(cls, values: dict[str, Any], folder: Path) -> dict[str, Any]:
        """What a file holds, completed by other files that it names relative to its own ``folder``."""
        return values

    @classmethod
    def _load(cls, path: Path) -> dict[str, Any]:
        try:
            loaded = read_yaml(path)
        except UnreadableTextError as error:
            raise RefbenchError(f"{path} cannot be read as {cls.WHAT}: {error.reason}") from None
        if not isinstance(loaded, dict):
            raise RefbenchError(f"{path} must hold {cls.WHAT} as NAME: VALUE lines")
        return cls.prepare(loaded, path.parent)
