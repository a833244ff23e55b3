"""Chance by name: every number drawn for an image is a hash of (stream, seed, key, name of the number).

Nothing is drawn in sequence, so neither the number of workers nor the order of images, steps or parameters
can change a draw, and any language with SHA-256 can redraw it:

- ``unit(name)`` is the first 53 bits of the SHA-256 of the canonical JSON (no spaces, UTF-8) of
  ``[stream, seed, key, name]``, divided by 2^53. A parameter's name is ``LABEL.PARAMETER``.
- ``generator(name)`` is NumPy's ``Generator(PCG64(s))``, where ``s`` is that whole SHA-256 read as a
  big-endian number. A step's random arrays come from the generator of its label.

``stream`` is the recipe's id (a sweep shares one, so that its levels differ in nothing but severity).
These rules are frozen: a change to them would be a new version of every recipe.
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
    """Where the chance of one image comes from: the recipe's stream, the user's seed, the image's key."""

    stream: str
    seed: int
    key: str

    def unit(self, name: str) -> float:
        """A number of [0, 1), uniformly distributed over names."""
        bits = int.from_bytes(self._digest(name)[:8], "big") >> (64 - BITS)
        return float(bits / 2**BITS)

    def generator(self, name: str) -> np.random.Generator:
        """A generator of random arrays that gives the same values in every process."""
        return np.random.Generator(np.random.PCG64(int.from_bytes(self._digest(name), "big")))

    def _digest(self, name: str) -> bytes:
        return hashlib.sha256(_begun(self.stream, self.seed, self.key) + _ended(name)).digest()


@lru_cache(maxsize=1024)
def _begun(stream: str, seed: int, key: str) -> bytes:
    """The canonical JSON of a list of the three, without its end."""
    return canonical_json([stream, seed, key])[:-1].encode()


@lru_cache(maxsize=1024)
def _ended(name: str) -> bytes:
    return f",{canonical_json(name)}]".encode()
