"""A folder of LQ images on disk: ``KEY.png``, ``draws.parquet``, and ``lq.json`` written last."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import cv2
import pandas as pd
import pyarrow.parquet as pq
from pydantic import BaseModel, ConfigDict, ValidationError

from ..errors import RefbenchError
from ..files import StrPath, canonical_json, names_of, sha256_bytes, sha256_json, write_json, write_table
from ..images import RGB
from .datasets import IMAGE, dataset_dict

if TYPE_CHECKING:
    from datasets import DatasetDict

INFO = "lq.json"
DRAWS = "draws.parquet"
COLUMNS = ("key", "width", "height", "hq_sha256", "lq_sha256", "pixels_sha256")

Scalar: TypeAlias = float | int | str | bool
"""One drawn value: what a degradation draws and an LQ set records."""


class LqInfo(BaseModel):
    """What ``lq.json`` says.

    Attributes:
        schema_version: 2 where the folder may hold several splits, each with its own hash (`narrowed`); in 1,
            of version 0.1, ``lq_hash`` counts whatever is taken of the folder.
        recipe: name; in a reference set the folder's too, with ``.seed-N`` for any seed but 0.
        recipe_id: name and version.
        fingerprint: of the recipe's steps; empty for imported images.
        steps: the whole recipe as plain values; None for imported images.
        seed: None for imported images.
        images: how many.
        lq_hash: SHA-256 over keys and decoded pixels: equal for equal pixels, whoever encoded the PNG.
        versions: of the packages that move pixels.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    schema_version: Literal[1, 2] = 1
    origin: Literal["synthesised", "imported"]
    recipe: str
    recipe_id: str
    fingerprint: str
    steps: dict[str, Any] | None
    seed: int | None
    images: int
    lq_hash: str
    versions: dict[str, str]

    @classmethod
    def read(cls, folder: StrPath) -> LqInfo:
        """Read ``lq.json`` of a folder.

        Raises:
            RefbenchError: absent (the folder is not whole), or of another schema version.
        """
        folder = Path(folder)
        try:
            return cls.model_validate_json((folder / INFO).read_text("utf-8"))
        except FileNotFoundError:
            fix = "run `refbench degrade` on it (again)"
            raise RefbenchError(f"{folder} is not a whole LQ folder: it has no {INFO}; {fix}") from None
        except (ValidationError, ValueError, OSError) as error:
            raise RefbenchError(f"{folder / INFO} is not readable: {error}") from None

    def narrowed(self, folder: StrPath, keys: Collection[str] | str) -> LqInfo:
        """The same of some images of the folder alone: their number and their hash.

        Args:
            folder: of this ``lq.json``.
            keys: of the images, those of a split for instance.

        Raises:
            RefbenchError: ``draws.parquet`` is absent or not readable.
        """
        folder = Path(folder)
        keys = names_of(keys)
        if self.schema_version == 1:
            return self
        rows = [row for row in read_rows(folder) if row.key in set(keys)]
        return self.model_copy(update={"images": len(rows), "lq_hash": lq_hash(rows)})


@dataclass(frozen=True, slots=True)
class LqRow:
    """One image: its size, the hashes of the HQ file, the LQ file and the LQ pixels, and what was drawn."""

    key: str
    width: int
    height: int
    hq_sha256: str
    lq_sha256: str
    pixels_sha256: str
    record: dict[str, Scalar]


def versions() -> dict[str, str]:
    """Versions of the packages that move pixels."""
    return {name: version(name) for name in ("numpy", "scipy")} | {"opencv": cv2.__version__}


def pixels_sha256(pixels: RGB) -> str:
    """SHA-256 of the height, the width and the bytes of an RGB picture (H, W, 3) uint8, as lower-case hex."""
    return sha256_bytes(f"{pixels.shape[0]}x{pixels.shape[1]}:".encode() + pixels.tobytes())


def lq_hash(rows: Iterable[LqRow]) -> str:
    """SHA-256 over keys and pixel hashes, whatever the order of ``rows``."""
    return sha256_json(sorted([row.key, row.pixels_sha256] for row in rows))


def write_rows(folder: Path, rows: Iterable[LqRow], columns: Iterable[str] = ()) -> None:
    """Write ``draws.parquet``: sorted by key, then ``columns`` of drawn values, missing where not drawn."""
    ordered = sorted(rows, key=lambda row: row.key)
    facts = {name: [getattr(row, name) for row in ordered] for name in COLUMNS}
    drawn = {name: pd.array([row.record.get(name) for row in ordered]) for name in columns}
    write_table(folder / DRAWS, pd.DataFrame({**facts, **drawn}))


def read_rows(folder: StrPath) -> list[LqRow]:
    """Read ``draws.parquet``.

    Raises:
        RefbenchError: absent or not readable.
    """
    folder = Path(folder)
    try:
        rows = pq.read_table(folder / DRAWS).to_pylist()
        return [
            LqRow(
                **{name: row.pop(name) for name in COLUMNS},
                record={name: value for name, value in row.items() if value is not None},
            )
            for row in rows
        ]
    except (OSError, ValueError, KeyError) as error:
        raise RefbenchError(f"{folder / DRAWS} is not readable: {error}; degrade again") from None


def lq_dataset(folder: StrPath) -> DatasetDict:
    """A folder of LQ images as a Hugging Face `datasets.DatasetDict` with the split ``lq``.

    Columns: ``key``, the picture ``lq``, ``width`` and ``height`` in pixels, ``hq_sha256``, ``lq_sha256``,
    ``pixels_sha256``, and ``draws``, the drawn values as JSON. The description is ``lq.json``. Pictures are
    read from disk when their row is.

    Raises:
        RefbenchError: not a whole LQ folder, or ``datasets`` is not installed (extra ``hub``).
    """
    folder = Path(folder)
    info = LqInfo.read(folder)
    columns = {"key": "string", "lq": IMAGE, "width": "int32", "height": "int32"}
    columns |= dict.fromkeys(("hq_sha256", "lq_sha256", "pixels_sha256", "draws"), "string")
    rows = (
        {name: getattr(row, name) for name in COLUMNS}
        | {"lq": folder / f"{row.key}.png", "draws": canonical_json(row.record)}
        for row in read_rows(folder)
    )
    return dataset_dict({"lq": rows}, columns, canonical_json(info.model_dump(mode="json")))


def write_info(folder: Path, info: LqInfo) -> None:
    """Write ``lq.json``, which marks the folder as whole."""
    write_json(folder / INFO, info.model_dump(mode="json"))
