"""The array type of face embeddings: (N, D) float32, unit vectors."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Embeddings = npt.NDArray[np.float32]
