"""Face quality: head pose and sharpness."""

from __future__ import annotations

import math

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from refbench.faces.align import align_face, already_aligned
from refbench.faces.face import Face, Points
from refbench.faces.quality import FACE_3D, Pose, head_pose, measure_face, sharpness


def project_landmarks(
    pose: Pose, scale: float = 50.0, centre: tuple[float, float] = (256.0, 256.0)
) -> Points:
    """Landmarks (5, 2) of `FACE_3D` as seen under a pose: the inverse of `head_pose`."""
    yaw, pitch, roll = (math.radians(angle) for angle in (pose.yaw, pose.pitch, pose.roll))
    turn_y = np.array(
        [[math.cos(yaw), 0.0, -math.sin(yaw)], [0.0, 1.0, 0.0], [math.sin(yaw), 0.0, math.cos(yaw)]]
    )
    turn_x = np.array(
        [[1.0, 0.0, 0.0], [0.0, math.cos(pitch), math.sin(pitch)], [0.0, -math.sin(pitch), math.cos(pitch)]]
    )
    turn_z = np.array(
        [[math.cos(roll), -math.sin(roll), 0.0], [math.sin(roll), math.cos(roll), 0.0], [0.0, 0.0, 1.0]]
    )
    seen: Points = (FACE_3D @ (turn_z @ turn_x @ turn_y).T)[:, :2] * scale + np.array(centre)
    return seen


@given(st.floats(-60, 60), st.floats(-60, 60), st.floats(-179, 179), st.floats(1, 300))
def test_a_pose_is_read_back(yaw: float, pitch: float, roll: float, scale: float) -> None:
    found = head_pose(project_landmarks(Pose(yaw, pitch, roll), scale))
    assert found.yaw == pytest.approx(yaw, abs=1e-6)
    assert found.pitch == pytest.approx(pitch, abs=1e-6)
    assert found.roll == pytest.approx(roll, abs=1e-6)


def test_the_signs_of_a_pose() -> None:
    frontal = project_landmarks(Pose(0, 0, 0))
    looks_right, looks_up, leans_clockwise = (
        project_landmarks(pose) for pose in (Pose(25, 0, 0), Pose(0, 25, 0), Pose(0, 0, 25))
    )
    assert looks_right[2, 0] > frontal[2, 0]
    assert looks_up[2, 1] < frontal[2, 1]
    assert leans_clockwise[1, 1] > leans_clockwise[0, 1]


def test_landmarks_on_a_line_have_no_pose() -> None:
    flat = np.column_stack([np.arange(5.0), np.zeros(5)])
    assert math.isnan(head_pose(flat).yaw)


def _detailed(size: int = 512) -> np.ndarray:
    """A picture with about the same energy in every octave, as photos have."""
    rng = np.random.default_rng(5)
    canvas = np.zeros((size, size))
    for side in (8, 16, 32, 64, 128, 256, 512):
        canvas += cv2.resize(rng.standard_normal((side, side)), (size, size), interpolation=cv2.INTER_CUBIC)
    grey = np.clip(canvas / canvas.std() * 40 + 128, 0, 255)
    return np.repeat(np.rint(grey).astype(np.uint8)[..., None], 3, axis=2)


def test_sharpness_falls_with_blur_and_not_with_contrast() -> None:
    photo = _detailed()
    values = [sharpness(photo)]
    values += [sharpness(cv2.GaussianBlur(photo, (0, 0), sigma)) for sigma in (0.7, 1.0, 2.0, 4.0)]
    assert values == sorted(values, reverse=True)
    assert values[-1] < 0.5 * values[0]
    half = (photo.astype(np.float64) * 0.5 + 60).astype(np.uint8)
    assert sharpness(half) == pytest.approx(values[0], rel=0.05)
    assert sharpness(np.full((512, 512, 3), 90, np.uint8)) == 0.0


def test_an_enlarged_crop_is_less_sharp() -> None:
    photo = _detailed()
    small = cv2.resize(photo, (256, 256), interpolation=cv2.INTER_AREA)
    enlarged = cv2.resize(small, (512, 512), interpolation=cv2.INTER_CUBIC)
    assert sharpness(enlarged) < 0.75 * sharpness(photo)


def test_a_face_is_measured_in_the_photos_pixels() -> None:
    photo = _detailed(1024)
    landmarks = project_landmarks(Pose(0, 0, 10), scale=40.0, centre=(500.0, 480.0))
    aligned = align_face(photo, landmarks)
    found = measure_face(aligned, Face((400.0, 400.0, 600.0, 650.0), 0.98, landmarks))
    assert found.eye_distance == pytest.approx(80.0)
    assert found.roll == pytest.approx(10.0, abs=1e-6)
    assert found.score == 0.98
    assert found.scale == pytest.approx(aligned.scale)
    assert 0 < found.contrast < 0.5
    assert "score" in found.as_dict()


def test_an_aligned_picture_has_no_score() -> None:
    found = measure_face(already_aligned(_detailed(256)))
    assert math.isnan(found.score)
    assert "score" not in found.as_dict()
    assert found.eye_distance == pytest.approx(125.92 / 2, abs=0.1)
    assert abs(found.yaw) < 3
