"""Colours of faces: soft masks, bands of detail, and cloning one face into another person's photo."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt
from scipy.interpolate import CubicSpline
from scipy.ndimage import median_filter

from .warp import GRID, Floats, Image, lattice, look_up, magnify

Mask = npt.NDArray[np.float32]

OUTLINE_POINTS = 240


def blur(image: Image, sigma: float) -> Image:
    """Gaussian blur by ``sigma`` pixels, float32 in and out."""
    return np.asarray(cv2.GaussianBlur(image, (0, 0), sigma), dtype=np.float32)


def closed_curve(points: Floats) -> Floats:
    """A smooth closed line through ``points`` (N, 2): `OUTLINE_POINTS` places, evenly spaced along it."""
    ring = np.vstack([points, points[:1]])
    way = np.concatenate([[0.0], np.hypot(*np.diff(ring, axis=0).T).cumsum()])
    spline = CubicSpline(way, ring, bc_type="periodic")
    return np.asarray(spline(np.linspace(0.0, way[-1], OUTLINE_POINTS, endpoint=False)))


def inside(outline: Floats, size: tuple[int, int], feather: float) -> Mask:
    """1 within the closed ``outline`` (N, 2), 0 outside, with a soft edge of about ``feather`` pixels."""
    mask = np.zeros(size, np.float32)
    cv2.fillPoly(mask, [np.rint(outline * 16).astype(np.int32)], 1.0, cv2.LINE_AA, 4)
    return blur(mask, feather)


def around(points: Floats, size: tuple[int, int], margin: int, *, feather: float) -> Mask:
    """The convex hull of ``points`` grown by ``margin`` pixels, with a soft edge; see `inside`."""
    hull = cv2.convexHull(points.astype(np.float32))
    mask = np.zeros(size, np.float32)
    cv2.fillConvexPoly(mask, np.rint(hull * 16).astype(np.int32), 1.0, cv2.LINE_AA, 4)
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * margin + 1, 2 * margin + 1))
    return blur(np.asarray(cv2.dilate(mask, disc)), feather)


def mix(layers: list[Image], shares: list[Mask]) -> Image:
    """Sum of ``layers`` (HWC), each weighted by its share (HW); the shares are made to sum to 1."""
    total = np.sum(shares, axis=0)
    weighted = [layer * (share / total)[..., None] for layer, share in zip(layers, shares, strict=True)]
    return np.asarray(np.sum(weighted, axis=0), dtype=np.float32)


def match_tone(image: Image, like: Image, where: Mask) -> Image:
    """Scale the channels of ``image`` so that their medians within ``where`` equal those of ``like``."""
    chosen = where > 0.5
    gain = np.median(like[chosen], axis=0) / np.median(image[chosen], axis=0)
    return np.asarray(image * gain, dtype=np.float32)


def membrane(values: Floats, outline: Floats, size: tuple[int, int]) -> Image:
    """Spread ``values`` (N, C), given on a closed ``outline`` (N, 2), smoothly over an image.

    Each pixel takes their mean weighted by one over the squared distance: on a circle that is Poisson's
    integral, the harmonic function that seamless cloning asks for (Perez et al. 2003), and close to it
    on a face's outline.
    """
    nodes = lattice(size)
    apart = ((nodes[:, :, None, :] - outline) ** 2).sum(-1)
    weights = 1.0 / (apart + GRID**2)
    spread = weights @ values / weights.sum(-1, keepdims=True)
    return magnify(spread.astype(np.float32), size)


def clone(face: Image, photo: Image, outline: Floats, *, feather: float) -> Image:
    """Set the part of ``face`` within ``outline`` into ``photo``, its colours bent to meet at the seam.

    The difference of the two on the outline, cleared of single hairs by a median, is spread over the face.
    """
    size = (photo.shape[0], photo.shape[1])
    places = outline.astype(np.float32)[:, None, :]
    gap = look_up(blur(photo - face, feather), places)[:, 0]
    steady = median_filter(gap, size=(31, 1), mode="wrap").astype(np.float64)
    alpha = inside(outline, size, feather)
    bent = face + membrane(steady, outline, size)
    return mix([bent, photo], [alpha, 1.0 - alpha])
