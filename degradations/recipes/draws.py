"""Deterministic draws by hashing: every number is a function of (stream, seed, key, name of the number).

Nothing is drawn in sequence, so neither the number of workers nor the order of images, steps or parameters
can change a draw, and any language with SHA-256 can reproduce it:

- ``unit(name)`` is the first 53 bits of the SHA-256 of the canonical JSON (no spaces, UTF-8) of
  ``[stream, seed, key, name]``, divided by 2^53. A parameter's name is ``LABEL.PARAMETER``.
- ``generator(name)`` is NumPy's ``Generator(PCG64(s))``, where ``s`` is that whole SHA-256 read as a
  big-endian number. A step's random arrays come from the generator of its label.

``stream`` is the recipe's id (the recipes of a sweep share one, so that its levels differ in severity alone).
These rules are fixed: a change to them would be a new version of every recipe.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from ...files import canonical_json

BITS = 53


@dataclass(frozen=True, slots=True)
class Draw:
    """Source of the draws of one image.

    Attributes:
        stream: the recipe's id, or that of its sweep.
        seed: the seed of the set.
        key: the image's key.
    """

    stream: str
    seed: int
    key: str

    def unit(self, name: str) -> float:
        """The number in [0, 1) of that name, uniformly distributed over names."""
        bits = int.from_bytes(self._digest(name)[:8], "big") >> (64 - BITS)
        return float(bits / 2**BITS)

    def generator(self, name: str) -> np.random.Generator:
        """The random generator of that name; it yields the same arrays in every process."""
        return np.random.Generator(np.random.PCG64(int.from_bytes(self._digest(name), "big")))

    def _digest(self, name: str) -> bytes:
        return hashlib.sha256(_json_prefix(self.stream, self.seed, self.key) + _json_suffix(name)).digest()


@lru_cache(maxsize=1024)
def _json_prefix(stream: str, seed: int, key: str) -> bytes:
    """The canonical JSON of the list of the three, without its closing bracket."""
    return canonical_json([stream, seed, key])[:-1].encode()


@lru_cache(maxsize=1024)
def _json_suffix(name: str) -> bytes:
    return f",{canonical_json(name)}]".encode()
