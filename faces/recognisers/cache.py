"""Content-addressed cache of face embeddings in one SQLite file."""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path

import numpy as np
import numpy.typing as npt

from ...errors import RefbenchError
from ...files import StrPath
from ...images import RGB
from ..embeddings import Embeddings
from .recognise import Recogniser


class EmbeddingCache:
    """Cache of embeddings by the hash of the crop's pixels and the recogniser's fingerprint.

    Cached embeddings equal computed ones to the bit. An interrupted run loses at most its current batch;
    several processes may share the file.

    Args:
        path: the SQLite file; created if absent.

    Raises:
        RefbenchError: the file is damaged or no SQLite file.
    """

    def __init__(self, path: StrPath) -> None:
        path = Path(path)
        self.path = path
        path.parent.mkdir(parents=True, exist_ok=True)
        with self._open() as connection:
            connection.execute("CREATE TABLE IF NOT EXISTS embeddings (key BLOB PRIMARY KEY, vector BLOB)")

    def embed(self, recogniser: Recogniser, images: Sequence[RGB], landmarks: npt.ArrayLike) -> Embeddings:
        """As `Recogniser.embed`; only crops that are not cached go through the network."""
        crops = recogniser.crop(images, landmarks)
        salt = recogniser.fingerprint.encode()
        keys = [hashlib.sha256(salt + crop.tobytes()).digest() for crop in crops]
        with self._open() as connection:
            cached = {}
            for key in keys:
                row = connection.execute("SELECT vector FROM embeddings WHERE key = ?", (key,)).fetchone()
                if row is not None:
                    cached[key] = np.frombuffer(row[0], dtype="<f4").astype(np.float32)
            missing = {key: crop for key, crop in zip(keys, crops, strict=True) if key not in cached}
            vectors = recogniser.embed_crops(list(missing.values()))
            cached |= dict(zip(missing, vectors, strict=True))
            rows = [(key, cached[key].astype("<f4").tobytes()) for key in missing]
            connection.executemany("INSERT OR REPLACE INTO embeddings VALUES (?, ?)", rows)
        return np.stack([cached[key] for key in keys]) if keys else vectors

    def __len__(self) -> int:
        """Number of cached embeddings."""
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
