"""Detectors: one declared object each, loaded by name; and what to do with none, or many, of their faces."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import cv2
import numpy as np

from ...errors import RefbenchError
from ...files import sha256_file
from ...images import RGB
from ...weights import weight_files
from ..face import Detector as Detector
from ..face import Face as Face
from ..face import check_photo
from ..resize import pad
from .mtcnn import Mtcnn
from .retinaface import RetinaFaceDetector
from .scrfd import ScrfdDetector

MARGIN = 0.25


@dataclass(frozen=True, slots=True)
class DetectorKind:
    """A detector as declared.

    Attributes:
        name: as users type it.
        weights: names in the weights table, in the order that ``make`` takes their files.
        certain: score of a face that needs no further look (`find_faces`).
        min_score: least score of a face that may enter a set, where the user names none.
        licence, citation: of the weights.
        make: files of the weights and device → detector.
        path: a file of one's own, instead of ``weights``.
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
        """The files that ``make`` takes; `RefbenchError` where weights are not there."""
        return (self.path,) if self.path else tuple(weight_files.path(name) for name in self.weights)

    def digests(self) -> dict[str, str]:
        """SHA-256 of each file, by its name in the weights table or its own."""
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


def own_detector(path: Path) -> DetectorKind:
    """Declare a detector of one's own: an SCRFD file with landmarks (ONNX), run by insightface.

    Raises:
        RefbenchError: no such file.
    """
    if not path.is_file():
        known = ", ".join(DETECTORS)
        raise RefbenchError(f"no detector is called {str(path)!r} and no such file is there; known: {known}")
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
    """The declared detector of that name, or one's own by the path of its file.

    Raises:
        RefbenchError: there is neither.
    """
    return DETECTORS.get(which) or own_detector(Path(which))


def load_detector(which: str | DetectorKind = DEFAULT_DETECTOR, device: str = "cpu") -> Detector:
    """Load a detector by name, by the path of an SCRFD file, or as declared.

    Raises:
        RefbenchError: no such detector, or its weights are not there.
    """
    kind = which if isinstance(which, DetectorKind) else detector_kind(which)
    return kind.make(kind.files(), device)


def find_faces(detector: Detector, photo: RGB, certain: float = MTCNN.certain) -> list[Face]:
    """The faces of a photo, with more looks where the first finds none that is certain.

    The second look is at the photo with a black margin (a face that the photo's border cuts), the others at
    the photo turned by 90, 270 and 180 degrees (a photo that nobody turned upright). The first look that
    finds a face with a score of at least ``certain`` counts; if none does, the one with the highest score.
    (MTCNN gives an upright face 0.97 and more, other detectors less; see `DetectorKind`.)
    Landmarks and boxes are those in the photo as it came.

    Raises:
        RefbenchError: the photo is not RGB uint8 HWC.
    """
    check_photo(photo)
    best: list[Face] = []
    for faces in _looks(detector, photo):
        if faces and (not best or faces[0].score > best[0].score):
            best = faces
        if best and best[0].score >= certain:
            break
    return best


def choose_face(
    faces: Sequence[Face], photo: RGB, by: Literal["largest", "centre", "certain"] = "largest"
) -> Face:
    """One face of a photo: the largest, the one whose box is nearest to the middle, or the most certain.

    Raises:
        RefbenchError: there is no face to choose from.
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


def _looks(detector: Detector, photo: RGB) -> Iterator[list[Face]]:
    yield detector.detect(photo)
    yield _with_margin(detector, photo)
    for quarters in (1, 3, 2):
        turned = np.ascontiguousarray(np.rot90(photo, quarters))
        yield [_turn_back(face, quarters, photo) for face in detector.detect(turned)]


def _with_margin(detector: Detector, photo: RGB) -> list[Face]:
    margin = round(MARGIN * max(photo.shape[:2]))
    framed = pad(photo, margin, margin, left=margin, right=margin, border=cv2.BORDER_CONSTANT)
    return [
        Face(_box(face, lambda x, y: (x - margin, y - margin)), face.score, face.landmarks - margin)
        for face in detector.detect(framed)
    ]


def _turn_back(face: Face, quarters: int, photo: RGB) -> Face:
    """A face found in ``np.rot90(photo, quarters)`` (counterclockwise), in the photo's own coordinates."""
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
