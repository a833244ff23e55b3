"""MTCNN face detector: a cascade of three small networks that yields boxes and five landmarks.

Source: Zhang, Zhang, Li and Qiao, "Joint Face Detection and Alignment using Multi-task Cascaded
Convolutional Networks", 2016. The weights are those of facenet-pytorch; networks and cascade are written
here. Boxes inside this module are edges (left, top, right, bottom) in pixels, from 0 to the photo's width.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from ...errors import RefbenchError
from ...images import RGB
from ..align import invert, similarity_transform, transform_points, warp
from ..face import Face, Points, check_photo
from ..resize import pad, resize
from .mtcnn_networks import OutputNetwork, ProposalNetwork, RefinementNetwork, load_network

Floats = npt.NDArray[np.float32]
CELL, STRIDE = 12, 2
MIRROR = [1, 0, 2, 4, 3]
REFINEMENTS = 2
HALF = 0.5  # smaller pyramid levels are resized from the first level if it has at most this scale
LANDMARKS_48 = (
    48 * np.array([[0.332, 0.387], [0.668, 0.387], [0.5, 0.583], [0.350, 0.755], [0.650, 0.755]]) - 0.5
)
"""Mean landmarks of an upright face in the third network's crop of 48 pixels."""


class Mtcnn:
    """The MTCNN detector.

    Args:
        proposal, refinement, output: files of weights.
        device: where the networks run.
        min_size: size of the smallest detected face, in pixels.
        min_share: the same as a share of the photo's shorter side; the larger of both counts.
        thresholds: smallest score after each network, 0 to 1.
        factor: scale between levels of the image pyramid.
    """

    def __init__(
        self,
        proposal: Path,
        refinement: Path,
        output: Path,
        *,
        device: str = "cpu",
        min_size: float = 20.0,
        min_share: float = 0.025,
        thresholds: tuple[float, float, float] = (0.6, 0.7, 0.7),
        factor: float = 0.709,
    ) -> None:
        self.proposal = load_network(ProposalNetwork(), proposal).to(device)
        self.refinement = load_network(RefinementNetwork(), refinement).to(device)
        self.output = load_network(OutputNetwork(), output).to(device)
        self.device = torch.device(device)
        self.min_size, self.min_share = min_size, min_share
        self.thresholds, self.factor = thresholds, factor

    @torch.inference_mode()
    def detect(self, photo: RGB) -> list[Face]:
        """All faces of a photo, RGB uint8 (H, W, 3), by falling score.

        Raises:
            RefbenchError: another shape or dtype.
        """
        check_photo(photo)
        boxes = self._propose(photo)
        boxes = self._refine(photo, boxes)
        return self._finish(photo, boxes)

    def _propose(self, photo: RGB) -> Floats:
        height, width = photo.shape[:2]
        smallest = max(self.min_size, self.min_share * min(height, width))
        found, scores = [], []
        scale = CELL / smallest
        base = photo if scale > HALF else resize(photo, round(width * scale), round(height * scale))
        while min(height, width) * scale >= CELL:
            size = (max(CELL, round(width * scale)), max(CELL, round(height * scale)))
            logits, shifts = self.proposal(self._tensor(resize(base, *size)[None]))
            score = logits[0].softmax(0)[1].cpu().numpy()
            rows, columns = np.nonzero(score >= self.thresholds[0])
            if len(rows):
                corner = np.column_stack([columns, rows, columns, rows]) * STRIDE + [0, 0, CELL, CELL]
                ratio = np.array([width / size[0], height / size[1]] * 2)
                boxes = (corner * ratio).astype(np.float32)
                boxes = refine_boxes(boxes, shifts[0].cpu().numpy()[:, rows, columns].T)
                kept = non_maximum_suppression(boxes, score[rows, columns], 0.5)
                found.append(boxes[kept])
                scores.append(score[rows, columns][kept])
            scale *= self.factor
        if not found:
            return np.zeros((0, 4), np.float32)
        boxes = np.concatenate(found)
        return boxes[non_maximum_suppression(boxes, np.concatenate(scores), 0.7)]

    def _refine(self, photo: RGB, boxes: Floats) -> Floats:
        squares = square_boxes(boxes)
        if not len(squares):
            return squares
        logits, shifts = self.refinement(self._tensor(crop_squares(photo, squares, 24)))
        score = logits.softmax(1)[:, 1].cpu().numpy()
        good = score >= self.thresholds[1]
        refined = refine_boxes(squares[good], shifts.cpu().numpy()[good])
        return refined[non_maximum_suppression(refined, score[good], 0.7)]

    def _finish(self, photo: RGB, boxes: Floats) -> list[Face]:
        squares = square_boxes(boxes)
        if not len(squares):
            return []
        logits, shifts, places = self.output(self._tensor(crop_squares(photo, squares, 48)))
        score = logits.softmax(1)[:, 1].cpu().numpy()
        good = score >= self.thresholds[2]
        squares, score = squares[good], score[good]
        final = refine_boxes(squares, shifts.cpu().numpy()[good])
        sides = (squares[:, 2:] - squares[:, :2])[:, None]
        landmarks = squares[:, None, :2] + _points(places)[good] * sides - 0.5
        kept = non_maximum_suppression(final, score, 0.7, over_smaller=True)
        return [
            Face(
                (left, top, right, bottom),
                float(score[row]),
                self._refined(photo, landmarks[row], right - left),
            )
            for row, (left, top, right, bottom) in zip(kept, (final[kept] - 0.5).tolist(), strict=True)
        ]

    def _refined(self, photo: RGB, landmarks: Points, side: float) -> Points:
        """Refine landmarks (5, 2) by running the third network twice more, on upright crops around them.

        Each pass averages the crop and its mirror image. Landmarks that move by more than a quarter of the
        side of the box are discarded in favour of the first ones.
        """
        points = landmarks
        for _ in range(REFINEMENTS):
            try:
                matrix = similarity_transform(points, LANDMARKS_48)
            except RefbenchError:
                return landmarks
            view = self._tensor(warp(photo, matrix, 48, border="black")[None])
            seen, mirrored = (_points(self.output(one)[2])[0] for one in (view, view.flip(3)))
            mirrored[:, 0] = 1.0 - mirrored[:, 0]
            middle = (seen + mirrored[MIRROR]) / 2.0 * 48 - 0.5
            points = transform_points(invert(matrix), middle)
        return points if np.abs(points - landmarks).max() < side / 4 else landmarks

    def _tensor(self, pixels: RGB) -> Tensor:
        batch = torch.from_numpy(np.ascontiguousarray(pixels)).to(self.device)
        return batch.permute(0, 3, 1, 2).to(torch.float32).sub_(127.5).mul_(1 / 128)


def _points(places: Tensor) -> Points:
    """The third network's landmark output (N, 10) as points (N, 5, 2), as shares of the crop."""
    return places.cpu().numpy().astype(np.float64).reshape(-1, 2, 5).transpose(0, 2, 1)


def refine_boxes(boxes: Floats, shifts: Floats) -> Floats:
    """Bounding box regression: move the edges of boxes (N, 4) by shares (N, 4) of width or height."""
    sides = np.tile(boxes[:, 2:] - boxes[:, :2], 2)
    return (boxes + shifts * sides).astype(np.float32)


def square_boxes(boxes: Floats) -> Floats:
    """Squares of whole pixels around the centres of boxes (N, 4), with the longer side of each box."""
    side = np.maximum(np.rint((boxes[:, 2:] - boxes[:, :2]).max(axis=1, initial=0.0)), 2.0)[:, None]
    corner = np.rint((boxes[:, :2] + boxes[:, 2:] - side) / 2.0)
    return np.concatenate([corner, corner + side], axis=1).astype(np.float32)


def non_maximum_suppression(
    boxes: Floats, scores: Floats, limit: float, *, over_smaller: bool = False
) -> npt.NDArray[np.int64]:
    """Non-maximum suppression: indices of the kept boxes (N, 4), by falling score.

    A box is dropped if its overlap with a better one exceeds ``limit``. Overlap is the intersection over the
    union, or over the area of the smaller box for ``over_smaller``.
    """
    order = np.argsort(-scores, kind="stable")
    left, top, right, bottom = boxes[order].T
    areas = np.maximum(right - left, 0.0) * np.maximum(bottom - top, 0.0)
    alive = np.ones(len(order), dtype=bool)
    kept: list[int] = []
    for place in range(len(order)):
        if not alive[place]:
            continue
        kept.append(int(order[place]))
        width = np.minimum(right[place], right) - np.maximum(left[place], left)
        height = np.minimum(bottom[place], bottom) - np.maximum(top[place], top)
        shared = np.maximum(width, 0.0) * np.maximum(height, 0.0)
        whole = np.minimum(areas[place], areas) if over_smaller else areas[place] + areas - shared
        alive &= shared <= limit * np.maximum(whole, 1e-6)
    return np.array(kept, dtype=np.int64)


def crop_squares(photo: RGB, squares: Floats, size: int) -> RGB:
    """Crop squares of whole pixels, black outside the photo, and resize them: (N, size, size, 3)."""
    return np.stack([resize(_cut(photo, box.astype(int)), size, size) for box in squares])


def _cut(photo: RGB, box: npt.NDArray[np.int_]) -> RGB:
    left, top, right, bottom = box.tolist()
    height, width = photo.shape[:2]
    inner = photo[max(top, 0) : max(bottom, 0), max(left, 0) : max(right, 0)]
    if left >= 0 and top >= 0 and right <= width and bottom <= height:
        return inner
    if 0 in inner.shape:
        return np.zeros((bottom - top, right - left, 3), np.uint8)
    return pad(
        inner,
        top=max(-top, 0),
        bottom=max(bottom - height, 0),
        left=max(-left, 0),
        right=max(right - width, 0),
    )
