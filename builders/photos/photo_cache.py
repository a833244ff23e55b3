"""What came of single photos, kept by content, so that work is done once."""

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
from ..settings.options import BuildOptions

WORK_VERSION = 3
PACKAGE, WRITTEN_FIRST_BY = "package:refbench", "0.1.0"
"""`WORK_VERSION` says what the kept results depend on in this package, so its version, which is a part of
the key since 0.1, stays that of 0.1: a new release keeps the work of the last."""


@dataclass(frozen=True, slots=True)
class FaceFound:
    """A face of a photo: what was measured and, unless a gate refused it, hashes, landmarks and embedding.

    ``box`` is in pixels of the photo and empty for a picture that came aligned; ``refused`` is the reason.
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
class PhotoDone:
    """What came of one photo; ``fault`` says why none could be looked for."""

    source: str
    sha256: str
    fault: str = ""
    notes: tuple[str, ...] = ()
    faces: tuple[FaceFound, ...] = field(default=())


@dataclass(frozen=True)
class Bench:
    """Where the work on photos is kept: ``entries`` by photo and choices, ``faces`` by hash of the picture.

    ``choices`` are those of a build that decide what comes of a single photo, and the weights by hash.
    """

    folder: Path
    choices: str

    @classmethod
    def of(cls, folder: Path, options: BuildOptions, versions: dict[str, str]) -> Bench:
        """The bench of a build in ``folder``."""
        names = ("aligned", "detector", "recogniser", "crop", "flip", "image_size")
        settings = options.settings()
        chosen = {name: settings[name] for name in names}
        chosen |= {"gates": settings["quality_filters"], "largest": options.largest_only}
        kept = versions | {PACKAGE: WRITTEN_FIRST_BY} if PACKAGE in versions else versions
        return cls(folder, sha256_json([WORK_VERSION, chosen, kept]))

    def entry(self, photo_sha256: str) -> Path:
        """Where the outcome of a photo is kept."""
        return self.folder / "photos" / photo_sha256[:2] / f"{photo_sha256}-{self.choices[:16]}.json"

    def face(self, photo_sha256: str, number: int) -> Path:
        """Where the aligned picture of the ``number``-th face of a photo is kept."""
        return self.folder / "faces" / photo_sha256[:2] / f"{photo_sha256}-{self.choices[:16]}-{number}.png"

    def recall(self, source: str, photo_sha256: str) -> PhotoDone | None:
        """What came of a photo in an earlier run, if all of it is still there and whole."""
        try:
            kept = json.loads(self.entry(photo_sha256).read_text("utf-8"))
            faces = tuple(_face_of(face) for face in kept["faces"])
            done = PhotoDone(source, photo_sha256, kept["fault"], tuple(kept["notes"]), faces)
        except (OSError, ValueError, KeyError, TypeError):
            return None
        whole = (
            face.refused or self._is_whole(self.face(photo_sha256, number), face.png_sha256)
            for number, face in enumerate(faces, start=1)
        )
        return done if all(whole) else None

    def keep(self, done: PhotoDone) -> None:
        """Keep what came of a photo for later runs."""
        kept = {"fault": done.fault, "notes": done.notes, "faces": [asdict(face) for face in done.faces]}
        write_text(self.entry(done.sha256), json.dumps(kept, sort_keys=True))

    def prune(self, done: Iterable[PhotoDone]) -> None:
        """Remove what earlier runs kept and this one did not use."""
        used = set()
        for photo in done:
            used.add(self.entry(photo.sha256))
            used |= {self.face(photo.sha256, number) for number in range(1, len(photo.faces) + 1)}
        for path in self.folder.rglob("*"):
            if path.is_file() and path not in used:
                path.unlink()

    @staticmethod
    def _is_whole(path: Path, png_sha256: str) -> bool:
        return path.is_file() and sha256_file(path) == png_sha256


def _face_of(kept: dict[str, Any]) -> FaceFound:
    landmarks = tuple((float(x), float(y)) for x, y in kept["landmarks"])
    return FaceFound(**{**kept, "box": tuple(kept["box"]), "landmarks": landmarks})
