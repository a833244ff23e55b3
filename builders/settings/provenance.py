"""Provenance of a build: networks by hash, packages by version, and the distances that fit a recogniser."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import PIL
import torch

from ...errors import RefbenchError
from ...faces.crops import ARCFACE_RGB
from ...faces.detectors.detect import detector_kind
from ...faces.recognisers.recognise import RECOGNISERS, RecogniserKind, custom_recogniser
from ...version import __version__
from .options import BuildOptions

NEAR_DUPLICATE = {
    "mobilefacenet": 0.015,
    "dlib-resnet": 0.003,
    "webface-r50": 0.1,
    "webface-r50-five-point": 0.1,
}
"""Cosine distance under which two images are rather copies of one picture than two pictures: FFHQ-Ref's for
its network; for the others between recompressed copies and different photos of the London Set."""


def recogniser_of(options: BuildOptions) -> RecogniserKind:
    """The recogniser of a build: a declared one by name, or one of the user by the path of its file.

    Raises:
        RefbenchError: neither exists, or the crop does not exist or does not fit a declared recogniser.
    """
    declared = RECOGNISERS.get(options.recogniser)
    if declared is None:
        return custom_recogniser(Path(options.recogniser), options.crop or ARCFACE_RGB.name)
    if options.crop not in (None, declared.crop.name):
        raise RefbenchError(
            f"{declared.name} takes the crop {declared.crop.name}, not {options.crop}; the option crop is "
            "for recogniser files of your own"
        )
    return declared


def weight_versions(options: BuildOptions, kind: RecogniserKind) -> dict[str, str]:
    """SHA-256 of every network file that a build depends on, by name.

    Raises:
        RefbenchError: an unknown detector, or missing weights.
    """
    detector = {} if options.aligned else detector_kind(options.detector).digests()
    return detector | kind.digests()


def package_versions() -> dict[str, str]:
    """Versions of the packages that the bytes of aligned pictures and embeddings depend on, by name."""
    found = {
        "numpy": np.__version__,
        "opencv": cv2.__version__,
        "pillow": PIL.__version__,
        "refbench": __version__,
        "torch": str(torch.__version__),
    }
    return {f"package:{name}": version for name, version in found.items()}


def with_defaults(options: BuildOptions, kind: RecogniserKind) -> BuildOptions:
    """The options with the detector's least score and the recogniser's distances where none is given.

    Raises:
        RefbenchError: no threshold is given and the recogniser has no measured one, or ``min_distance`` is
            not under the threshold.
    """
    averaged = options.identities == "average-linkage"
    own = kind.average_linkage_threshold if averaged else kind.clustering_threshold
    threshold = own if options.threshold is None else options.threshold
    if np.isnan(threshold):
        raise RefbenchError(
            f"{kind.name} has no measured threshold; give the option threshold (cosine distance, 0 to 2)"
        )
    nearest = min(NEAR_DUPLICATE.get(kind.name, 0.0), threshold / 2)
    least = nearest if options.min_distance is None else options.min_distance
    if least >= threshold:
        raise RefbenchError(
            f"the least distance of a reference ({least:g}) is not under the threshold ({threshold:g}); "
            "no image would have a reference"
        )
    filters = options.quality_filters
    if filters.min_score is None and not options.aligned:
        filters = filters.model_copy(update={"min_score": detector_kind(options.detector).min_score})
    return options.model_copy(
        update={"threshold": threshold, "min_distance": round(least, 6), "quality_filters": filters}
    )
