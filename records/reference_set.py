"""The reference set on disk: ``set.json``, ``manifest.parquet``, ``images/`` and ``lq/<recipe>/``."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import pandas as pd
from pydantic import BaseModel, ConfigDict, ValidationError

from ..errors import RefbenchError
from ..files import sha256_file, sha256_json, write_json, write_table

SCHEMA_VERSION = 1
MANIFEST = "manifest.parquet"
SPLITS = ("train", "val", "test")
ALL_SPLITS = "all"
Point = tuple[float, float]


class SetInfo(BaseModel):
    """What ``set.json`` says about a reference set.

    ``settings`` holds every choice of the build (detector, recogniser, thresholds, split sizes, seed) and
    ``versions`` the weights by hash and the packages by version, so that the set can be rebuilt.
    ``content_hash`` names its content; ``files`` has the hash of every file beside the images, by its path.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    schema_version: Literal[1] = 1
    name: str
    content_hash: str
    image_size: int
    settings: dict[str, Any]
    versions: dict[str, str]
    counts: dict[str, int]
    licence: str = "unknown"
    consent: str = "unknown"
    files: dict[str, str] = {}


@dataclass(frozen=True, slots=True)
class Target:
    """One image of a reference set, with the images of the same person that may guide its restoration.

    Attributes:
        key: names the image everywhere; unique in the set whatever the case of its letters.
        identity: the person, as found (``p0000`` ...).
        split: ``train``, ``val`` or ``test``; all images of an identity are in one split.
        hq: path of the aligned image below the set's folder, with forward slashes.
        hq_sha256: hash of that file.
        width, height: of the aligned image, in pixels.
        references: keys, in order of preference; empty for an image that stands alone.
        reference_distances: cosine distance to the target, 0 to 2, one per reference.
        landmarks: eyes, nose and mouth corners (left before right as seen) in the aligned image, in pixels.
        quality: measurements of the face by name, for instance ``detector_score`` or ``sharpness``.
        source: path of the photo below the folder that was given, with forward slashes.
        licence: of the photo.
        phash: perceptual hash of the aligned image, see `phash.perceptual_hash`; empty if unknown.
    """

    key: str
    identity: str
    split: str
    hq: str
    hq_sha256: str
    width: int
    height: int
    references: tuple[str, ...]
    reference_distances: tuple[float, ...]
    landmarks: tuple[Point, ...]
    quality: dict[str, float] = field(default_factory=dict)
    source: str = ""
    licence: str = "unknown"
    phash: str = ""


@dataclass(frozen=True)
class ReferenceSet:
    """A reference set: its folder, what ``set.json`` says, and its targets in order of their keys."""

    root: Path
    info: SetInfo
    targets: tuple[Target, ...]

    def __getitem__(self, key: str) -> Target:
        """The target of that key.

        Raises:
            RefbenchError: no such key.
        """
        try:
            return self._by_key[key]
        except KeyError:
            raise RefbenchError(f"{self.root}: no image has the key {key!r}") from None

    @cached_property
    def _by_key(self) -> dict[str, Target]:
        return {target.key: target for target in self.targets}

    def select(self, split: str | None = None, with_references: bool = True) -> tuple[Target, ...]:
        """Targets of one split (None or ``all`` for every split), by default only those with references."""
        return tuple(
            target
            for target in self.targets
            if (split in (None, ALL_SPLITS) or target.split == split)
            and (target.references or not with_references)
        )

    def hq_path(self, key: str) -> Path:
        """Where the aligned HQ image of ``key`` is."""
        return self.root / self[key].hq

    def reference_paths(self, key: str) -> tuple[Path, ...]:
        """Where the references of ``key`` are, in the order of its list."""
        return tuple(self.hq_path(reference) for reference in self[key].references)

    def lq_folder(self, recipe: str) -> Path:
        """Where the LQ images of a recipe (by its name) are: PNGs named by key beside ``lq.json``."""
        return self.root / "lq" / recipe

    def lq_path(self, recipe: str, key: str) -> Path:
        """Where the LQ image of ``key`` under a recipe is."""
        return self.lq_folder(recipe) / f"{key}.png"

    @classmethod
    def read(cls, root: Path) -> ReferenceSet:
        """Read a reference set from its folder.

        Raises:
            RefbenchError: not a reference set, or one of another schema version.
        """
        try:
            info = SetInfo.model_validate_json((root / "set.json").read_text("utf-8"))
            frame = pd.read_parquet(root / MANIFEST)
        except FileNotFoundError as error:
            missing = Path(error.filename).name
            fix = "make one with: refbench build PHOTOS --out SET"
            raise RefbenchError(f"{root} is not a reference set: it has no {missing}; {fix}") from None
        except (ValidationError, ValueError, OSError) as error:
            raise RefbenchError(f"{root} is not a readable reference set: {error}") from None
        try:
            return cls(root, info, tuple(_targets(frame)))
        except (KeyError, TypeError, ValueError) as error:
            raise RefbenchError(f"{root / MANIFEST} is not a manifest of this version: {error}") from None

    def write(self) -> None:
        """Write ``manifest.parquet`` and then ``set.json``, which marks the set as whole.

        The hashes of the manifest and of the files named in ``info.files`` are taken as they lie there.
        """
        write_table(self.root / MANIFEST, _frame(self.targets))
        names = sorted({MANIFEST, *self.info.files})
        files = {name: sha256_file(self.root / name) for name in names}
        write_json(self.root / "set.json", self.info.model_dump(mode="json") | {"files": files})


def content_hash(targets: Iterable[Target]) -> str:
    """SHA-256 over what scores depend on: keys, identities, splits, images, landmarks and reference lists."""
    rows = ([t.key, t.identity, t.split, t.hq_sha256, t.landmarks, list(t.references)] for t in targets)
    return sha256_json(sorted(rows))


def _frame(targets: Iterable[Target]) -> pd.DataFrame:
    rows = []
    for target in targets:
        row = {name: getattr(target, name) for name in Target.__slots__ if name != "quality"}
        row["references"] = list(target.references)
        row["reference_distances"] = list(target.reference_distances)
        row["landmarks"] = [coordinate for point in target.landmarks for coordinate in point]
        rows.append(row | {f"quality_{name}": value for name, value in sorted(target.quality.items())})
    return pd.DataFrame(rows)


def _targets(frame: pd.DataFrame) -> Iterable[Target]:
    for row in frame.to_dict("records"):
        named = {str(name): value for name, value in row.items()}
        flat = [float(value) for value in named.pop("landmarks")]
        quality = {n.removeprefix("quality_"): named.pop(n) for n in list(named) if n.startswith("quality_")}
        named["references"] = tuple(named["references"])
        named["reference_distances"] = tuple(float(value) for value in named["reference_distances"])
        landmarks = tuple(zip(flat[0::2], flat[1::2], strict=True))
        yield Target(
            **named, landmarks=landmarks, quality={n: float(v) for n, v in quality.items() if v == v}
        )
