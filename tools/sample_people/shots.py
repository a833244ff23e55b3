"""What differs between the photos of one sample person: expression, turn, light, framing."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from .cast import Role
from .face import composite
from .head import Head, Light, relight, turned
from .london import EYES, London
from .warp import Image, Map, invert, look_up, move, pixels

PHOTO = 512
KINDS = ("neutral", "smiling", "between", "light", "turn")


@dataclass(frozen=True, slots=True)
class Shot:
    """How one photo is taken.

    Attributes:
        smile: 0 (neutral) to 1.
        yaw, pitch, roll: turn of the head and of the camera, in degrees.
        eyes: distance of the eyes, in pixels of the photo.
        shift: where the middle of the eyes lies, in pixels of the photo.
        light: how it is lit.
    """

    smile: float
    yaw: float
    pitch: float
    roll: float
    eyes: float
    shift: tuple[float, float]
    light: Light


def draw(name: str, kind: str) -> Shot:
    """The shot of a person and kind, drawn from a generator of its own: always the same."""
    rng = np.random.default_rng([int(name), KINDS.index(kind)])
    side = float(rng.choice([-1.0, 1.0]))
    smile = {"neutral": 0.0, "smiling": 1.0, "between": 0.5}.get(kind, float(rng.choice([0.0, 1.0])))
    yaw, pitch = float(rng.uniform(-2.5, 2.5)), float(rng.uniform(-1.5, 1.5))
    light = Light(
        side=float(rng.uniform(-0.5, 0.5)),
        strength=float(rng.uniform(0.0, 0.35)),
        exposure=float(rng.uniform(-0.12, 0.12)),
        warmth=float(rng.uniform(-0.12, 0.12)),
    )
    if kind == "light":
        light = Light(
            side=side * float(rng.uniform(0.8, 1.3)),
            top=float(rng.uniform(0.0, 0.6)),
            strength=float(rng.uniform(0.5, 0.75)),
            exposure=float(rng.uniform(-0.5, 0.0)),
            warmth=float(rng.uniform(-0.35, 0.5)),
        )
    if kind == "turn":
        yaw, pitch = side * float(rng.uniform(9.0, 14.0)), float(rng.uniform(-4.0, 4.0))
    return Shot(
        smile=smile,
        yaw=yaw,
        pitch=pitch,
        roll=float(rng.uniform(-5.0, 5.0)),
        eyes=float(rng.uniform(100.0, 113.0)),
        shift=(float(rng.uniform(242.0, 270.0)), float(rng.uniform(224.0, 246.0))),
        light=light,
    )


def view(shot: Shot, size: int) -> Map:
    """For each pixel of a photo of ``size``, the place in the common frame that it shows."""
    scale = shot.eyes / (EYES[1, 0] - EYES[0, 0]) * size / PHOTO
    angle = np.deg2rad(shot.roll)
    turn = scale * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    middle = (np.array(shot.shift) + 0.5) * size / PHOTO - 0.5
    camera = np.column_stack([turn, middle - turn @ EYES.mean(0)])
    return move(invert(camera), pixels((size, size)).astype(np.float64)).astype(np.float32)


def photograph(london: London, role: Role, shot: Shot) -> Image:
    """A photo of a sample person, `PHOTO` pixels square, RGB float32 in [0, 1].

    It is looked up once, at twice its size, and averaged down, so that nothing is blurred or aliased twice.
    """
    image, shape = composite(london, role, shot.smile)
    head = Head.under(shape, (image.shape[0], image.shape[1]))
    lit = relight(image, head, shot.light)
    places = turned(view(shot, 2 * PHOTO), head.depth(), shot.yaw, pitch=shot.pitch)
    large = look_up(lit, places, cv2.INTER_CUBIC)
    return np.clip(cv2.resize(large, (PHOTO, PHOTO), interpolation=cv2.INTER_AREA), 0.0, 1.0)
