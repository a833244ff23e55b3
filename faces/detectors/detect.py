"""Face detection: the declared detectors, loading by name, retries on rotated photos, choice of a face."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from ...deprecated import renamed
from ...errors import RefbenchError
from ...files import StrPath, sha256_file
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
    """Detect the faces of a photo, with further attempts where no face reaches the score ``certain``.

    The second attempt adds a black margin (for faces cut by the border), the others rotate the photo by 90,
    270 and 180 degrees. The first attempt with a face of at least ``certain`` counts; if there is none, the
    one with the highest score. (MTCNN gives an upright face 0.97 and more, other detectors less; see
    `DetectorKind`.)

    Args:
        detector: a loaded detector.
        photo: RGB uint8 (H, W, 3).
        certain: score, 0 to 1.

    Returns:
        Faces by falling score, in coordinates of ``photo``; an empty list where there is none.

    Raises:
        RefbenchError: the photo is not RGB uint8 (H, W, 3).
    """
    check_photo(photo)
    best: list[Face] = []
    for faces in _attempts(detector, photo):
        if faces and (not best or faces[0].score > best[0].score):
            best = faces
        if best and best[0].score >= certain:
            break
    return best


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


def _attempts(detector: Detector, photo: RGB) -> Iterator[list[Face]]:
    yield detector.detect(photo)
    yield _with_margin(detector, photo)
    for quarters in (1, 3, 2):
        rotated = np.ascontiguousarray(np.rot90(photo, quarters))
        yield [_rotate_back(face, quarters, photo) for face in detector.detect(rotated)]


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
