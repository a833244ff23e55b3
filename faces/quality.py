"""What can be measured of a found face: size, pose, sharpness, certainty, what lies outside the photo."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass

import cv2
import numpy as np
import numpy.typing as npt

from ..images import RGB
from .align import AlignedFace
from .face import Face, Points, check_landmarks, check_photo
from .resize import resize

VIEW = 256
FACE_3D = np.array(
    [
        [-1.000, 0.000, 0.000],
        [1.000, 0.000, 0.000],
        [0.000, 1.080, -0.900],
        [-0.865, 2.090, -0.150],
        [0.865, 2.090, -0.150],
    ]
)
"""Eyes, nose tip and mouth corners of an upright head, x right, y down, z away from the viewer, in half
eye distances. x and y are measured: the mean over 102 people who look straight into the camera, neutral
and smiling. The depths are rounded from anthropometric tables."""


@dataclass(frozen=True, slots=True)
class Pose:
    """Where a head points, in degrees; all 0 for a face that looks straight into the camera.

    ``yaw`` is positive when the face looks to the right of the picture, ``pitch`` when it looks up, ``roll``
    when it is turned clockwise.
    """

    yaw: float
    pitch: float
    roll: float


@dataclass(frozen=True, slots=True)
class FaceQuality:
    """Measurements of one face.

    Attributes:
        score: the detector's certainty, 0 to 1; NaN where none ran.
        eye_distance: between the eyes, in pixels of the photo: how much face there is to see.
        yaw, pitch, roll: degrees, see `Pose`.
        sharpness: see `sharpness`.
        brightness: mean grey level of the face, 0 to 1.
        contrast: standard deviation of the grey levels, 0 to 0.5.
        outside: share of the crop outside the photo, 0 to 1.
        scale: crop pixels per photo pixel.
    """

    score: float
    eye_distance: float
    yaw: float
    pitch: float
    roll: float
    sharpness: float
    brightness: float
    contrast: float
    outside: float
    scale: float

    def as_dict(self) -> dict[str, float]:
        """The measurements by name, without those that are NaN."""
        return {name: value for name, value in asdict(self).items() if not math.isnan(value)}


def measure(aligned: AlignedFace, face: Face | None = None) -> FaceQuality:
    """Measure an FFHQ-style crop, and the face that it was cut around where a detector found one."""
    scale = aligned.scale
    seen = aligned.landmarks if face is None else face.landmarks
    pose = head_pose(seen)
    eyes = float(np.linalg.norm(seen[1] - seen[0])) / (scale if face is None else 1.0)
    grey = face_view(aligned.pixels) / 255.0
    return FaceQuality(
        score=math.nan if face is None else face.score,
        eye_distance=eyes,
        yaw=pose.yaw,
        pitch=pose.pitch,
        roll=pose.roll,
        sharpness=sharpness(aligned.pixels),
        brightness=float(grey.mean()),
        contrast=float(grey.std()),
        outside=aligned.outside,
        scale=scale,
    )


def head_pose(landmarks: npt.ArrayLike) -> Pose:
    """Yaw, pitch and roll from five landmarks (5, 2), to about ten degrees.

    The best affine image of `FACE_3D` under weak perspective is found in least squares and brought to the
    nearest rotation (DeMenthon and Davis, "Model-based object pose in 25 lines of code", 1995, without its
    iterations). Noses differ, so small angles say little.

    Raises:
        RefbenchError: landmarks of the wrong kind.
    """
    points = check_landmarks(landmarks)
    model = FACE_3D - FACE_3D.mean(axis=0)
    affine = np.linalg.lstsq(model, points - points.mean(axis=0), rcond=None)[0].T
    left, sizes, right = np.linalg.svd(affine, full_matrices=False)
    if sizes[1] <= 1e-9 * max(float(sizes[0]), 1e-300):
        return Pose(math.nan, math.nan, math.nan)
    first, second = left @ right
    third = np.cross(first, second)
    yaw = math.degrees(math.atan2(third[0], third[2]))
    pitch = math.degrees(math.asin(-float(np.clip(third[1], -1.0, 1.0))))
    roll = math.degrees(math.atan2(-first[1], second[1]))
    return Pose(yaw, pitch, roll)


def sharpness(pixels: RGB) -> float:
    """How much of a face's detail reaches the finest scale of its crop: 0 for none, about 0.3 for all.

    Square root of the energy of the finest octave (a Laplacian pyramid of the middle half) over that of the
    next three together. Photos hold about the same energy in every octave, so the measure asks for no
    scale and no contrast; a crop that was enlarged or blurred lacks the finest octave. Noise and strong
    sharpening raise it.

    Source: Burt and Adelson, "The Laplacian Pyramid as a Compact Image Code", 1983; Field, "Relations
    between the statistics of natural images and the response properties of cortical cells", 1987.

    Args:
        pixels: RGB uint8 (size, size, 3), an FFHQ-style crop.
    """
    check_photo(pixels)
    quarter = len(pixels) // 4
    inner = slice(quarter, len(pixels) - quarter)
    level, energies = cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY)[inner, inner].astype(np.float32), []
    for _ in range(4):
        coarser = cv2.pyrDown(level)
        band = level - cv2.pyrUp(coarser, dstsize=(level.shape[1], level.shape[0]))
        energies.append(float(np.mean(np.square(band, dtype=np.float64))))
        level = np.asarray(coarser, dtype=np.float32)
    return math.sqrt(energies[0] / max(sum(energies[1:]), 1e-6))


def face_view(pixels: RGB) -> npt.NDArray[np.float64]:
    """Grey levels 0 to 255 of the middle half of an aligned face, at a common size."""
    small = resize(pixels, VIEW, VIEW, growing=cv2.INTER_CUBIC)
    quarter = VIEW // 4
    grey = cv2.cvtColor(small, cv2.COLOR_RGB2GRAY)
    return np.asarray(grey[quarter:-quarter, quarter:-quarter], dtype=np.float64)


def project(pose: Pose, scale: float = 50.0, centre: tuple[float, float] = (256.0, 256.0)) -> Points:
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
