"""Content-addressed cache of per-photo results: faces, measurements, hashes, embeddings, aligned pictures."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from ...faces.embeddings import Embeddings
from ...files import sha256_file, sha256_json, write_text
from ..settings.options import PHOTO_MEGAPIXELS, BuildOptions

WORK_VERSION = 3
PACKAGE, KEY_VERSION = "package:refbench", "0.1.0"
"""The key of a result contains a version of refbench since 0.1. `WORK_VERSION` is what changes with the code
that computes results; the version in the key stays 0.1.0, so that a new release reuses the cache."""


@dataclass(frozen=True, slots=True)
class FaceResult:
    """A face of a photo; ``png_sha256`` and what follows are empty where a quality filter rejected it.

    Attributes:
        box: left, top, right, bottom in pixels of the photo; empty for a photo that was aligned already.
        quality: measurements by name, see `faces.quality.FaceQuality`.
        refused: why a quality filter rejected the face; empty if it met all of them.
        png_sha256: hash of the PNG file of the aligned image.
        phash: perceptual hash of the aligned image.
        landmarks: five points (x, y) in pixels of the aligned image.
        embedding: little-endian float32 numbers in Base64.
    """

    box: tuple[float, ...]
    quality: dict[str, float]
    refused: str = ""
    png_sha256: str = ""
    phash: str = ""
    landmarks: tuple[tuple[float, float], ...] = ()
    embedding: str = ""

    def vector(self) -> Embeddings:
        """The embedding, (D,) float32 of length 1."""
        return np.frombuffer(base64.b64decode(self.embedding), dtype="<f4").astype(np.float32)


@dataclass(frozen=True, slots=True)
class PhotoResult:
    """Result of one photo.

    Attributes:
        source: path of the photo below the folder of photos, with forward slashes.
        sha256: hash of the file.
        fault: why no face could be searched or found; empty if there are faces.
        notes: conversions on reading, such as a turn by EXIF.
        faces: the largest first.
    """

    source: str
    sha256: str
    fault: str = ""
    notes: tuple[str, ...] = ()
    faces: tuple[FaceResult, ...] = field(default=())


@dataclass(frozen=True)
class PhotoCache:
    """Results of photos in a folder, by the hash of the photo and of all choices that affect them.

    Attributes:
        folder: of the cache; its files may be deleted at any time.
        choices: hash of the options, weights and packages that decide the result of a single photo.
    """

    folder: Path
    choices: str

    @classmethod
    def of(cls, folder: Path, options: BuildOptions, versions: dict[str, str]) -> PhotoCache:
        """The cache of a build in ``folder``; ``versions`` are hashes of weights and versions of packages."""
        names = ("aligned", "detector", "recogniser", "crop", "flip", "image_size")
        settings = options.settings()
        chosen = {name: settings[name] for name in names}
        if options.max_megapixels != PHOTO_MEGAPIXELS:
            chosen["max_megapixels"] = options.max_megapixels
        chosen |= {"gates": settings["quality_filters"], "largest": False}
        keyed = versions | {PACKAGE: KEY_VERSION} if PACKAGE in versions else versions
        return cls(folder, sha256_json([WORK_VERSION, chosen, keyed]))

    def entry(self, photo_sha256: str) -> Path:
        """File with the result of a photo (JSON)."""
        return self.folder / "photos" / photo_sha256[:2] / f"{photo_sha256}-{self.choices[:16]}.json"

    def face(self, photo_sha256: str, number: int) -> Path:
        """File with the aligned picture (PNG) of the ``number``-th face of a photo, counted from 1."""
        return self.folder / "faces" / photo_sha256[:2] / f"{photo_sha256}-{self.choices[:16]}-{number}.png"

    def load(self, source: str, photo_sha256: str) -> PhotoResult | None:
        """Cached result of a photo; None if it is absent or damaged."""
        try:
            kept = json.loads(self.entry(photo_sha256).read_text("utf-8"))
            faces = tuple(_face_of(face) for face in kept["faces"])
            result = PhotoResult(source, photo_sha256, kept["fault"], tuple(kept["notes"]), faces)
        except (OSError, ValueError, KeyError, TypeError):
            return None
        intact = (
            face.refused or self._is_intact(self.face(photo_sha256, number), face.png_sha256)
            for number, face in enumerate(faces, start=1)
        )
        return result if all(intact) else None

    def store(self, result: PhotoResult) -> None:
        """Store the result of a photo."""
        kept = {
            "fault": result.fault,
            "notes": result.notes,
            "faces": [asdict(face) for face in result.faces],
        }
        write_text(self.entry(result.sha256), json.dumps(kept, sort_keys=True))

    def prune(self, results: Iterable[PhotoResult]) -> None:
        """Delete every file that belongs to none of these results."""
        used = set()
        for result in results:
            used.add(self.entry(result.sha256))
            used |= {self.face(result.sha256, number) for number in range(1, len(result.faces) + 1)}
        for path in self.folder.rglob("*"):
            if path.is_file() and path not in used:
                path.unlink()

    @staticmethod
    def _is_intact(path: Path, png_sha256: str) -> bool:
        return path.is_file() and sha256_file(path) == png_sha256


def _face_of(kept: dict[str, Any]) -> FaceResult:
    landmarks = tuple((float(x), float(y)) for x, y in kept["landmarks"])
    return FaceResult(**{**kept, "box": tuple(kept["box"]), "landmarks": landmarks})
