"""Geometry of faces: similarity fits, smooth maps between landmarks, one resampling."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt
from scipy.interpolate import RBFInterpolator

Floats = npt.NDArray[np.float64]
Image = npt.NDArray[np.float32]
Map = npt.NDArray[np.float32]

GRID = 6
SLACK = 5.0


def similarity(source: Floats, target: Floats) -> Floats:
    """The (2, 3) turn, scale and shift that brings ``source`` (N, 2) closest to ``target`` (N, 2).

    Least squares without reflection: Umeyama, "Least-squares estimation of transformation parameters
    between two point patterns" (1991), in the plane.
    """
    a, b = source - source.mean(0), target - target.mean(0)
    norm = (a**2).sum()
    cosine = (a * b).sum() / norm
    sine = (a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0]).sum() / norm
    turn = np.array([[cosine, -sine], [sine, cosine]])
    return np.column_stack([turn, target.mean(0) - turn @ source.mean(0)])


def move(matrix: Floats, points: Floats) -> Floats:
    """Move ``points`` (..., 2) by a (2, 3) matrix."""
    return np.asarray(points @ matrix[:, :2].T + matrix[:, 2])


def invert(matrix: Floats) -> Floats:
    """The (2, 3) matrix that undoes ``matrix``."""
    turn = np.linalg.inv(matrix[:, :2])
    return np.column_stack([turn, -turn @ matrix[:, 2]])


def pixels(size: tuple[int, int]) -> Map:
    """The map that changes nothing: x and y of every pixel, (height, width, 2) float32."""
    height, width = size
    x, y = np.meshgrid(np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32))
    return np.stack([x, y], axis=-1)


def lattice(size: tuple[int, int]) -> Floats:
    """Every `GRID`-th place of an image and a little beyond, (rows, columns, 2), for what varies slowly."""
    height, width = size
    return pixels((-(-height // GRID) + 2, -(-width // GRID) + 2)).astype(np.float64) * GRID


def magnify(coarse: Image, size: tuple[int, int]) -> Image:
    """Values on the `lattice` (rows, columns, C) to values on every pixel, linearly."""
    return look_up(coarse, pixels(size) / np.float32(GRID))


def thin_plate(here: Floats, there: Floats, size: tuple[int, int]) -> Map:
    """The smooth map that looks up ``there`` at each of ``here`` (both (N, 2), x and y in pixels).

    A thin-plate spline (Bookstein 1989) meets the points and bends least between them; `SLACK` lets it miss
    by a fraction of a pixel, so that points that fall together (closed lips) do no harm. ``size`` is
    (height, width) of the map, which comes back as (height, width, 2): for each pixel the place to sample.
    """
    nodes = lattice(size)
    spline = RBFInterpolator(here, there, kernel="thin_plate_spline", smoothing=SLACK)
    return magnify(spline(nodes.reshape(-1, 2)).reshape(nodes.shape).astype(np.float32), size)


def look_up(image: Image, places: Map, how: int = cv2.INTER_LINEAR) -> Image:
    """Values of ``image`` (float32, HW or HWC) at ``places`` (h, w, 2); beyond the edges it is mirrored."""
    x, y = places[..., 0], places[..., 1]
    return np.asarray(cv2.remap(image, x, y, how, borderMode=cv2.BORDER_REFLECT_101), dtype=np.float32)
