"""Thread-local reusable buffers for large temporary arrays: allocating them anew per image is slow."""

from __future__ import annotations

import threading
from typing import Any

import numpy as np
import numpy.typing as npt


class Buffers(threading.local):
    """Uninitialised arrays by name, one set per thread; an array is allocated anew when its shape changes."""

    def __init__(self) -> None:
        self.arrays: dict[str, npt.NDArray[Any]] = {}

    def single(self, name: str, *shape: int) -> npt.NDArray[np.float32]:
        """A float32 array of that shape; its content is undefined."""
        return self._array(name, shape, np.float32)

    def double(self, name: str, *shape: int) -> npt.NDArray[np.float64]:
        """A float64 array of that shape; its content is undefined."""
        return self._array(name, shape, np.float64)

    def _array(self, name: str, shape: tuple[int, ...], dtype: type) -> npt.NDArray[Any]:
        if name not in self.arrays or self.arrays[name].shape != shape:
            self.arrays[name] = np.empty(shape, dtype)
        return self.arrays[name]


buffers = Buffers()
