"""Augmentation of reference images for training, as in ReF-LDM: colour, affine, perspective, flip."""

from __future__ import annotations

import math
from typing import TypeAlias

import cv2
import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict, Field

from ...images import RGB
from ..operations.colours import ORDERS, jitter
from ..operations.operation import Size
from ..recipes.draws import Draw

Matrix: TypeAlias = npt.NDArray[np.float64]


class Augmentation(BaseModel):
    """Ranges of the augmentation; the defaults are those of ReF-LDM's code.

    Attributes:
        colour: largest relative change of brightness, contrast and saturation, 0 to 1.
        hue: largest shift of the hue, as a share of a full circle, 0 to 0.5.
        degrees: largest rotation, in degrees.
        shift: largest translation as a share of the size, rounded to whole pixels.
        scale: smallest and largest factor of size.
        distortion: largest inward shift of a corner, as a share of half the size.
        perspective_probability: of the perspective transform; 1 in ReF-LDM's code, 0.5 in its paper.
        mirror_probability: of a horizontal flip.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    colour: float = Field(default=0.2, ge=0, le=1)
    hue: float = Field(default=0.02, ge=0, le=0.5)
    degrees: float = Field(default=2.0, ge=0)
    shift: float = Field(default=0.05, ge=0, le=1)
    scale: tuple[float, float] = (0.95, 1.05)
    distortion: float = Field(default=0.2, ge=0, lt=1)
    perspective_probability: float = Field(default=1.0, ge=0, le=1)
    mirror_probability: float = Field(default=0.5, ge=0, le=1)

    def apply(self, pixels: RGB, draw: Draw) -> RGB:
        """Augment RGB uint8 (H, W, 3); the size is kept, uncovered regions become black."""
        size = pixels.shape[:2]
        changed = self._recoloured(pixels, draw)
        changed = _warped(changed, self.affine(size, draw))
        if draw.unit("perspective") < self.perspective_probability:
            changed = _warped(changed, self.perspective(size, draw))
        return mirrored(changed) if draw.unit("mirror") < self.mirror_probability else changed

    def affine(self, size: Size, draw: Draw) -> Matrix:
        """Rotation and scaling about the centre, then a translation: (3, 3), from input to output pixels."""
        height, width = size
        angle = math.radians(_between(-self.degrees, self.degrees, draw.unit("angle")))
        scale = _between(*self.scale, draw.unit("scale"))
        right = round(_between(-self.shift, self.shift, draw.unit("right")) * width)
        down = round(_between(-self.shift, self.shift, draw.unit("down")) * height)
        x, y = (width - 1) / 2, (height - 1) / 2
        cos, sin = scale * math.cos(angle), scale * math.sin(angle)
        rows = [[cos, -sin, x - cos * x + sin * y + right], [sin, cos, y - sin * x - cos * y + down]]
        return np.array([*rows, [0.0, 0.0, 1.0]])

    def perspective(self, size: Size, draw: Draw) -> Matrix:
        """The homography that shifts corners inwards by whole pixels: (3, 3), from input to output pixels."""
        height, width = size
        right, bottom = width - 1, height - 1
        corners = [(0, 0), (right, 0), (right, bottom), (0, bottom)]
        moved = []
        for number, (x, y) in enumerate(corners):
            inwards_x = int(draw.unit(f"corner {number} x") * (int(self.distortion * (width // 2)) + 1))
            inwards_y = int(draw.unit(f"corner {number} y") * (int(self.distortion * (height // 2)) + 1))
            moved.append((abs(x - inwards_x), abs(y - inwards_y)))
        start, end = np.array(corners, dtype=np.float32), np.array(moved, dtype=np.float32)
        return np.asarray(cv2.getPerspectiveTransform(start, end), dtype=np.float64)

    def _recoloured(self, pixels: RGB, draw: Draw) -> RGB:
        names = ("brightness", "contrast", "saturation")
        amounts = {name: 1.0 + _between(-self.colour, self.colour, draw.unit(name)) for name in names}
        amounts["hue"] = _between(-self.hue, self.hue, draw.unit("hue"))
        order = ORDERS[int(draw.unit("order") * len(ORDERS))]
        bgr = pixels[..., ::-1].astype(np.float32)
        return np.rint(jitter(bgr, amounts, order)[..., ::-1]).astype(np.uint8)


def mirrored(pixels: RGB) -> RGB:
    """Flip horizontally: RGB uint8 (H, W, 3)."""
    return np.ascontiguousarray(pixels[:, ::-1])


def _warped(pixels: RGB, matrix: Matrix) -> RGB:
    height, width = pixels.shape[:2]
    return np.asarray(cv2.warpPerspective(pixels, matrix, (width, height), flags=cv2.INTER_LINEAR))


def _between(low: float, high: float, unit: float) -> float:
    return low + (high - low) * unit
