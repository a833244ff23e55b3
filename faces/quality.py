"""Face quality: size, head pose, sharpness, brightness, detector score, share outside the photo."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass

import cv2
import numpy as np
import numpy.typing as npt

from ..deprecated import renamed
from ..images import RGB, luma
from .align import AlignedFace
from .face import Face, check_landmarks, check_photo
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
eye distances. x and y are the measured means over 102 people who look straight into the camera, neutral and
smiling; the depths are rounded from anthropometric tables."""


@dataclass(frozen=True, slots=True)
class Pose:
    """Head pose in degrees; all 0 for a face that looks straight into the camera.

    Attributes:
        yaw: positive for a face turned to the right of the image.
        pitch: positive for a face turned up.
        roll: positive for a face rotated clockwise.
    """

    yaw: float
    pitch: float
    roll: float


@dataclass(frozen=True, slots=True)
class FaceQuality:
    """Measurements of one face.

    Attributes:
        score: the detector's confidence, 0 to 1; NaN where no detector ran.
        eye_distance: distance between the eyes, in pixels of the photo.
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


def measure_face(aligned: AlignedFace, face: Face | None = None) -> FaceQuality:
    """Measure the quality of an FFHQ-aligned face.

    Args:
        aligned: the aligned face.
        face: the detected face it was cut from; None where no detector ran.
    """
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

    `FACE_3D` is fitted under weak perspective in least squares, and the affine matrix is projected to the
    nearest rotation (DeMenthon and Davis, "Model-based object pose in 25 lines of code", 1995, without its
    iterations). Faces differ, so small angles are not significant.

    Raises:
        RefbenchError: landmarks of the wrong shape, or not finite.
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
    """Relative energy of the finest scale of an aligned face: 0 for none, about 0.3 for a sharp photo.

    Square root of the energy of the finest octave (a Laplacian pyramid of the central half) over that of the
    next three together. Photos have about the same energy in every octave, so the measure does not depend on
    scale and contrast; an enlarged or blurred crop lacks the finest octave. Noise and strong sharpening raise
    it.

    Source: Burt and Adelson, "The Laplacian Pyramid as a Compact Image Code", 1983; Field, "Relations
    between the statistics of natural images and the response properties of cortical cells", 1987.

    Args:
        pixels: RGB uint8 (size, size, 3), an FFHQ-aligned face.
    """
    check_photo(pixels)
    quarter = len(pixels) // 4
    inner = slice(quarter, len(pixels) - quarter)
    level, energies = luma(pixels)[inner, inner].astype(np.float32), []
    for _ in range(4):
        coarser = cv2.pyrDown(level)
        band = level - cv2.pyrUp(coarser, dstsize=(level.shape[1], level.shape[0]))
        energies.append(float(np.mean(np.square(band, dtype=np.float64))))
        level = np.asarray(coarser, dtype=np.float32)
    return math.sqrt(energies[0] / max(sum(energies[1:]), 1e-6))


def face_view(pixels: RGB) -> npt.NDArray[np.float64]:
    """Luma 0 to 255 of the central half of an aligned face, resized to (128, 128) float64."""
    small = resize(pixels, VIEW, VIEW, growing=cv2.INTER_CUBIC)
    quarter = VIEW // 4
    return np.asarray(luma(small)[quarter:-quarter, quarter:-quarter], dtype=np.float64)


__getattr__ = renamed(__name__, {"measure": "measure_face"})
