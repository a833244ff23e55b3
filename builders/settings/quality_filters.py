"""The gates that a face must pass to enter a set; every refusal says which gate and both numbers."""

from __future__ import annotations

from collections.abc import Mapping

from pydantic import BaseModel, ConfigDict, Field


class Gates(BaseModel):
    """What a face must be; the measurements are those of `faces.quality.FaceQuality`.

    Attributes:
        min_score: least certainty of the detector, 0 to 1; None takes the detector's own.
        min_eye_distance: least distance between the eyes, in pixels of the photo.
        max_scale: greatest enlargement by alignment: pixels of the aligned image per pixel of the photo.
        max_outside: greatest share of the aligned image that lies outside the photo.
        max_yaw, max_pitch: greatest turn of the head, in degrees either way; good to about ten degrees.
        min_sharpness: least share of the finest detail, 0 (off) to about 0.3.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    min_score: float | None = Field(default=None, ge=0.0, le=1.0)
    min_eye_distance: float = Field(default=24.0, ge=0.0)
    max_scale: float = Field(default=4.0, gt=0.0)
    max_outside: float = Field(default=0.5, ge=0.0, le=1.0)
    max_yaw: float = Field(default=75.0, ge=0.0, le=180.0)
    max_pitch: float = Field(default=60.0, ge=0.0, le=180.0)
    min_sharpness: float = Field(default=0.0, ge=0.0)


def why_refused(quality: Mapping[str, float], gates: Gates) -> str:
    """The first gate that a face fails, in words with both numbers, or nothing if it passes all.

    What was not measured (a detector's score, for a picture that came aligned) is no reason to refuse.
    """
    least = {
        "score": gates.min_score or 0.0,
        "eye_distance": gates.min_eye_distance,
        "sharpness": gates.min_sharpness,
    }
    most = {
        "scale": gates.max_scale,
        "outside": gates.max_outside,
        "yaw": gates.max_yaw,
        "pitch": gates.max_pitch,
    }
    for name, limit in least.items():
        if name in quality and quality[name] < limit:
            return f"{name} {quality[name]:.4g} is under {limit:g}"
    for name, limit in most.items():
        if name in quality and abs(quality[name]) > limit:
            return f"{name} {quality[name]:.4g} is over {limit:g}"
    return ""
