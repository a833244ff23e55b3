"""A rough solid head under a face: enough of it to turn by a few degrees and to be lit from a side."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from .blend import blur
from .warp import Floats, Image, Map, look_up, pixels

Depth = npt.NDArray[np.float32]

NOSE_TIP, CHIN, JAW_ENDS, EYES = 30, 8, (0, 16), slice(36, 48)
FIXED_POINT_STEPS = 8
GAMMA = 2.2


@dataclass(frozen=True, slots=True)
class Light:
    """A change of light.

    Attributes:
        side, top: where a lamp stands: -1 is 45 degrees to the left (below), 1 to the right (above).
        strength: share of the lamp in the light, 0 to 1; the rest comes from everywhere.
        exposure: in stops.
        warmth: in stops of red against blue; positive is warmer.
    """

    side: float = 0.0
    top: float = 0.0
    strength: float = 0.0
    exposure: float = 0.0
    warmth: float = 0.0


@dataclass(frozen=True)
class Head:
    """Coordinates on a head, in pixels or in units of its half width and of the way from eyes to chin.

    Attributes:
        half, face: those two units, in pixels.
        across, along: for each pixel, how far it is from the middle and from the eyes (down is positive).
        nose: height of the nose alone, 0 to 1.
    """

    half: float
    face: float
    across: Depth
    along: Depth
    nose: Depth

    @classmethod
    def under(cls, shape: Floats, size: tuple[int, int]) -> Head:
        """The head under 68 landmarks, for an image of ``size`` (height, width)."""
        x, y = np.moveaxis(pixels(size), -1, 0)
        left, right = shape[JAW_ENDS[0], 0], shape[JAW_ENDS[1], 0]
        eyes, chin, tip = shape[EYES, 1].mean(), shape[CHIN, 1], shape[NOSE_TIP]
        half, face = (right - left) / 2.0, chin - eyes
        down = (y - tip[1]) / face
        ridge = np.exp(-((down / np.where(down < 0.0, 0.32, 0.13)) ** 2))
        nose = np.exp(-(((x - tip[0]) / (0.2 * half)) ** 2)) * ridge
        across, along = (x - (left + right) / 2.0) / half, (y - eyes) / face
        return cls(half, face, across, along, blur(nose.astype(np.float32), 0.03 * face))

    def depth(self) -> Depth:
        """How far each pixel lies before the plane of the ears, in pixels.

        A barrel as wide as the jaw, rounded off above the forehead and below the chin, with a nose.
        """
        barrel = np.cos(np.clip(np.abs(self.across) / 1.12, 0.0, 1.0) * (np.pi / 2.0))
        ends = _ramp(self.along, -1.35, -0.25) * _ramp(-self.along, -1.45, -0.75)
        solid = self.half * (0.85 * blur(barrel * ends, 0.03 * self.face) + 0.27 * self.nose)
        return np.asarray(solid, dtype=np.float32)

    def normals(self) -> tuple[Depth, Depth, Depth]:
        """Which way the surface looks: right, down and towards the camera, as a unit vector per pixel.

        Beyond the head the slope of its sides goes on, so that a background is lit from the same side
        without a visible edge.
        """
        beside = _ramp(self.along, -2.2, -0.9)
        width = 3.0 - 2.0 * beside
        right, down = np.tanh(self.across / width), 0.4 * np.tanh(self.along)
        steep_down, steep_right = np.gradient(0.27 * self.half * blur(self.nose, 4.0))
        right, down = right - steep_right, down - steep_down
        norm = np.sqrt(right**2 + down**2 + 1.0)
        return right / norm, down / norm, 1.0 / norm


def turned(places: Map, solid: Depth, yaw: float, *, pitch: float) -> Map:
    """Where to look up ``places`` so that the head ``solid`` is turned by ``yaw`` and ``pitch`` degrees.

    A point of depth z is seen moved by z sin(angle), to the right and up for positive angles; the inverse
    is found by fixed-point steps.
    """
    shift = np.array([np.sin(np.deg2rad(yaw)), -np.sin(np.deg2rad(pitch))], np.float32)
    found = places
    for _ in range(FIXED_POINT_STEPS):
        found = places - shift * look_up(solid, found)[..., None]
    return np.asarray(found, dtype=np.float32)


def relight(image: Image, head: Head, light: Light) -> Image:
    """Light ``image`` (sRGB values, 0 to 1) anew: Lambert's cosine over the head, in linear light."""
    lamp = np.array([light.side, -light.top, 1.0]) / np.sqrt(light.side**2 + light.top**2 + 1.0)
    facing = sum(part * toward for part, toward in zip(head.normals(), lamp, strict=True))
    shade = 1.0 - light.strength + light.strength * np.clip(facing, 0.0, None) / lamp[2]
    tint = 2.0 ** (light.exposure + light.warmth * np.array([0.5, 0.0, -0.5]))
    lit = np.clip(image, 0.0, 1.0) ** GAMMA * blur(shade.astype(np.float32), 3.0)[..., None] * tint
    return np.asarray(np.clip(lit, 0.0, 1.0) ** (1.0 / GAMMA), dtype=np.float32)


def _ramp(values: Depth, start: float, end: float) -> Depth:
    rise = np.clip((values - start) / (end - start), 0.0, 1.0)
    return np.asarray(rise * rise * (3.0 - 2.0 * rise), dtype=np.float32)
