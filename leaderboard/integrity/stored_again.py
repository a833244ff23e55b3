"""Detection of re-encoded copies: an image after lossy compression, resizing, blur, a shift or noise.

A copy is a small filter of its source plus an error without structure. The 5x5 filter that explains the copy
best is fitted by least squares; the residual is measured at a quarter of the height and width, where noise
and the errors of JPEG and WebP average out and changes of content do not.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import cv2
import numpy as np
import numpy.typing as npt

from ...images import psnr_of_error

Plane = npt.NDArray[np.float32]
REACH = 2
RIDGE = 2.0
MARGIN = 8
BANDS = 4


@dataclass(frozen=True, slots=True)
class CopyMeasures:
    """How much an output looks like a re-encoded copy of its source.

    Attributes:
        residual_psnr: PSNR of the residual at a quarter of the height and width, in dB; at most 100.
        sharpening: gain of the output over its source in fine bands relative to a coarse one; at most about 1
            for a copy, more after sharpening.
        recovered: share of the difference between HQ and source that the output contains; NaN without HQ.
    """

    residual_psnr: float
    sharpening: float
    recovered: float


def quarter(plane: Plane) -> Plane:
    """A plane at a quarter of its height and width, by area averaging."""
    height, width = plane.shape
    size = (max(1, width // 4), max(1, height // 4))
    return np.asarray(cv2.resize(plane, size, interpolation=cv2.INTER_AREA), dtype=np.float32)


class CopySource:
    """A possible source of copies, and what all comparisons with it share.

    The plane is float32 (H, W) from 0 to 255, with both sides at least 32.
    """

    def __init__(self, plane: Plane) -> None:
        self.plane = plane

    @cached_property
    def bands(self) -> list[Plane]:
        """The bands of a Laplacian pyramid, finest first (Burt and Adelson, 1983)."""
        bands: list[Plane] = []
        plane = self.plane
        for _ in range(BANDS):
            small = cv2.pyrDown(plane)
            bands.append(np.asarray(plane - cv2.pyrUp(small, dstsize=plane.shape[::-1]), np.float32))
            plane = np.asarray(small, np.float32)
        return bands

    @cached_property
    def _centred(self) -> Plane:
        return np.asarray(self.plane - self.plane.mean(), dtype=np.float32)

    @cached_property
    def _columns(self) -> Plane:
        """Every shift of the filter over every second pixel, (25, pixels)."""
        height, width = self.plane.shape
        spots = [(dy, dx) for dy in range(2 * REACH + 1) for dx in range(2 * REACH + 1)]
        return np.stack(
            [
                self._centred[dy : height - 2 * REACH + dy : 2, dx : width - 2 * REACH + dx : 2].ravel()
                for dy, dx in spots
            ]
        )

    @cached_property
    def _squares(self) -> Plane:
        taps, pixels = self._columns.shape
        gram = self._columns @ self._columns.T / pixels
        return np.asarray(gram + RIDGE * np.eye(taps, dtype=np.float32), dtype=np.float32)

    def filtered_like(self, output: Plane) -> Plane:
        """The source after the 5x5 filter that fits ``output`` best, with a ridge towards the identity."""
        height, width = self.plane.shape
        level = float(output.mean())
        wanted = output[REACH : height - REACH : 2, REACH : width - REACH : 2].ravel() - level
        alone = np.zeros(len(self._squares), np.float32)
        alone[len(alone) // 2] = RIDGE
        kernel = np.linalg.solve(self._squares, self._columns @ wanted / len(wanted) + alone)
        shape = (2 * REACH + 1, 2 * REACH + 1)
        filtered = cv2.filter2D(self._centred, -1, kernel.reshape(shape), borderType=cv2.BORDER_REFLECT_101)
        return np.asarray(filtered + level, dtype=np.float32)


def residual_psnr(output: CopySource, source: CopySource) -> float:
    """PSNR, in dB and at most 100, of what a filtered source leaves of an output; see `CopyMeasures`."""
    return psnr(quarter(_inner(output.plane - source.filtered_like(output.plane))))


def sharpening_of(output: CopySource, source: CopySource) -> float:
    """Gain of an output over its source in fine bands relative to a coarse one; see `CopyMeasures`."""
    slopes = [_slope(a, b) for a, b in zip(source.bands, output.bands, strict=True)]
    return max(slopes[1:-1]) / max(slopes[-1], 1e-3)


def recovered_share(output: CopySource, source: CopySource, hq: CopySource) -> float:
    """Share of the difference between HQ and source that an output contains; see `CopyMeasures`.

    The mean over three bands of the weight of HQ where each band of the output is fitted by those of source
    and HQ.
    """
    weights = [_weight(*planes) for planes in zip(source.bands, output.bands, hq.bands, strict=True)]
    return float(np.mean(weights[1:]))


def measure_copy(output: Plane, source: Plane, hq: Plane | None = None) -> CopyMeasures:
    """Measure whether ``output`` is a re-encoded copy of ``source``; see `CopyMeasures`.

    All planes are float32 (H, W) from 0 to 255, of one size, with both sides at least 32.
    """
    made, of = CopySource(output), CopySource(source)
    recovered = math.nan if hq is None else recovered_share(made, of, CopySource(hq))
    return CopyMeasures(residual_psnr(made, of), sharpening_of(made, of), recovered)


def psnr(error: npt.NDArray[np.floating]) -> float:
    """PSNR of an error in levels of 255; at most 100."""
    return min(100.0, psnr_of_error(error))


def _inner(plane: Plane) -> Plane:
    margin = min(MARGIN, min(plane.shape) // 8)
    return plane[margin : plane.shape[0] - margin, margin : plane.shape[1] - margin]


def _slope(source: Plane, output: Plane) -> float:
    return float((source * output).sum() / max(float((source * source).sum()), 1e-3))


def _weight(source: Plane, output: Plane, hq: Plane) -> float:
    pair = np.stack([source.ravel(), hq.ravel()]).astype(np.float64)
    squares = pair @ pair.T + 1e-3 * np.eye(2)
    return float(np.linalg.solve(squares, pair @ output.ravel())[1])
