"""The Face Research Lab London Set as material: its photos with 68 landmarks, moved to one common frame."""

from __future__ import annotations

from functools import cache, lru_cache
from pathlib import Path

import cv2
import numpy as np
from refbench.errors import RefbenchError
from refbench.images import RGB, read_rgb

from .warp import Floats, Image, invert, look_up, move, similarity, thin_plate

NEUTRAL, SMILING = 1, 2
FRAME = 900
PHOTOS_KEPT = 12
EYES = np.array([[375.0, 400.0], [525.0, 400.0]])
_EDGE = np.linspace(0.0, FRAME, 7)
BORDER = np.array([(x, y) for x in _EDGE for y in _EDGE if {x, y} & {0.0, float(FRAME)}])


def eye_centres(landmarks: Floats) -> Floats:
    """Centres of the left and right eye as seen, (2, 2), of 68 landmarks."""
    return np.stack([landmarks[36:42].mean(0), landmarks[42:48].mean(0)])


class London:
    """The set's folder (``NNN_1.jpg`` neutral, ``NNN_2.jpg`` smiling) and dlib's 68-point predictor.

    Raises:
        RefbenchError: dlib, the folder or the predictor's file is missing.
    """

    def __init__(self, folder: Path, predictor: Path) -> None:
        try:
            import dlib
        except ImportError:
            raise RefbenchError("landmarks need dlib; install it with: pip install dlib-bin") from None
        if not predictor.is_file():
            raise RefbenchError(f"{predictor} is not there; it should be dlib's 68-point shape predictor")
        self.people = sorted(path.name[:3] for path in folder.glob(f"[0-9][0-9][0-9]_{NEUTRAL}.jpg"))
        if not self.people:
            raise RefbenchError(
                f"{folder} holds no photos named like 001_{NEUTRAL}.jpg; is it the London set?"
            )
        self.folder = folder
        self._detect = dlib.get_frontal_face_detector()
        self._predict = dlib.shape_predictor(str(predictor))
        self._rectangle = dlib.rectangle
        self.photo = lru_cache(maxsize=PHOTOS_KEPT)(self._photo)
        self.landmarks = cache(self._landmarks)
        self.average = cache(self._average)

    def _photo(self, person: str, expression: int) -> RGB:
        return read_rgb(self.folder / f"{person}_{expression}.jpg")

    def _landmarks(self, person: str, expression: int) -> Floats:
        photo = self.photo(person, expression)
        found = self._detect(np.ascontiguousarray(photo[::2, ::2]), 0)
        if len(found) != 1:
            raise RefbenchError(f"{self.folder / f'{person}_{expression}.jpg'}: {len(found)} faces, not one")
        box = found[0]
        doubled = self._rectangle(2 * box.left(), 2 * box.top(), 2 * box.right(), 2 * box.bottom())
        return np.array([(p.x, p.y) for p in self._predict(photo, doubled).parts()], dtype=np.float64)

    def _average(self) -> Floats:
        return np.asarray(np.mean([self.shape(person, NEUTRAL) for person in self.people], axis=0))

    def _to_frame(self, person: str, expression: int) -> Floats:
        return similarity(eye_centres(self.landmarks(person, expression)), EYES)

    def shape(self, person: str, expression: int) -> Floats:
        """Landmarks (68, 2) in the common frame, where the eyes have fixed places."""
        return move(self._to_frame(person, expression), self.landmarks(person, expression))

    def warped(self, person: str, expression: int, shape: Floats) -> Image:
        """The photo in the common frame with its landmarks pulled to ``shape``: RGB float32 in [0, 1]."""
        there = move(invert(self._to_frame(person, expression)), BORDER)
        places = thin_plate(
            np.vstack([shape, BORDER]), np.vstack([self.landmarks(person, expression), there]), (FRAME, FRAME)
        )
        photo = self.photo(person, expression).astype(np.float32) / np.float32(255.0)
        return look_up(photo, places, cv2.INTER_CUBIC)
