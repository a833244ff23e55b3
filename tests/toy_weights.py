"""The content of a declared toy weight, and what a weights folder holds."""

from __future__ import annotations

import hashlib
from pathlib import Path

DATA = bytes(range(256)) * 500
HASH = hashlib.sha256(DATA).hexdigest()


def files(folder: Path) -> list[str]:
    """Names of all files below a folder, sorted."""
    return sorted(path.name for path in folder.rglob("*") if path.is_file())
