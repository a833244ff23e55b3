"""Face alignment: photo and five landmarks → an upright crop, by a similarity transform and antialiased warp.

Coordinates follow OpenCV: the centre of the first pixel is (0, 0), so a square of side s covers
-0.5 to s - 0.5.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, cast

import cv2
import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from torch import Tensor

from ..deprecated import renamed
from ..errors import RefbenchError
from ..images import RGB
from .face import Points, check_landmarks, check_photo
from .resize import pad, resize

Matrix = npt.NDArray[np.float64]
Border = Literal["reflect", "black"]
BORDERS: dict[Border, int] = {"reflect": cv2.BORDER_REFLECT, "black": cv2.BORDER_CONSTANT}


def _template(*points: tuple[float, float]) -> Points:
    array = np.array(points, dtype=np.float64)
    array.flags.writeable = False
    return array


FFHQ_512 = _template(
    (192.98138, 239.94708),
    (318.90277, 240.1936),
    (256.63416, 314.01935),
    (201.26117, 371.41043),
    (313.08905, 371.15118),
)
"""Mean landmarks of FFHQ's aligned faces at 512 pixels, as facexlib uses them."""

ARCFACE_112 = _template(
    (38.2946, 51.6963), (73.5318, 51.5014), (56.0252, 71.7366), (41.5493, 92.3655), (70.7299, 92.2041)
)
"""Landmarks of the 112-pixel crops that ArcFace networks are trained on (Deng et al., 2019)."""

DLIB_150 = _template((41.4, 34.6), (100.8, 34.6), (71.1, 72.8), (45.4, 98.1), (96.0, 98.1))
"""The same five points in dlib's 150-pixel face chip with a padding of 0.25."""


@dataclass(frozen=True, slots=True, eq=False)
class AlignedFace:
    """An upright crop of one face.

    Attributes:
        pixels: RGB uint8 (size, size, 3).
        landmarks: (5, 2) float64, the photo's landmarks in pixels of the crop.
        outside: share of the crop outside the photo, which was filled, 0 to 1.
        scale: crop pixels per photo pixel; above 1 the photo was enlarged.
        matrix: (2, 3) float64, from photo to crop pixels.
    """

    pixels: RGB
    landmarks: Points
    outside: float
    scale: float
    matrix: Matrix


def template_at(template: Points, size: int, template_size: int) -> Points:
    """Landmarks (5, 2) of a template scaled from a square of ``template_size`` to one of ``size`` pixels."""
    return (template + 0.5) * (size / template_size) - 0.5


def similarity_transform(source: npt.ArrayLike, target: npt.ArrayLike) -> Matrix:
    """The rotation, scale and translation (no reflection) from ``source`` to ``target`` in least squares.

    Args:
        source: (N, 2) points, N of at least 2, not all the same.
        target: (N, 2) points.

    Returns:
        (2, 3) float64 matrix M with target ≈ M[:, :2] @ source + M[:, 2].

    Raises:
        RefbenchError: shapes that differ, values that are not finite, or points that all coincide.

    Source: Umeyama, "Least-squares estimation of transformation parameters between two point patterns",
    1991; in two dimensions its solution is the closed form used here.
    """
    first = np.asarray(source, dtype=np.float64)
    second = np.asarray(target, dtype=np.float64)
    if first.shape != second.shape or first.ndim != 2 or first.shape[1:] != (2,) or len(first) < 2:
        raise RefbenchError(
            f"source and target must both be (N, 2) with N >= 2; got {first.shape} and {second.shape}"
        )
    if not (np.isfinite(first).all() and np.isfinite(second).all()):
        raise RefbenchError("points hold NaN or infinity")
    first_mean, second_mean = first.mean(axis=0), second.mean(axis=0)
    a, b = first - first_mean, second - second_mean
    spread = float((a * a).sum())
    if spread <= 1e-12 * max(1.0, float(np.abs(first).max()) ** 2):
        raise RefbenchError("all landmarks coincide; they define no alignment")
    cosine = float((a * b).sum()) / spread
    sine = float((a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0]).sum()) / spread
    turn = np.array([[cosine, -sine], [sine, cosine]])
    return np.column_stack([turn, second_mean - turn @ first_mean])


def transform_points(matrix: Matrix, points: Points) -> Points:
    """Transform points (..., 2) by a (2, 3) matrix."""
    moved: Points = points @ matrix[:, :2].T + matrix[:, 2]
    return moved


def invert(matrix: Matrix) -> Matrix:
    """The inverse of a (2, 3) matrix."""
    back = np.linalg.inv(matrix[:, :2])
    return np.column_stack([back, -back @ matrix[:, 2]])


def scale_of(matrix: Matrix) -> float:
    """Scale of a similarity transform: target pixels per source pixel."""
    return math.sqrt(abs(float(np.linalg.det(matrix[:, :2]))))


def outside_share(matrix: Matrix, photo_shape: tuple[int, ...], size: int) -> float:
    """Share of a square crop of ``size`` pixels that lies outside the photo, 0 to 1, by polygon clipping."""
    corners = np.array([[0.0, 0.0], [size, 0.0], [size, size], [0.0, size]]) - 0.5
    outline = transform_points(invert(matrix), corners) + 0.5
    height, width = photo_shape[:2]
    frame = np.array([[0, 0], [width, 0], [width, height], [0, height]])
    inside, _ = cv2.intersectConvexConvex(outline.astype(np.float32), frame.astype(np.float32))
    return min(1.0, max(0.0, 1.0 - inside * abs(float(np.linalg.det(matrix[:, :2]))) / size**2))


def warp(photo: RGB, matrix: Matrix, size: int, *, border: Border = "reflect") -> RGB:
    """Warp a photo to a ``size`` x ``size`` crop by a similarity transform, antialiased.

    Where the photo shrinks, it is first reduced by an integer factor (box filter), then warped to a larger
    canvas, which is averaged down (supersampling); elsewhere the interpolation is bicubic.

    Args:
        photo: RGB uint8 (H, W, 3).
        matrix: (2, 3) from photo to crop.
        size: side of the crop in pixels.
        border: filling outside the photo: its reflection, or black.

    Returns:
        RGB uint8 (size, size, 3).
    """
    shrink = 1.0 / scale_of(matrix)
    reduction = max(1, int(shrink / 2.0))
    if reduction > 1:
        photo, matrix = _reduced(photo, matrix, size, factor=reduction, border=border)
    finer = max(1, math.ceil(shrink / reduction - 0.05))
    enlarged = np.array([[finer, 0.0, (finer - 1) / 2.0], [0.0, finer, (finer - 1) / 2.0]])
    supersampled = enlarged[:, :2] @ matrix
    supersampled[:, 2] += enlarged[:, 2]
    side = size * finer
    canvas = cv2.warpAffine(
        photo, supersampled, (side, side), flags=cv2.INTER_CUBIC, borderMode=BORDERS[border]
    )
    return resize(cast(RGB, canvas), size, size)


def _reduced(photo: RGB, matrix: Matrix, size: int, *, factor: int, border: Border) -> tuple[RGB, Matrix]:
    """The region of a photo that a crop shows, reduced by an integer factor; and its matrix."""
    corners = np.array([[0.0, 0.0], [size, 0.0], [size, size], [0.0, size]]) - 0.5
    outline = transform_points(invert(matrix), corners)
    low = np.floor(outline.min(axis=0)).astype(int) - 4 * factor
    high = low + -(-(np.ceil(outline.max(axis=0)).astype(int) + 4 * factor - low) // factor) * factor
    limits = np.array(photo.shape[1::-1])
    first = np.clip(np.minimum(low, 2 * limits - high), 0, limits - 1)
    last = np.clip(np.maximum(high, -low), first + 1, limits)
    inner = photo[first[1] : last[1], first[0] : last[0]]
    left, top = np.maximum(first - low, 0).tolist()
    right, bottom = np.maximum(high - last, 0).tolist()
    framed = (
        pad(inner, top=top, bottom=bottom, left=left, right=right, border=BORDERS[border])
        if left + top + right + bottom
        else inner
    )
    (x, y), (width, height) = np.maximum(low - first, 0).tolist(), (high - low).tolist()
    part = framed[y : y + height, x : x + width]
    small = resize(part, width // factor, height // factor)
    moved = matrix.copy()
    moved[:, 2] += matrix[:, :2] @ (low + (factor - 1) / 2.0)
    moved[:, :2] *= factor
    return small, moved


def warp_tensor(images: Tensor, matrices: Sequence[Matrix], size: int) -> Tensor:
    """`warp` for a batch of float images, differentiable; black outside, bilinear with supersampling.

    Args:
        images: (B, C, H, W).
        matrices: a (2, 3) matrix from image to crop for each image.
        size: side of the crops in pixels.

    Returns:
        (B, C, size, size).
    """
    height, width = images.shape[2:]
    finer = max(1, *(math.ceil(1.0 / scale_of(matrix) - 0.05) for matrix in matrices))
    to_crop = np.array([[size / 2.0, 0.0, (size - 1) / 2.0], [0.0, size / 2.0, (size - 1) / 2.0]])
    to_unit = np.array([[2.0 / width, 0.0, 1.0 / width - 1.0], [0.0, 2.0 / height, 1.0 / height - 1.0]])
    steps = []
    for matrix in matrices:
        inverse = np.linalg.inv(np.vstack([matrix, [0.0, 0.0, 1.0]]))
        steps.append(to_unit @ inverse @ np.vstack([to_crop, [0.0, 0.0, 1.0]]))
    theta = torch.tensor(np.array(steps), dtype=images.dtype, device=images.device)
    grid = F.affine_grid(theta, [len(images), 1, size * finer, size * finer], align_corners=False)
    canvas = F.grid_sample(images, grid, mode="bilinear", padding_mode="zeros", align_corners=False)
    return F.avg_pool2d(canvas, finer) if finer > 1 else canvas


def align_to(
    photo: RGB, landmarks: npt.ArrayLike, template: Points, *, size: int, border: Border = "reflect"
) -> AlignedFace:
    """Align a face to a template of five landmarks; see `warp`.

    Args:
        photo: RGB uint8 (H, W, 3).
        landmarks: (5, 2), in pixels of the photo.
        template: (5, 2), in pixels of the crop.
        size: side of the crop in pixels.
        border: filling outside the photo.

    Raises:
        RefbenchError: photo or landmarks of the wrong shape or dtype.
    """
    check_photo(photo)
    points = check_landmarks(landmarks)
    matrix = similarity_transform(points, template)
    pixels = warp(photo, matrix, size, border=border)
    outside = outside_share(matrix, photo.shape, size)
    return AlignedFace(pixels, transform_points(matrix, points), outside, scale_of(matrix), matrix)


def align_face(photo: RGB, landmarks: npt.ArrayLike, size: int = 512) -> AlignedFace:
    """Align a face to FFHQ's mean landmarks; the parts outside the photo are filled by its reflection.

    Args:
        photo: RGB uint8 (H, W, 3).
        landmarks: (5, 2) in pixels of the photo, in the order of `face.Face`.
        size: side of the crop in pixels.

    Raises:
        RefbenchError: photo or landmarks of the wrong shape or dtype.
    """
    return align_to(photo, landmarks, template_at(FFHQ_512, size, 512), size=size)


def already_aligned(photo: RGB, size: int = 512) -> AlignedFace:
    """Wrap an FFHQ-aligned photo as `AlignedFace`: resized where needed, with the template's landmarks.

    Args:
        photo: RGB uint8 (N, N, 3).
        size: side of the result in pixels.

    Raises:
        RefbenchError: the photo is not square, or not RGB uint8.
    """
    check_photo(photo)
    height, width = photo.shape[:2]
    if height != width:
        raise RefbenchError(f"an aligned face is square; got {width}x{height}; use a detector and align_face")
    matrix = np.array([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]]) * (size / width)
    matrix[:, 2] = (size / width - 1.0) / 2.0
    pixels = resize(photo, size, size, growing=cv2.INTER_CUBIC)
    return AlignedFace(pixels, template_at(FFHQ_512, size, 512), 0.0, size / width, matrix)


__getattr__ = renamed(__name__, {"similarity": "similarity_transform"})
