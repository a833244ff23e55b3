"""Keys: the names of images, made from the paths of their photos or from the hashes of their content."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping
from pathlib import PurePosixPath

from ...files import sha256_bytes
from ...names import is_portable, normal

SEPARATOR = "--"
LONGEST = 100


def photo_keys(sources: Iterable[str]) -> dict[str, str]:
    """A key for every photo: its relative path without suffix, ``/`` as ``--``, unsafe characters as ``_``.

    Keys hold ASCII letters, digits, ``_`` and ``-`` alone and differ whatever the case of their letters.
    Where two photos would share one, the first in order of path keeps it and the others get ``~`` and six
    digits of the hash of their path; so do keys that no file may have on Windows, such as ``con``. Paths are
    taken in their composed form, so that a folder gives the same keys on every system.
    """
    keys: dict[str, str] = {}
    taken: set[str] = set()
    for source in sorted(sources, key=lambda source: (normal(source), source)):
        key = _plain(source)
        if key.lower() in taken or len(key) > LONGEST or not is_portable(key):
            short = key[:LONGEST]
            key = f"{short}~{_digits(normal(source))}"
            if key.lower() in taken:  # two paths that differ in the form of their signs alone
                key = f"{short}~{_digits(source, 12)}"
        taken.add(key.lower())
        keys[source] = key
    return keys


def hash_keys(digests: Mapping[str, str]) -> dict[str, str]:
    """A key for every photo: the first sixteen digits of the SHA-256 of its content, which reveal no name."""
    return {source: digest[:16] for source, digest in digests.items()}


def face_key(photo_key: str, number: int) -> str:
    """The key of the ``number``-th face of a photo, counted from 1: the first has the photo's own key."""
    return photo_key if number == 1 else f"{photo_key}~{number}"


def _digits(path: str, many: int = 6) -> str:
    return sha256_bytes(path.encode("utf-8", "surrogateescape"))[:many]


def _plain(source: str) -> str:
    whole = PurePosixPath(source)
    parts = [*whole.parent.parts, whole.stem]
    ascii_parts = (unicodedata.normalize("NFKD", part).encode("ascii", "ignore").decode() for part in parts)
    safe = (re.sub(r"[^A-Za-z0-9_-]+", "_", part) or "_" for part in ascii_parts)
    return SEPARATOR.join(safe)
