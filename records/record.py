"""Records: the scores of one submission on one benchmark, per image, with their provenance.

On disk a record is a folder: ``scores.parquet`` (one row per image and protocol) and ``record.json``,
written last. Nothing in it depends on the clock, so scoring the same images again gives the same bytes.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pandas as pd
from pydantic import BaseModel, ConfigDict, ValidationError

from ..errors import RefbenchError
from ..files import StrPath, canonical_json, sha256_json, write_json, write_table
from .card import Card as Card
from .datasets import dataset_dict
from .ids import VersionedId

if TYPE_CHECKING:
    from datasets import DatasetDict

RECORD_NAME = "record.json"
SCORES_NAME = "scores.parquet"
SCORE_COLUMNS = ("key", "identity", "protocol", "value", "reason")
SCHEMA_VERSION = 1
Migration = Callable[[dict[str, Any]], dict[str, Any]]
MIGRATIONS: dict[int, Migration] = {}
"""From each older schema version a function to the next; records on disk stay as they were written."""


def migrate(
    content: dict[str, Any],
    migrations: Mapping[int, Migration] | None = None,
    current: int = SCHEMA_VERSION,
) -> dict[str, Any]:
    """The content of ``record.json`` in the current schema version, migrated one version at a time.

    Raises:
        RefbenchError: a newer version, or an older one without a migration.
    """
    steps = MIGRATIONS if migrations is None else migrations
    version = content.get("schema_version", current)
    if not isinstance(version, int) or version > current:
        raise RefbenchError(f"schema version {version} is newer than {current}: update refbench")
    while version < current:
        if version not in steps:
            raise RefbenchError(f"schema version {version} is too old: nothing migrates it to {version + 1}")
        content = steps[version](dict(content)) | {"schema_version": version + 1}
        version += 1
    return content


class Track(BaseModel):
    """What makes one table: a set, a split, LQ images and an evaluation mode. Protocols are its columns.

    Attributes:
        name, set_hash: of the set; the hash is that of the set as the evaluation mode sees it.
        split: ``train``, ``val``, ``test`` or ``all``.
        recipe, lq_hash: id of the recipe, and content hash of the LQ images.
        images: number of images to score.
        references: the evaluation mode, see `records.evaluation_modes`.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    set_hash: str
    split: str
    recipe: str
    lq_hash: str
    images: int
    references: str = "all"

    @property
    def id(self) -> str:
        """A name for files and pages: set, split, recipe, mode and eight digits of the hash of it all."""
        mode = "" if self.references == "all" else f"-references-{self.references}"
        digits = sha256_json(self.model_dump(exclude_defaults=True))[:8]
        return f"{self.name}-{self.split}-{VersionedId.parse(self.recipe).name}{mode}-{digits}"


class Benchmark(Track):
    """What one record was scored on: a track, and the protocols of this record.

    Two records share a table if their tracks are equal, whatever their protocols. ``id`` hashes the
    protocols too: version 0.1 named folders and pages by it.
    """

    protocols: tuple[str, ...]

    @property
    def track(self) -> Track:
        """The track, without the protocols."""
        return Track.model_validate(self.model_dump(exclude={"protocols"}))


class SetScore(BaseModel):
    """A score of a whole set of images, such as FID.

    Attributes:
        value: in the protocol's unit; None where it cannot be computed.
        images: number of images that it was computed from.
        warning: why the value is missing, or biased; empty otherwise.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    value: float | None
    images: int
    warning: str = ""


class RecordInfo(BaseModel):
    """The content of ``record.json``: card, benchmark, scores of the whole set, provenance."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    schema_version: Literal[1] = 1
    card: Card
    benchmark: Benchmark
    submission_hash: str
    set_scores: dict[str, SetScore]
    provenance: dict[str, str]
    superseded_by: str = ""


@dataclass(frozen=True)
class Record:
    """A record in memory.

    ``scores`` has the columns key, identity, protocol, value (float64, missing where unscored) and reason
    (empty where scored), sorted by protocol and key. A missing value is never zero.
    """

    info: RecordInfo
    scores: pd.DataFrame

    @classmethod
    def read(cls, folder: StrPath) -> Record:
        """Read a record of this or an older schema version from its folder.

        Raises:
            RefbenchError: not a record, or one of a newer schema version.
        """
        folder = Path(folder)
        info = read_info(folder)
        try:
            return cls(info, pd.read_parquet(folder / SCORES_NAME))
        except (ValueError, OSError) as error:
            raise RefbenchError(f"{folder} is not a readable record: {error}") from None

    def to_dataset(self) -> DatasetDict:
        """The scores as a Hugging Face `datasets.DatasetDict` with the split ``scores``.

        Columns: ``key``, ``identity``, ``protocol``, ``value`` (float64, None where unscored), ``reason``.
        The description of the data set is ``record.json``.

        Raises:
            MissingPackageError: ``datasets`` is not installed (extra ``hub``).
        """
        columns = {name: "float64" if name == "value" else "string" for name in SCORE_COLUMNS}
        description = canonical_json(self.info.model_dump(mode="json"))
        return dataset_dict({"scores": self._rows()}, columns, description)

    def _rows(self) -> Iterator[dict[str, Any]]:
        for row in self.scores[list(SCORE_COLUMNS)].itertuples(index=False, name=None):
            named = dict(zip(SCORE_COLUMNS, row, strict=True))
            yield named | {"value": None if np.isnan(named["value"]) else named["value"]}

    def write(self, folder: StrPath) -> None:
        """Write the record; ``record.json`` comes last and marks it as whole."""
        folder = Path(folder)
        ordered = self.scores[list(SCORE_COLUMNS)].sort_values(["protocol", "key"], ignore_index=True)
        write_table(folder / SCORES_NAME, ordered)
        write_json(folder / RECORD_NAME, self.info.model_dump(mode="json"))


def read_info(folder: Path) -> RecordInfo:
    """What ``record.json`` of a record's folder says, of this or an older schema version.

    Raises:
        RefbenchError: not a record, or one of a newer schema version.
    """
    try:
        content = json.loads((folder / RECORD_NAME).read_text("utf-8"))
        if not isinstance(content, dict):
            raise ValueError("not a JSON object")
        return RecordInfo.model_validate(migrate(content))
    except (ValidationError, ValueError, OSError) as error:
        raise RefbenchError(f"{folder} is not a readable record: {error}") from None
