"""The reference set on disk: ``set.json``, ``manifest.parquet``, ``images/`` and ``lq/<recipe>/``."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from hashlib import sha256
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, ValidationError

from ..errors import RefbenchError
from ..files import StrPath, canonical_json, names_of, sha256_bytes, sha256_file, write_json
from .datasets import set_dataset
from .ids import lq_folder_name, recipe_and_seed
from .targets import Point as Point
from .targets import Target as Target
from .targets import Targets

if TYPE_CHECKING:
    from datasets import DatasetDict

SCHEMA_VERSION = 2
INFO = "set.json"
MANIFEST = "manifest.parquet"
IMAGES = "images"
EMBEDDINGS = "embeddings.npy"
LQ_INFO = "lq.json"
SPLITS = ("train", "val", "test")
REAL = "real"
"""The split of targets without HQ."""
ALL_SPLITS = "all"
MANY_IMAGES = 10_000
"""A set of more images has them in folders of two hex digits."""


class SetInfo(BaseModel):
    """What ``set.json`` says about a reference set.

    Attributes:
        schema_version: 2 is written; 1, of version 0.1, is read too.
        name: of the set, as boards show it.
        content_hash: SHA-256 of what scores depend on, see `content_hash`.
        image_size: side of the square aligned images, in pixels.
        settings: every choice of the build (detector, recogniser, thresholds, split sizes, seed), so that
            the set can be built again.
        versions: weights by hash and packages by version that the build used.
        counts: numbers of photos, images, identities, and of each split.
        licence: of the photos.
        consent: of the people shown.
        files: SHA-256 of every file beside the images, by its path.
        image_folder_digits: 0 for ``images/KEY.png``; 2 for ``images/ab/KEY.png`` with the first two hex
            digits of the key's SHA-256.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    schema_version: Literal[1, 2] = 2
    name: str
    content_hash: str
    image_size: int
    settings: dict[str, Any]
    versions: dict[str, str]
    counts: dict[str, int]
    licence: str = "unknown"
    consent: str = "unknown"
    files: dict[str, str] = {}
    image_folder_digits: Literal[0, 2] = 0

    @classmethod
    def read(cls, path: StrPath) -> SetInfo:
        """Read a ``set.json``, or the copy of it in an export.

        Raises:
            FileNotFoundError: no such file.
            RefbenchError: it cannot be read, or is of another schema version.
        """
        path = Path(path)
        try:
            return cls.model_validate_json(path.read_text("utf-8"))
        except FileNotFoundError:
            raise
        except ValidationError as error:
            faults = (
                f"{'.'.join(map(str, fault['loc'])) or 'file'}: {fault['msg']}" for fault in error.errors()
            )
            fix = "it is damaged; build or copy the set again"
            raise RefbenchError(f"{path} is not readable: {'; '.join(faults)}; {fix}") from None
        except (ValueError, OSError) as error:
            raise RefbenchError(f"{path} is not readable: {error}") from None

    def write(self, path: StrPath) -> None:
        """Write a ``set.json`` of the present schema version, atomically."""
        path = Path(path)
        write_json(path, self.model_dump(mode="json") | {"schema_version": SCHEMA_VERSION})


@dataclass(frozen=True)
class ReferenceSet:
    """A reference set: its folder, what ``set.json`` says, and its targets in order of their keys.

    ``targets`` may be given as any sequence of `Target`; it is kept as columns (`Targets`), and objects are
    made when they are asked for.
    """

    root: Path
    info: SetInfo
    targets: Sequence[Target]

    def __post_init__(self) -> None:
        """Keep the folder as a path and the targets as columns."""
        object.__setattr__(self, "root", Path(self.root))
        object.__setattr__(self, "targets", Targets.of(self.targets))

    @property
    def columns(self) -> Targets:
        """The targets with what they offer as columns."""
        return Targets.of(self.targets)

    def __getitem__(self, key: str) -> Target:
        """The target of that key.

        Raises:
            RefbenchError: no such key.
        """
        try:
            return self.columns.of_key(key)
        except KeyError:
            raise RefbenchError(f"{self.root}: no image has the key {key!r}") from None

    @property
    def is_blind(self) -> bool:
        """Whether the set was made without references (``max_references: 0``), as blind benchmarks are."""
        return self.info.settings.get("max_references") == 0

    def select(self, split: str | None = None, with_references: bool = True) -> Targets:
        """Targets of one split (None or ``all`` for every split), by default only those with references.

        A blind set (`is_blind`) has no references, and all its targets are taken.
        """
        mask = np.ones(len(self.targets), dtype=np.bool_)
        if split not in (None, ALL_SPLITS):
            mask &= self.columns.column("split") == split
        if with_references and not self.is_blind:
            mask &= self.columns.has_references()
        return self.columns.where(mask)

    def splits(self) -> tuple[str, ...]:
        """Names of the splits that have targets: train, val, test, then others in order of their names."""
        found = set(np.unique(self.columns.column("split").astype(str)).tolist())
        return (*(name for name in SPLITS if name in found), *sorted(found - set(SPLITS)))

    def hq_path(self, key: str) -> Path:
        """Path of the aligned HQ image of ``key``.

        Raises:
            RefbenchError: no such key, or a real photo, which has no HQ.
        """
        target = self[key]
        if not target.has_hq:
            raise RefbenchError(f"{self.root}: {key} is a real photo: it has no HQ image to compare with")
        return self.root / target.hq

    def reference_paths(self, key: str) -> tuple[Path, ...]:
        """Paths of the references of ``key``, in the order of its list.

        Raises:
            RefbenchError: no such key.
        """
        return tuple(self.hq_path(reference) for reference in self[key].references)

    def lq_folder(self, recipe: str) -> Path:
        """Folder of the LQ images of a recipe: PNGs named by key beside ``lq.json``.

        Args:
            recipe: name of the recipe, for seed 0; ``RECIPE:N`` or ``RECIPE.seed-N`` for seed N. Version 0.1
                wrote every seed to the folder ``RECIPE``; it is found there.
        """
        name, seed = recipe_and_seed(recipe)
        folder = self.root / "lq" / lq_folder_name(name, seed)
        if seed and not folder.is_dir() and _has_seed(self.root / "lq" / name, seed):
            return self.root / "lq" / name
        return folder

    def lq_path(self, recipe: str, key: str) -> Path:
        """Path of the LQ image of ``key`` under a recipe."""
        return self.lq_folder(recipe) / f"{key}.png"

    @classmethod
    def read(cls, root: StrPath) -> ReferenceSet:
        """Read a reference set from its folder.

        Raises:
            RefbenchError: not a reference set, or one of another schema version.
        """
        root = Path(root)
        for name in (INFO, MANIFEST):
            if not (root / name).is_file():
                fix = "make one with: refbench build PHOTOS --out SET"
                raise RefbenchError(f"{root} is not a reference set: it has no {name}; {fix}")
        info = SetInfo.read(root / INFO)
        try:
            return cls(root, info, Targets.read(root / MANIFEST))
        except OSError as error:
            raise RefbenchError(f"{root} is not a readable reference set: {error}") from None
        except ValueError as error:
            raise RefbenchError(f"{root / MANIFEST} is not a manifest of this version: {error}") from None

    def write(self) -> None:
        """Write ``manifest.parquet`` and then ``set.json``, which marks the set as whole.

        The hashes of the manifest and of the files in ``info.files`` are taken of the files as they are.
        """
        self.columns.write(self.root / MANIFEST)
        names = sorted({MANIFEST, *self.info.files})
        files = {name: sha256_file(self.root / name) for name in names}
        self.info.model_copy(update={"files": files}).write(self.root / INFO)

    def identification(self) -> dict[str, str]:
        """What files derived from this set state about it: its content hash and the hash of its embeddings.

        Files whose statement differs are stale: the set was replaced by another one since.
        """
        return {"content_hash": self.info.content_hash, EMBEDDINGS: self.info.files.get(EMBEDDINGS, "")}

    def to_dataset(self, recipes: Sequence[str] | str = (), *, with_references: bool = True) -> DatasetDict:
        """The set as a Hugging Face `datasets.DatasetDict`, one split each; pictures are read from disk.

        Columns, their types and rows are those of the Parquet export, see `records.datasets.set_dataset`.

        Args:
            recipes: names of recipes whose LQ images are included as ``lq_RECIPE``.
            with_references: include the pictures of the references in every row.

        Raises:
            RefbenchError: no LQ images of a recipe, or ``datasets`` is not installed (extra ``hub``).
        """
        recipes = names_of(recipes)
        for recipe in recipes:
            if not self.lq_folder(recipe).is_dir():
                fix = f"make them with: refbench degrade {self.root} --recipe {recipe}"
                raise RefbenchError(f"{self.root} has no LQ images of {recipe!r}; {fix}")
        named = [self.lq_folder(recipe).name for recipe in recipes]
        return set_dataset(
            self.root, self.columns, self.splits(), recipes=named, with_references=with_references
        )


def _has_seed(folder: Path, seed: int) -> bool:
    try:
        return bool(json.loads((folder / LQ_INFO).read_text("utf-8"))["seed"] == seed)
    except (OSError, ValueError, KeyError, TypeError):
        return False


def image_folder_digits(images: int) -> Literal[0, 2]:
    """Hex digits of the folders below ``images/`` in a set of so many images: 2 above `MANY_IMAGES`."""
    return 2 if images > MANY_IMAGES else 0


def image_path(key: str, digits: int = 0) -> str:
    """Path of the image of ``key`` below a set's folder, see `SetInfo.image_folder_digits`."""
    folder = f"{sha256_bytes(key.encode('utf-8'))[:digits]}/" if digits else ""
    return f"{IMAGES}/{folder}{key}.png"


def content_hash(targets: Iterable[Target]) -> str:
    """SHA-256 over what scores depend on: keys, identities, splits, images, landmarks and reference lists.

    It is that of the canonical JSON of the sorted list of rows ``[key, identity, split, hq_sha256, landmarks,
    references]``; the row of a real photo ends with ``lq_sha256``. The order of ``targets`` does not matter.
    """
    digest = sha256(b"[")
    for number, row in enumerate(_sorted_rows(Targets.of(targets))):
        digest.update((("," if number else "") + canonical_json(row)).encode("utf-8"))
    digest.update(b"]")
    return digest.hexdigest()


def _sorted_rows(targets: Targets) -> Iterator[list[Any]]:
    rows = (
        [t.key, t.identity, t.split, t.hq_sha256, t.landmarks, list(t.references), *_photo(t)]
        for t in targets.in_order_of_keys()
    )
    for _, same_key in groupby(rows, key=lambda row: row[0]):
        yield from sorted(same_key)


def _photo(target: Target) -> tuple[str, ...]:
    return () if target.has_hq else (target.lq_sha256,)
