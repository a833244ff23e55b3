"""Overrides: identities to merge or split and images to drop, as somebody decided by eye."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from ...errors import FaultListError, RefbenchError, UnreadableTextError
from ...files import StrPath, names_of
from ...text_files import read_yaml
from ...validation import listed_faults

Group = tuple[str, ...]
WANTED = "merge: [[KEY, KEY]], split: [[KEY]], drop: [KEY]"


class Overrides(BaseModel):
    """Decisions by eye, each by the keys of images; a key that the set does not have is a fault.

    Raises:
        pydantic.ValidationError: not lists of keys.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    merge: tuple[Group, ...] = Field(
        default=(), description="Groups of keys; all identities that a group touches become one."
    )
    split: tuple[Group, ...] = Field(
        default=(),
        description="Groups of keys; each group leaves its identities and becomes one of its own.",
    )
    drop: Group = Field(default=(), description="Keys that are left out of the set.")

    @classmethod
    def read(cls, path: StrPath) -> Overrides:
        """Read a YAML file with the lists ``merge``, ``split`` (lists of lists of keys) and ``drop``.

        Every key is taken as text: ``001_2``, which YAML calls the number 12, needs no quotes.

        Raises:
            RefbenchError: not readable, not YAML, or of another shape.
        """
        path = Path(path)
        try:
            return cls.model_validate(read_yaml(path, plain_text=True) or {})
        except UnreadableTextError as error:
            raise RefbenchError(f"{path}: not a file of overrides ({WANTED}): {error.reason}") from None
        except ValidationError as error:
            faults = listed_faults(error.errors(), cls, "list")
            raise FaultListError(f"{path}: not a file of overrides ({WANTED})", faults) from None

    def check(self, keys: Iterable[str] | str) -> None:
        """Raise a `FaultListError` that names every key that is not among ``keys`` or is split twice."""
        keys = names_of(keys)
        known = set(keys)
        named = [(verb, key) for verb in ("merge", "split") for group in getattr(self, verb) for key in group]
        named += [("drop", key) for key in self.drop]
        faults = [f"{verb}: no image has the key {key!r}" for verb, key in named if key not in known]
        split = [key for group in self.split for key in group]
        faults += [
            f"split: {key!r} is in two groups" for key in sorted({k for k in split if split.count(k) > 1})
        ]
        if faults:
            raise FaultListError(
                "overrides", faults, "fix the file of overrides; keys are in manifest.parquet"
            )

    def apply(self, labels: Mapping[str, int]) -> dict[str, int]:
        """Labels by key after every split and then every merge.

        Splitting comes first: a group that is split off may be merged elsewhere.
        """
        result = dict(labels)
        fresh = max(result.values(), default=-1) + 1
        for number, group in enumerate(self.split):
            result |= dict.fromkeys(group, fresh + number)
        for group in self.merge:
            joined = {result[key] for key in group}
            into = min(joined)
            result = {key: into if label in joined else label for key, label in result.items()}
        return result
