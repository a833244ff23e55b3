"""Face alignment: similarity transforms, antialiased warps, templates."""

from __future__ import annotations

import math

import cv2
import numpy as np
import numpy.typing as npt
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from refbench.errors import RefbenchError
from refbench.faces.align import (
    ARCFACE_112,
    DLIB_150,
    FFHQ_512,
    Border,
    align_face,
    align_to,
    already_aligned,
    outside_share,
    scale_of,
    similarity_transform,
    template_at,
    transform_points,
    warp,
    warp_tensor,
)

angles = st.floats(-math.pi, math.pi)
scales = st.floats(0.05, 20.0)
shifts = st.floats(-2000.0, 2000.0)
Matrix = npt.NDArray[np.float64]
Array = npt.NDArray[np.float64]


def similar(angle: float, scale: float, dx: float, dy: float) -> Matrix:
    c, s = scale * math.cos(angle), scale * math.sin(angle)
    return np.array([[c, -s, dx], [s, c, dy]])


def noise(height: int, width: int, seed: int = 0) -> npt.NDArray[np.uint8]:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


def waves(x: Array, y: Array) -> Array:
    """Levels at any place of a picture without fine detail, so that interpolation hardly matters."""
    waves = [np.sin(x / 23 + y / 41), np.cos(x / 31), np.sin(y / 29 - x / 53)]
    return np.stack(waves, axis=-1) * 90 + 128


def smooth(height: int, width: int, slow: float = 1.0) -> npt.NDArray[np.uint8]:
    y, x = np.mgrid[:height, :width].astype(np.float64)
    return np.rint(waves(x / slow, y / slow)).astype(np.uint8)


@given(angles, scales, shifts, shifts)
def test_a_similarity_is_found_exactly(angle: float, scale: float, dx: float, dy: float) -> None:
    wanted = similar(angle, scale, dx, dy)
    found = similarity_transform(FFHQ_512, transform_points(wanted, FFHQ_512))
    assert np.allclose(found, wanted, rtol=1e-9, atol=1e-8 * (1 + abs(dx) + abs(dy)))
    assert scale_of(found) == pytest.approx(scale)


@given(st.lists(st.tuples(st.floats(-60, 60), st.floats(-60, 60)), min_size=5, max_size=5))
def test_the_residual_is_least_and_never_mirrored(moves: list[tuple[float, float]]) -> None:
    target = ARCFACE_112 + np.array(moves)
    found = similarity_transform(ARCFACE_112, target)
    turn = found[:, :2]
    assert np.linalg.det(turn) >= 0
    assert np.allclose(turn @ turn.T, np.eye(2) * scale_of(found) ** 2, atol=1e-9)

    def residual(matrix: Matrix) -> float:
        return float(((transform_points(matrix, ARCFACE_112) - target) ** 2).sum())

    best = residual(found)
    for angle, scale, dx, dy in (
        (0.01, 1, 0, 0),
        (-0.01, 1, 0, 0),
        (0, 1.01, 0, 0),
        (0, 1, 0.3, 0),
        (0, 1, 0, -0.3),
    ):
        nudge = similar(angle, scale, dx, dy)
        other = np.column_stack([nudge[:, :2] @ turn, nudge[:, :2] @ found[:, 2] + nudge[:, 2]])
        assert residual(other) >= best - 1e-6


@pytest.mark.parametrize(
    "points",
    [np.zeros((5, 2)), np.full((5, 2), 7.0), np.full((5, 2), np.nan), np.zeros((4, 2)), np.zeros((5, 3))],
)
def test_useless_landmarks_are_refused(points: npt.NDArray[np.float64]) -> None:
    with pytest.raises(RefbenchError):
        align_face(noise(64, 64), points)


@pytest.mark.parametrize(
    "photo", [np.zeros((9, 9), np.uint8), np.zeros((9, 9, 4), np.uint8), np.zeros((9, 9, 3))]
)
def test_what_is_no_photo_is_refused(photo: npt.NDArray[np.uint8]) -> None:
    with pytest.raises(RefbenchError, match="RGB uint8"):
        align_face(photo, FFHQ_512)


def test_a_crop_that_is_the_photo_is_the_photo() -> None:
    photo = noise(512, 512)
    face = align_face(photo, FFHQ_512)
    assert np.array_equal(face.pixels, photo)
    assert np.allclose(face.landmarks, FFHQ_512, atol=1e-9)
    assert face.outside == pytest.approx(0.0, abs=1e-6)
    assert face.scale == pytest.approx(1.0)


@given(st.floats(-3.0, 3.0), st.floats(0.08, 3.0), st.floats(100, 400), st.floats(100, 400))
@settings(max_examples=25, deadline=None)
def test_a_warp_shows_what_its_matrix_says(angle: float, scale: float, x: float, y: float) -> None:
    slow = max(1.0, 1.0 / scale)
    photo = smooth(500, 500, slow)
    turn = similar(angle, scale, 0, 0)[:, :2]
    matrix = np.column_stack([turn, np.array([31.5, 31.5]) - turn @ np.array([x, y])])
    crop = warp(photo, matrix, 64).astype(np.float64)
    rows, columns = np.mgrid[:64, :64]
    spots = np.column_stack([columns.ravel(), rows.ravel()]).astype(np.float64)
    source = (spots - matrix[:, 2]) @ np.linalg.inv(turn).T
    margin = 3 + 3 / scale
    inside = ((source > margin) & (source < 499 - margin)).all(axis=1)
    wanted = waves(*(source / slow).T)
    assert np.abs(crop.reshape(-1, 3) - wanted)[inside].max(initial=0.0) < 1.5


@pytest.mark.parametrize("side", [700, 1100, 2000, 4100])
def test_shrinking_does_not_alias(side: int) -> None:
    photo = np.repeat(
        ((np.indices((side, side)).sum(axis=0) % 2) * 255).astype(np.uint8)[..., None], 3, axis=2
    )
    landmarks = template_at(FFHQ_512, side, 512)
    level = align_face(photo, landmarks, 256).pixels[8:-8, 8:-8].astype(np.float64)
    assert abs(level.mean() - 127.5) < 2
    assert level.std() < 12
    bare = cv2.warpAffine(photo, similarity_transform(landmarks, template_at(FFHQ_512, 256, 512)), (256, 256))
    assert bare.astype(np.float64).std() > 2 * level.std()


def test_sizes_show_the_same_thing() -> None:
    photo = smooth(900, 700)
    landmarks = np.array([[280.0, 400.0], [420, 380], [355, 470], [310, 560], [430, 545]])
    large = align_face(photo, landmarks, 512)
    small = align_face(photo, landmarks, 256)
    halved = cv2.resize(large.pixels, (256, 256), interpolation=cv2.INTER_AREA)
    assert np.abs(halved.astype(int) - small.pixels).max() <= 2
    assert np.allclose(small.landmarks, (large.landmarks + 0.5) / 2 - 0.5)


@given(angles, st.floats(0.2, 4.0), st.floats(-200, 400), st.floats(-200, 400))
@settings(max_examples=40, deadline=None)
def test_the_outside_share_is_what_a_mask_says(angle: float, scale: float, x: float, y: float) -> None:
    turn = similar(angle, scale, 0, 0)[:, :2]
    matrix = np.column_stack([turn, np.array([99.5, 99.5]) - turn @ np.array([x, y])])
    rows, columns = np.mgrid[:200, :200]
    spots = np.column_stack([columns.ravel(), rows.ravel()])
    source = (spots - matrix[:, 2]) @ np.linalg.inv(turn).T
    inside = ((source > -0.5) & (source < np.array([179.5, 239.5]))).all(axis=1)
    assert outside_share(matrix, (240, 180, 3), 200) == pytest.approx(1 - inside.mean(), abs=0.012)


def test_borders_are_mirrored_or_black() -> None:
    photo = np.full((300, 300, 3), 200, np.uint8)
    landmarks = (FFHQ_512 / 512 * 300) + np.array([-150.0, 0.0])
    mirrored = align_face(photo, landmarks)
    black = align_to(photo, landmarks, FFHQ_512, size=512, border="black")
    assert mirrored.outside == pytest.approx(0.5, abs=0.01)
    assert mirrored.pixels.min() == 200
    assert (black.pixels == 0).mean() == pytest.approx(0.5, abs=0.02)


@pytest.mark.parametrize("turn", [0.0, 0.7])
@pytest.mark.parametrize("border", ["reflect", "black"])
def test_a_shrunk_crop_beyond_the_border_is_mirrored_at_it(turn: float, border: Border) -> None:
    photo = smooth(1200, 1000)
    inner = similar(turn, 0.11, 0, 0)
    matrix = np.column_stack([inner[:, :2], np.array([63.5, 63.5]) - inner[:, :2] @ np.array([250.0, 900.0])])
    mode = cv2.BORDER_REFLECT if border == "reflect" else cv2.BORDER_CONSTANT
    framed = np.asarray(cv2.copyMakeBorder(photo, 900, 900, 900, 900, mode), np.uint8)
    moved = matrix.copy()
    moved[:, 2] -= matrix[:, :2] @ np.array([900.0, 900.0])
    crop, wanted = warp(photo, matrix, 128, border=border), warp(framed, moved, 128, border=border)
    assert outside_share(matrix, photo.shape, 128) > 0.2
    difference = np.abs(crop.astype(int) - wanted).max(axis=2)
    assert difference.max() <= 2


def test_an_aligned_picture_needs_no_detector() -> None:
    photo = smooth(1024, 1024)
    face = already_aligned(photo)
    assert face.pixels.shape == (512, 512, 3)
    assert np.array_equal(face.landmarks, FFHQ_512)
    assert face.outside == 0.0
    assert np.array_equal(already_aligned(face.pixels).pixels, face.pixels)
    assert np.allclose(transform_points(face.matrix, template_at(FFHQ_512, 1024, 512)), FFHQ_512)
    with pytest.raises(RefbenchError, match="square"):
        already_aligned(photo[:1000])


@pytest.mark.parametrize("template", [FFHQ_512, ARCFACE_112, DLIB_150])
def test_templates_are_upright_and_cannot_be_changed(template: npt.NDArray[np.float64]) -> None:
    left, right, nose, mouth_left, mouth_right = template
    assert left[0] < nose[0] < right[0]
    assert mouth_left[0] < mouth_right[0]
    assert left[1] < nose[1] < mouth_left[1]
    with pytest.raises(ValueError, match="read-only"):
        template[0, 0] = 0.0


def test_the_tensor_warp_agrees_with_the_pixel_warp_and_has_gradients() -> None:
    photo = smooth(512, 512)
    matrices = [similarity_transform(FFHQ_512 + shift, ARCFACE_112) for shift in (0.0, 9.0)]
    images = (
        torch.from_numpy(photo.transpose(2, 0, 1)[None].repeat(2, axis=0)).float().div(255).requires_grad_()
    )
    crops = warp_tensor(images, matrices, 112)
    for crop, matrix in zip(crops, matrices, strict=True):
        wanted = warp(photo, matrix, 112, border="black")
        assert np.abs(crop.detach().numpy().transpose(1, 2, 0) * 255 - wanted).max() < 1.5
    crops.sum().backward()
    assert images.grad is not None
    assert float(images.grad[:, :, 200:400, 200:400].abs().min()) > 0
