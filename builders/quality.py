"""What is measured of every face, and the gates that a face must pass."""

from __future__ import annotations

import math

import cv2
import numpy as np

from ..faces.align import AlignedFace
from ..faces.face import Face
from ..images import RGB
from .options import Gates

VIEW = 256
DECIMALS = 4


def measure(aligned: AlignedFace, face: Face | None) -> dict[str, float]:
    """Measurements of a face by name, rounded to four decimals.

    With no ``face`` (the picture came aligned, nothing was detected), what only a detector knows is left out.

    - ``detector_score``: 0 to 1.
    - ``face_size``: short side of the face's box, in pixels of the photo.
    - ``roll``: turn in the picture plane, in degrees; 0 is upright.
    - ``turn``: of the head to the side, 0 (frontal) to 1 (profile); see `head_turn`.
    - ``upscale``: pixels of the aligned image per pixel of the photo.
    - ``outside``: share of the aligned image that lies outside the photo.
    - ``sharpness``: variance of the Laplacian of the face at 256 pixels, in grey levels squared.
    - ``luma``, ``contrast``: mean and standard deviation of the face's grey levels, 0 to 255.
    """
    centre = _face_view(aligned.pixels)
    values = {
        "upscale": aligned.scale,
        "outside": aligned.outside,
        "sharpness": float(cv2.Laplacian(centre, cv2.CV_64F).var()),
        "luma": float(centre.mean()),
        "contrast": float(centre.std()),
    }
    if face is not None:
        left, top, right, bottom = (float(edge) for edge in face.box)
        eyes = face.landmarks[1] - face.landmarks[0]
        values |= {
            "detector_score": float(face.score),
            "face_size": min(right - left, bottom - top),
            "roll": math.degrees(math.atan2(float(eyes[1]), float(eyes[0]))),
            "turn": head_turn(face.landmarks),
        }
    return {name: round(value, DECIMALS) for name, value in sorted(values.items())}


def head_turn(landmarks: np.ndarray) -> float:
    """How far the nose lies from the middle between the eyes, along their line: 1 is at an eye or beyond.

    ``landmarks`` is (5, 2): eyes, nose, mouth corners, left before right as seen.
    """
    left, right, nose = landmarks[:3].astype(np.float64)
    along = right - left
    length = float(along @ along)
    if length == 0.0:
        return 1.0
    place = float((nose - left) @ along) / length
    return min(1.0, abs(2.0 * place - 1.0))


def why_refused(quality: dict[str, float], gates: Gates) -> str:
    """The first gate that a face fails, in words with both numbers, or nothing if it passes all."""
    least = {
        "detector_score": gates.min_score,
        "face_size": gates.min_size,
        "sharpness": gates.min_sharpness,
    }
    most = {"upscale": gates.max_upscale, "outside": gates.max_outside, "turn": gates.max_turn}
    for name, limit in least.items():
        if quality.get(name, math.inf) < limit:
            return f"{name} {quality[name]:g} is under {limit:g}"
    for name, limit in most.items():
        if quality.get(name, -math.inf) > limit:
            return f"{name} {quality[name]:g} is over {limit:g}"
    return ""


def _face_view(pixels: RGB) -> np.ndarray:
    side = pixels.shape[0]
    quarter = side // 4
    grey = cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY)
    if side != VIEW:
        method = cv2.INTER_AREA if side > VIEW else cv2.INTER_CUBIC
        grey = cv2.resize(grey, (VIEW, VIEW), interpolation=method)
        quarter = VIEW // 4
    return grey[quarter:-quarter, quarter:-quarter]
