"""Face detection: the declared detectors, loading by name, retries on rotated photos, choice of a face."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from ...deprecated import renamed
from ...errors import RefbenchError
from ...files import StrPath, sha256_file
from ...images import RGB
from ...weights import weight_files
from ..align import FFHQ_512, similarity_transform, transform_points
from ..face import Detector as Detector
from ..face import Face as Face
from ..face import check_photo
from ..resize import pad, resize
from .mtcnn import Mtcnn
from .retinaface import RetinaFaceDetector
from .scrfd import ScrfdDetector

MARGIN = 0.25
LOOK_SIDE = 512
"""Longest side in pixels of the copy on which a photo's four turns are compared."""
WHOLE_MEGAPIXELS = 64.0
"""Size up to which the photo itself is given to the detector."""
MOST_LEAN = 45.0  # degrees
MISFIT_WEIGHT = 0.001
"""Per pixel of misfit. So weighted, MTCNN finds the right turn of all 120 sample photos (72 of 72 turned ones
are right; by the first certain look 59), and of the London Set 204 of 204 at 1024 pixels, 203 at 512."""
LYING = -1.0
"""Merit of a face that is not upright."""


@dataclass(frozen=True, slots=True)
class DetectorKind:
    """A declared detector.

    Attributes:
        name: name in options and on the command line.
        weights: names in the weights table, in the order of the files that ``make`` takes.
        certain: score from which `find_faces` does not try further.
        min_score: default of the smallest score of a face that enters a set.
        licence, citation: of the weights.
        make: (files of the weights, device) → detector.
        path: the user's file, instead of ``weights``.
    """

    name: str
    weights: tuple[str, ...]
    certain: float
    min_score: float
    licence: str
    citation: str
    make: Callable[[tuple[Path, ...], str], Detector]
    path: Path | None = None

    def files(self) -> tuple[Path, ...]:
        """The files that ``make`` takes; raises `RefbenchError` where weights are absent."""
        return (self.path,) if self.path else tuple(weight_files.path(name) for name in self.weights)

    def digests(self) -> dict[str, str]:
        """SHA-256 of each file, by its name in the weights table or its file name."""
        if self.path:
            return {self.path.name: sha256_file(self.path)}
        return {name: weight_files.digest(name) for name in self.weights}


def _mtcnn(files: tuple[Path, ...], device: str) -> Detector:
    proposal, refinement, output = files
    return Mtcnn(proposal, refinement, output, device=device)


def _retinaface(files: tuple[Path, ...], device: str) -> Detector:
    return RetinaFaceDetector(files[0], device)


def _scrfd(files: tuple[Path, ...], device: str) -> Detector:
    return ScrfdDetector(files[0], device)


MTCNN = DetectorKind(
    name="mtcnn",
    weights=("mtcnn-pnet", "mtcnn-rnet", "mtcnn-onet"),
    certain=0.97,
    min_score=0.9,
    licence="MIT (weights of facenet-pytorch)",
    citation="Zhang et al., Joint Face Detection and Alignment using Multi-task Cascaded Networks, 2016",
    make=_mtcnn,
)

RETINAFACE_R50 = DetectorKind(
    name="retinaface-r50",
    weights=("retinaface-r50",),
    certain=0.9,
    min_score=0.9,
    licence="MIT (facexlib)",
    citation="Deng et al., RetinaFace: Single-stage Dense Face Localisation in the Wild, 2020",
    make=_retinaface,
)

DETECTORS: dict[str, DetectorKind] = {kind.name: kind for kind in (MTCNN, RETINAFACE_R50)}
DEFAULT_DETECTOR = MTCNN.name


def custom_detector(path: StrPath) -> DetectorKind:
    """Declare a custom detector: an SCRFD file with landmarks (ONNX), run by insightface.

    Raises:
        RefbenchError: no such file.
    """
    path = Path(path)
    if not path.is_file():
        known = ", ".join(DETECTORS)
        raise RefbenchError(f"no detector is called {str(path)!r} and there is no such file; known: {known}")
    return DetectorKind(
        name=path.name,
        weights=(),
        certain=0.5,
        min_score=0.5,
        licence="unknown",
        citation="Guo et al., Sample and Computation Redistribution for Efficient Face Detection, 2021",
        make=_scrfd,
        path=path,
    )


def detector_kind(which: str) -> DetectorKind:
    """The declared detector of that name, or a custom one by the path of its file.

    Raises:
        RefbenchError: no such name and no such file.
    """
    return DETECTORS.get(which) or custom_detector(Path(which))


def load_detector(which: str | DetectorKind = DEFAULT_DETECTOR, device: str = "cpu") -> Detector:
    """Load a detector by name, by the path of an SCRFD file, or from its declaration.

    Args:
        which: name, path or declaration.
        device: ``cpu`` or ``cuda``.

    Raises:
        RefbenchError: no such detector, or its weights are absent.
    """
    kind = which if isinstance(which, DetectorKind) else detector_kind(which)
    return kind.make(kind.files(), device)


def find_faces(detector: Detector, photo: RGB, certain: float = MTCNN.certain) -> list[Face]:
    """Detect the faces of a photo that may lie on its side or upside down.

    The photo is looked at in its four turns, on a copy of at most `LOOK_SIDE` pixels, and the best look wins:
    the one whose best face has the greatest `face_merit`, for which the eyes must be above the mouth. A
    detector gives a high score to hair, or to a face upside down, now and then, so the first certain look
    does not decide; between a turn that wins on the copy and the photo as it is, the full size does. Where no
    face reaches ``certain``, a black margin is added, for faces cut by the border; where the copy shows no
    face, the photo itself is turned. Photos of more than `WHOLE_MEGAPIXELS` are looked at on a reduced copy
    alone, so that memory stays bounded.

    Args:
        detector: a loaded detector.
        photo: RGB uint8 (H, W, 3).
        certain: score, 0 to 1. (MTCNN gives an upright face 0.97 and more, others less; `DetectorKind`.)

    Returns:
        Faces by falling score, in coordinates of ``photo``; an empty list where there is none.

    Raises:
        RefbenchError: the photo is not RGB uint8 (H, W, 3).
    """
    check_photo(photo)
    whole, whole_scale = _reduced(
        photo, math.sqrt(WHOLE_MEGAPIXELS * 1e6 / (photo.shape[0] * photo.shape[1]))
    )
    straight = detector.detect(whole)
    if not straight or straight[0].score < certain:
        framed = _with_margin(detector, whole)
        if framed and (not straight or framed[0].score > straight[0].score):
            straight = framed
    copy, copy_scale = _reduced(whole, LOOK_SIDE / max(whole.shape[:2]))
    own = straight if copy_scale == 1.0 else detector.detect(copy)
    looks = {0: own} | {quarters: _detect_turned(detector, copy, quarters) for quarters in (1, 3, 2)}
    if copy_scale != 1.0 and all(best_merit(faces) == LYING for faces in looks.values()):
        looks = {0: straight} | {
            quarters: _detect_turned(detector, whole, quarters) for quarters in (1, 3, 2)
        }
        copy, copy_scale = whole, 1.0
    if best_merit(looks[0]) == LYING:
        looks[0] = straight
    winner = max(looks, key=lambda quarters: _rank(looks[quarters]))
    if winner == 0:
        found = straight
    elif copy_scale == 1.0:
        found = _turned_back(looks[winner], winner, whole)
    else:
        found = _turned_back(_detect_turned(detector, whole, winner), winner, whole)
        found = found or [
            _scaled(face, 1.0 / copy_scale) for face in _turned_back(looks[winner], winner, copy)
        ]
    return found if whole_scale == 1.0 else [_scaled(face, 1.0 / whole_scale) for face in found]


def face_merit(face: Face) -> float:
    """How much a detection looks like an upright face: its score less a thousandth of the landmarks' misfit.

    The misfit is the root mean square distance in pixels between the landmarks, moved by the best similarity
    transform, and FFHQ's template of 512 pixels. `LYING` where the face leans by more than 45 degrees.
    """
    try:
        matrix = similarity_transform(face.landmarks, FFHQ_512)
    except RefbenchError:
        return LYING
    if abs(math.degrees(math.atan2(matrix[1, 0], matrix[0, 0]))) > MOST_LEAN:
        return LYING
    gaps = transform_points(matrix, np.asarray(face.landmarks, dtype=np.float64)) - FFHQ_512
    return face.score - MISFIT_WEIGHT * float(np.sqrt((gaps**2).sum(axis=1).mean()))


def best_merit(faces: Sequence[Face]) -> float:
    """The greatest merit of these faces; `LYING` where there is none."""
    return max((face_merit(face) for face in faces), default=LYING)


def choose_face(
    faces: Sequence[Face], photo: RGB, by: Literal["largest", "centre", "certain"] = "largest"
) -> Face:
    """Choose one face of a photo.

    Args:
        faces: faces in ``photo``.
        photo: RGB uint8 (H, W, 3).
        by: ``largest`` box, box nearest to the ``centre``, or highest score (``certain``).

    Raises:
        RefbenchError: ``faces`` is empty.
    """
    if not faces:
        raise RefbenchError("no face was found in the photo, so none can be chosen")
    if by == "largest":
        return max(faces, key=lambda face: (face.size, face.score))
    if by == "certain":
        return max(faces, key=lambda face: (face.score, face.size))
    middle = (photo.shape[1] - 1) / 2, (photo.shape[0] - 1) / 2

    def distance(face: Face) -> float:
        left, top, right, bottom = face.box
        return float(np.hypot((left + right) / 2 - middle[0], (top + bottom) / 2 - middle[1]))

    return min(faces, key=distance)


def _rank(faces: Sequence[Face]) -> tuple[float, float]:
    """What looks are compared by: the best merit, then the best score."""
    return best_merit(faces), faces[0].score if faces else -1.0


def _detect_turned(detector: Detector, photo: RGB, quarters: int) -> list[Face]:
    """Faces of ``np.rot90(photo, quarters)``, in its coordinates."""
    return detector.detect(np.ascontiguousarray(np.rot90(photo, quarters)))


def _turned_back(faces: Sequence[Face], quarters: int, photo: RGB) -> list[Face]:
    return [_rotate_back(face, quarters, photo) for face in faces]


def _reduced(photo: RGB, scale: float) -> tuple[RGB, float]:
    """The photo reduced by area averaging, and its scale; itself and 1.0 for a scale of 1 and more."""
    if scale >= 1.0:
        return photo, 1.0
    height, width = (max(1, round(side * scale)) for side in photo.shape[:2])
    return resize(photo, width, height), scale


def _scaled(face: Face, scale: float) -> Face:
    """A face of a reduced copy in coordinates of the photo."""
    left, top, right, bottom = ((edge + 0.5) * scale - 0.5 for edge in face.box)
    return Face((left, top, right, bottom), face.score, (face.landmarks + 0.5) * scale - 0.5)


def _with_margin(detector: Detector, photo: RGB) -> list[Face]:
    margin = round(MARGIN * max(photo.shape[:2]))
    framed = pad(photo, top=margin, bottom=margin, left=margin, right=margin)
    return [
        Face(_box(face, lambda x, y: (x - margin, y - margin)), face.score, face.landmarks - margin)
        for face in detector.detect(framed)
    ]


def _rotate_back(face: Face, quarters: int, photo: RGB) -> Face:
    """A face found in ``np.rot90(photo, quarters)`` (counterclockwise), in coordinates of ``photo``."""
    height, width = photo.shape[:2]

    def back(x: float, y: float) -> tuple[float, float]:
        match quarters:
            case 1:
                return width - 1 - y, x
            case 2:
                return width - 1 - x, height - 1 - y
            case _:
                return y, height - 1 - x

    landmarks = np.array([back(float(x), float(y)) for x, y in face.landmarks])
    return Face(_box(face, back), face.score, landmarks)


def _box(
    face: Face, move: Callable[[float, float], tuple[float, float]]
) -> tuple[float, float, float, float]:
    left, top, right, bottom = face.box
    (x0, y0), (x1, y1) = move(left, top), move(right, bottom)
    return min(x0, x1), min(y0, y1), max(x0, x1), max(y0, y1)


__getattr__ = renamed(__name__, {"own_detector": "custom_detector"})
