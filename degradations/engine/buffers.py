"""Large temporary arrays that each thread keeps from image to image: fetching fresh memory is slow."""

from __future__ import annotations

import threading
from typing import Any

import numpy as np
import numpy.typing as npt


class Scratch(threading.local):
    """Arrays of undefined content, one for each use, replaced when a use needs another shape."""

    def __init__(self) -> None:
        self.arrays: dict[str, npt.NDArray[Any]] = {}

    def single(self, use: str, *shape: int) -> npt.NDArray[np.float32]:
        """A float32 array."""
        return self._array(use, shape, np.float32)

    def double(self, use: str, *shape: int) -> npt.NDArray[np.float64]:
        """A float64 array."""
        return self._array(use, shape, np.float64)

    def _array(self, use: str, shape: tuple[int, ...], dtype: type) -> npt.NDArray[Any]:
        if use not in self.arrays or self.arrays[use].shape != shape:
            self.arrays[use] = np.empty(shape, dtype)
        return self.arrays[use]


scratch = Scratch()
