"""albumentations' `ImageCompression` for RGB images: red and blue are swapped before and after encoding."""

from __future__ import annotations

import os
from typing import Any

import numpy as np
import numpy.typing as npt

from ...extras import optional

os.environ.setdefault("NO_ALBUMENTATIONS_UPDATE", "1")
with optional("albumentations", "compression in true colours"):
    from albumentations import ImageCompression
    from albumentations.core.serialization import SERIALIZABLE_REGISTRY

Picture = npt.NDArray[Any]

# As serialised pipelines and recipes spell it. Hashes are taken over this name, so it stays that of 0.1.
SERIAL_NAME = "refbench.degradations.transforms.TrueColourCompression"


def register_module_path(transform: type) -> type:
    """Let serialised pipelines name a transform by its module path, besides the class path of 0.1."""
    SERIALIZABLE_REGISTRY[f"{transform.__module__}.{transform.__qualname__}"] = transform
    return transform


@register_module_path
class TrueColourCompression(ImageCompression):  # type: ignore[misc]
    """`ImageCompression` that encodes RGB as RGB; the original encodes RGB images as if they were BGR."""

    @classmethod
    def get_class_fullname(cls) -> str:
        """The name in serialised pipelines, for albumentations."""
        return SERIAL_NAME

    def apply(self, img: Picture, quality: int, image_type: str, **params: Any) -> Picture:
        """The compressed image, for albumentations."""
        flipped = np.ascontiguousarray(img[..., ::-1])
        return np.ascontiguousarray(super().apply(flipped, quality, image_type, **params)[..., ::-1])
