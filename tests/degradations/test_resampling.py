"""Resampling against OpenCV, and its exactness."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from refbench.degradations.operations.resampling import METHODS, taps
from refbench.degradations.operations.resizing import resize
from refbench.errors import InvalidInputError

FLAGS = {"bilinear": cv2.INTER_LINEAR, "area": cv2.INTER_AREA, "bicubic": cv2.INTER_CUBIC}
lengths = st.integers(1, 90)


@given(lengths, lengths, lengths, lengths, st.sampled_from(sorted(FLAGS)))
@settings(max_examples=60)
def test_equals_opencv(height: int, width: int, new_height: int, new_width: int, method: str) -> None:
    if method == "area" and (new_height > height or new_width > width):
        return
    picture = np.random.default_rng(0).uniform(0, 255, (height, width, 3))
    ours = resize(picture, (new_height, new_width), method)
    theirs = cv2.resize(picture, (new_width, new_height), interpolation=FLAGS[method])
    np.testing.assert_allclose(ours, theirs, atol=0.05)


@given(lengths, lengths, st.sampled_from(METHODS))
def test_weights_add_up_and_stay_inside(length: int, count: int, method: str) -> None:
    found = taps(length, count, method)
    np.testing.assert_allclose(found.weights.sum(axis=1), found.total, rtol=1e-12)
    assert found.positions.min() >= 0
    assert found.positions.max() < length


@given(st.integers(2, 64), st.integers(2, 512), st.sampled_from(["bilinear", "area"]))
def test_whole_levels_are_mixed_without_rounding(length: int, count: int, method: str) -> None:
    found = taps(length, count, method)
    assert (found.weights == np.rint(found.weights)).all()
    flat = np.full((length, length, 3), 77.0)
    assert (resize(flat, (count, count), method) == 77.0).all()


def test_area_takes_the_mean_of_what_a_pixel_covers() -> None:
    picture = np.arange(6.0)[None, :, None].repeat(3, axis=2).repeat(6, axis=0)
    np.testing.assert_allclose(resize(picture, (6, 4), "area")[0, :, 0], [1 / 3, 5 / 3, 10 / 3, 14 / 3])
    np.testing.assert_allclose(resize(picture, (6, 12), "area")[0, :4, 0], [0, 0, 1, 1])


def test_nothing_left_is_refused() -> None:
    with pytest.raises(InvalidInputError, match=r"5x4 pixels is too small to be resized to 0x1"):
        resize(np.zeros((4, 5, 3)), (1, 0), "bilinear")
