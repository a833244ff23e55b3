"""Is one picture another one, stored again: through a lossy format, resized, blurred, shifted, with noise?

A copy is what a small filter makes of its source, plus an error without structure. So the 5x5 filter that
explains the copy best is fitted by least squares, and what it leaves unexplained is looked at in a quarter of
the size, where noise and the errors of JPEG and WebP average out and a change of content does not.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from ...images import RGB

Plane = npt.NDArray[np.float32]
REACH = 2
RIDGE = 2.0
MARGIN = 8
BANDS = 4


@dataclass(frozen=True, slots=True)
class CopyMeasures:
    """How far an output is its source stored again.

    Attributes:
        decibel: PSNR, in a quarter of the size, of what the filter leaves unexplained; at most 100.
        sharpening: how much more the output follows its source in fine bands than in a coarse one; at most
            about 1 for a copy, more after sharpening.
        brought: share of what the source lacks of the truth that came with the output; NaN without a truth.
    """

    decibel: float
    sharpening: float
    brought: float


def luma(pixels: RGB) -> Plane:
    """RGB uint8 HWC as a plane of levels from 0 to 255."""
    return np.asarray(cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY), dtype=np.float32)


def quarter(plane: Plane) -> Plane:
    """A plane in a quarter of its height and width, by area."""
    height, width = plane.shape
    size = (max(1, width // 4), max(1, height // 4))
    return np.asarray(cv2.resize(plane, size, interpolation=cv2.INTER_AREA), dtype=np.float32)


def likeness(output: Plane, source: Plane, truth: Plane | None = None) -> CopyMeasures:
    """Compare two planes of one size, both sides at least 32; see `CopyMeasures`.

    ``brought`` is the mean over three bands of the weight of the truth where each band of the output is
    fitted by those of source and truth.
    """
    left = _inner(output - _explained(output, source))
    own, made = _bands(source), _bands(output)
    slopes = [_slope(a, b) for a, b in zip(own, made, strict=True)]
    sharpening = max(slopes[1:-1]) / max(slopes[-1], 1e-3)
    brought = math.nan
    if truth is not None:
        weights = [_weight(*planes) for planes in zip(own, made, _bands(truth), strict=True)]
        brought = float(np.mean(weights[1:]))
    return CopyMeasures(psnr(quarter(left)), sharpening, brought)


def psnr(error: npt.NDArray[np.floating]) -> float:
    """PSNR of an error in levels of 255; at most 100."""
    mean = float(np.square(error, dtype=np.float64).mean())
    return min(100.0, 10.0 * math.log10(255.0**2 / mean)) if mean else 100.0


def _explained(output: Plane, source: Plane) -> Plane:
    """What the best 5x5 filter makes of ``source``; a ridge draws it to no filter at all."""
    height, width = source.shape
    centred, level = source - source.mean(), float(output.mean())
    spots = [(dy, dx) for dy in range(2 * REACH + 1) for dx in range(2 * REACH + 1)]
    shifted = [
        centred[dy : height - 2 * REACH + dy : 2, dx : width - 2 * REACH + dx : 2].ravel() for dy, dx in spots
    ]
    columns = np.stack(shifted, axis=1)
    wanted = output[REACH : height - REACH : 2, REACH : width - REACH : 2].ravel() - level
    alone = np.zeros(len(spots), np.float32)
    alone[len(spots) // 2] = RIDGE
    squares = columns.T @ columns / len(wanted) + RIDGE * np.eye(len(spots), dtype=np.float32)
    kernel = np.linalg.solve(squares, columns.T @ wanted / len(wanted) + alone)
    shape = (2 * REACH + 1, 2 * REACH + 1)
    filtered = cv2.filter2D(centred, -1, kernel.reshape(shape), borderType=cv2.BORDER_REFLECT_101)
    return np.asarray(filtered + level, dtype=np.float32)


def _inner(plane: Plane) -> Plane:
    margin = min(MARGIN, min(plane.shape) // 8)
    return plane[margin : plane.shape[0] - margin, margin : plane.shape[1] - margin]


def _bands(plane: Plane) -> list[Plane]:
    """The bands of a Laplacian pyramid, finest first (Burt and Adelson, 1983)."""
    bands: list[Plane] = []
    for _ in range(BANDS):
        small = cv2.pyrDown(plane)
        bands.append(np.asarray(plane - cv2.pyrUp(small, dstsize=plane.shape[::-1]), np.float32))
        plane = np.asarray(small, np.float32)
    return bands


def _slope(source: Plane, output: Plane) -> float:
    return float((source * output).sum() / max(float((source * source).sum()), 1e-3))


def _weight(source: Plane, output: Plane, truth: Plane) -> float:
    pair = np.stack([source.ravel(), truth.ravel()]).astype(np.float64)
    squares = pair @ pair.T + 1e-3 * np.eye(2)
    return float(np.linalg.solve(squares, pair @ output.ravel())[1])
