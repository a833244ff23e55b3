"""Embeddings kept by content: the same crop under the same network is embedded once."""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path

import numpy as np
import numpy.typing as npt

from ...errors import RefbenchError
from ...images import RGB
from .recognise import Embeddings, Recogniser


class EmbeddingCache:
    """One SQLite file of embeddings, keyed by the crop's pixels, the recogniser's id and its files' hashes.

    What is found is what would be computed, to the last bit. A killed run loses at most the batch it was at;
    several processes may share the file.

    Args:
        path: the file; made where it is not there.

    Raises:
        RefbenchError: the file is something else or damaged.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        path.parent.mkdir(parents=True, exist_ok=True)
        with self._open() as connection:
            connection.execute("CREATE TABLE IF NOT EXISTS embeddings (key BLOB PRIMARY KEY, vector BLOB)")

    def embed(self, recogniser: Recogniser, images: Sequence[RGB], landmarks: npt.ArrayLike) -> Embeddings:
        """As `Recogniser.embed`; only what is not kept yet goes through the network."""
        crops = recogniser.crop(images, landmarks)
        salt = recogniser.fingerprint.encode()
        keys = [hashlib.sha256(salt + crop.tobytes()).digest() for crop in crops]
        with self._open() as connection:
            kept = {}
            for key in keys:
                row = connection.execute("SELECT vector FROM embeddings WHERE key = ?", (key,)).fetchone()
                if row is not None:
                    kept[key] = np.frombuffer(row[0], dtype="<f4").astype(np.float32)
            missing = {key: crop for key, crop in zip(keys, crops, strict=True) if key not in kept}
            vectors = recogniser.embed_crops(list(missing.values()))
            kept |= dict(zip(missing, vectors, strict=True))
            rows = [(key, kept[key].astype("<f4").tobytes()) for key in missing]
            connection.executemany("INSERT OR REPLACE INTO embeddings VALUES (?, ?)", rows)
        return np.stack([kept[key] for key in keys]) if keys else vectors

    def __len__(self) -> int:
        """How many embeddings are kept."""
        with self._open() as connection:
            return int(connection.execute("SELECT COUNT(*) FROM embeddings").fetchone()[0])

    @contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        try:
            with closing(sqlite3.connect(self.path, timeout=60.0)) as connection, connection:
                yield connection
        except sqlite3.Error as error:
            raise RefbenchError(
                f"{self.path} cannot be used as a cache of embeddings: {error}; delete it and try again"
            ) from None
