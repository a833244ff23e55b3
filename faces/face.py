"""A detected face (box, score, five landmarks), the detector protocol, and checks of photos and landmarks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from ..errors import RefbenchError
from ..images import RGB

Points = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Face:
    """One face in a photo.

    Coordinates are pixels of the photo, x to the right and y down, with the centre of the first pixel at
    (0, 0); they may lie outside the photo.

    Attributes:
        box: left, top, right, bottom.
        score: the detector's confidence, 0 to 1.
        landmarks: (5, 2) float64: the eye on the left of an upright face as seen, the other eye, the tip of
            the nose, the left and the right corner of the mouth as seen.
    """

    box: tuple[float, float, float, float]
    score: float
    landmarks: Points

    @property
    def size(self) -> float:
        """Length of the longer side of the box, in pixels."""
        left, top, right, bottom = self.box
        return max(right - left, bottom - top)


class Detector(Protocol):
    """Protocol of a loaded face detector."""

    def detect(self, photo: RGB) -> list[Face]:
        """All faces of a photo, RGB uint8 (H, W, 3), by falling score; an empty list where there is none."""


def check_photo(photo: RGB) -> None:
    """Check that a photo is RGB uint8 (H, W, 3).

    Raises:
        RefbenchError: it is not.
    """
    shape = getattr(photo, "shape", None)
    dtype = getattr(photo, "dtype", type(photo).__name__)
    if shape is None or dtype != np.uint8 or len(shape) != 3 or shape[2] != 3 or 0 in shape:
        raise RefbenchError(
            f"a photo is RGB uint8 (height, width, 3); got {dtype} {shape}; use images.read_rgb"
        )


def check_landmarks(landmarks: npt.ArrayLike, count: int | None = None) -> Points:
    """Landmarks as float64, (5, 2) for ``count`` None and (count, 5, 2) otherwise.

    Raises:
        RefbenchError: another shape, or values that are not finite.
    """
    points = np.asarray(landmarks, dtype=np.float64)
    wanted = (5, 2) if count is None else (count, 5, 2)
    if points.shape != wanted:
        raise RefbenchError(f"landmarks have the shape {wanted}: five points (x, y); got {points.shape}")
    if not np.isfinite(points).all():
        raise RefbenchError("landmarks hold NaN or infinity")
    return points
