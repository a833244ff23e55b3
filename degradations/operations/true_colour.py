"""albumentations' `ImageCompression` on the true colours of an RGB picture."""

from __future__ import annotations

import os
from typing import Any

import numpy as np
import numpy.typing as npt

from ...extras import optional

os.environ.setdefault("NO_ALBUMENTATIONS_UPDATE", "1")
with optional("albumentations", "compression in true colours"):
    from albumentations import ImageCompression

Picture = npt.NDArray[Any]

# As serialised pipelines and recipes spell it. Hashes are taken over this name, so it stays that of 0.1.
SERIAL_NAME = "refbench.degradations.transforms.TrueColourCompression"


class TrueColourCompression(ImageCompression):  # type: ignore[misc]
    """`ImageCompression` of an RGB picture's true colours; the original encodes RGB as if it were BGR."""

    @classmethod
    def get_class_fullname(cls) -> str:
        """The name in serialised pipelines, for albumentations."""
        return SERIAL_NAME

    def apply(self, img: Picture, quality: int, image_type: str, **params: Any) -> Picture:
        """The compressed picture, for albumentations."""
        flipped = np.ascontiguousarray(img[..., ::-1])
        return np.ascontiguousarray(super().apply(flipped, quality, image_type, **params)[..., ::-1])
