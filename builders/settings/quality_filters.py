"""Quality filters: limits on score, size, pose and sharpness that a face must meet to enter a set."""

from __future__ import annotations

from collections.abc import Mapping

from pydantic import BaseModel, ConfigDict, Field


class QualityFilters(BaseModel):
    """Limits on the measurements of a face (`faces.quality.FaceQuality`); a face beyond one is left out.

    Raises:
        pydantic.ValidationError: an unknown limit, or one out of its range.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    min_score: float | None = Field(
        default=None,
        ge=0.0,
        le=1.0,
        description="Least score of the detector, 0 to 1. Default: the detector's own.",
    )
    min_eye_distance: float = Field(
        default=24.0, ge=0.0, description="Least distance between the eyes, in pixels of the photo."
    )
    max_scale: float = Field(
        default=4.0,
        gt=0.0,
        description="Greatest enlargement by alignment: pixels of the aligned image per pixel of the photo.",
    )
    max_outside: float = Field(
        default=0.5,
        ge=0.0,
        le=1.0,
        description="Greatest share of the aligned image that lies outside the photo, 0 to 1.",
    )
    max_yaw: float = Field(
        default=75.0,
        ge=0.0,
        le=180.0,
        description="Greatest yaw of the head either way, in degrees; estimated to about ten degrees.",
    )
    max_pitch: float = Field(
        default=60.0,
        ge=0.0,
        le=180.0,
        description="Greatest pitch of the head either way, in degrees; estimated to about ten degrees.",
    )
    min_sharpness: float = Field(
        default=0.0, ge=0.0, description="Least share of the finest detail, 0 (off) to about 0.3."
    )


NO_FILTERS = QualityFilters(
    min_score=0.0,
    min_eye_distance=0.0,
    max_scale=1e9,
    max_outside=1.0,
    max_yaw=180.0,
    max_pitch=180.0,
    min_sharpness=0.0,
)
"""Limits that no face exceeds."""


def rejection_reason(quality: Mapping[str, float], filters: QualityFilters) -> str:
    """The first limit that a face exceeds, in words with both numbers; empty if it meets all of them.

    A measurement that is absent (a detector's score, for a photo that was aligned already) is not tested.
    """
    least = {
        "score": filters.min_score or 0.0,
        "eye_distance": filters.min_eye_distance,
        "sharpness": filters.min_sharpness,
    }
    most = {
        "scale": filters.max_scale,
        "outside": filters.max_outside,
        "yaw": filters.max_yaw,
        "pitch": filters.max_pitch,
    }
    for name, limit in least.items():
        if name in quality and quality[name] < limit:
            return f"{name} {quality[name]:.4g} is under {limit:g}"
    for name, limit in most.items():
        if name in quality and abs(quality[name]) > limit:
            return f"{name} {quality[name]:.4g} is over {limit:g}"
    return ""
