"""Kernels: sums, symmetries, limits."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from refbench.degradations.operations import kernels
from refbench.errors import RefbenchError

sigmas = st.floats(0.0, 20.0)
angles = st.floats(-math.pi, math.pi)


@given(sigmas, sigmas, angles, st.floats(0.3, 4.0))
def test_every_kernel_sums_to_one_and_is_point_symmetric(
    x: float, y: float, angle: float, shape: float
) -> None:
    for kernel in (
        kernels.gaussian(41, x, y, rotation=angle),
        kernels.generalised_gaussian(21, max(x, 0.2), max(y, 0.2), rotation=angle, shape=shape),
        kernels.plateau(21, x, y, rotation=angle, shape=shape),
        kernels.motion(23, 1 + x, angle),
        kernels.defocus(43, x),
        kernels.sinc(21, 0.3 + abs(angle) / 2),
    ):
        assert kernel.sum() == pytest.approx(1.0, abs=1e-12)
        np.testing.assert_allclose(kernel, kernel[::-1, ::-1], atol=1e-12)


@given(st.floats(0.0, 0.05), angles)
def test_a_sigma_near_zero_is_the_identity(sigma: float, angle: float) -> None:
    kernel = kernels.gaussian(41, sigma, sigma, rotation=angle)
    assert kernel[20, 20] == pytest.approx(1.0, abs=1e-15)


@given(st.floats(0.3, 16), st.floats(0.3, 16), angles)
def test_a_quarter_turn_exchanges_the_sigmas(x: float, y: float, angle: float) -> None:
    turned = kernels.gaussian(41, x, y, rotation=angle + math.pi / 2)
    np.testing.assert_allclose(turned, kernels.gaussian(41, y, x, rotation=angle), atol=1e-12)
    np.testing.assert_allclose(np.rot90(turned, -1), kernels.gaussian(41, x, y, rotation=angle), atol=1e-12)


def test_the_longer_sigma_lies_along_the_rotation() -> None:
    kernel = kernels.gaussian(41, 8.0, 1.0, rotation=math.radians(30))
    y, x = (offsets - 20 for offsets in np.indices(kernel.shape))
    covariance = np.array([[(kernel * x * x).sum(), (kernel * x * y).sum()], [0, (kernel * y * y).sum()]])
    direction = 0.5 * math.atan2(2 * covariance[0, 1], covariance[0, 0] - covariance[1, 1])
    assert math.degrees(direction) == pytest.approx(30, abs=0.5)


def test_a_generalised_gaussian_of_shape_one_is_the_gaussian() -> None:
    one = kernels.generalised_gaussian(21, 2.0, 3.0, rotation=0.4, shape=1.0)
    np.testing.assert_allclose(one, kernels.gaussian(21, 2.0, 3.0, rotation=0.4), rtol=1e-12)


def test_sinc_passes_low_frequencies_and_stops_high_ones() -> None:
    spectrum = np.abs(np.fft.fft2(kernels.sinc(41, math.pi / 3), (120, 120)))
    assert spectrum[0, 5] == pytest.approx(1.0, abs=0.1)
    assert spectrum[0, 50] < 0.02


def test_motion_blurs_along_its_angle_only() -> None:
    level = kernels.motion(15, 9.0, 0.0)
    np.testing.assert_allclose(level[7, 3:12], 1 / 9, atol=1e-12)
    assert level.sum(axis=1)[7] == pytest.approx(1.0)
    np.testing.assert_allclose(kernels.motion(15, 9.0, math.pi / 2), level.T, atol=1e-12)


@pytest.mark.parametrize("size", [0, 4, -3])
def test_even_sizes_are_refused(size: int) -> None:
    with pytest.raises(RefbenchError, match="odd"):
        kernels.gaussian(size, 1.0, 1.0)
