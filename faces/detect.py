"""Detectors: one declared object each, loaded by name."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from .. import weights
from ..errors import RefbenchError
from .face import Detector as Detector
from .face import Face as Face
from .mtcnn import Mtcnn


@dataclass(frozen=True, slots=True)
class DetectorKind:
    """A detector as declared: its name, the weights it needs (in order), its terms, and how it is made.

    ``make`` takes the files of the weights and the device.
    """

    name: str
    weights: tuple[str, ...]
    licence: str
    citation: str
    make: Callable[[tuple[Path, ...], str], Detector]


def _mtcnn(files: tuple[Path, ...], device: str) -> Detector:
    proposal, refinement, output = files
    return Mtcnn(proposal, refinement, output, device)


MTCNN = DetectorKind(
    name="mtcnn",
    weights=("mtcnn-pnet", "mtcnn-rnet", "mtcnn-onet"),
    licence="MIT (weights of facenet-pytorch)",
    citation="Zhang et al., Joint Face Detection and Alignment using Multi-task Cascaded Networks, 2016",
    make=_mtcnn,
)

DETECTORS: dict[str, DetectorKind] = {kind.name: kind for kind in (MTCNN,)}
DEFAULT_DETECTOR = MTCNN.name


def load_detector(name: str = DEFAULT_DETECTOR, device: str = "cpu") -> Detector:
    """Load a detector by name.

    Raises:
        RefbenchError: no detector of that name, or its weights are not there.
    """
    if name not in DETECTORS:
        raise RefbenchError(f"no detector is called {name!r}; there are: {', '.join(DETECTORS)}")
    kind = DETECTORS[name]
    return kind.make(tuple(weights.path(weight) for weight in kind.weights), device)
