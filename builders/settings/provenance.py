"""What a build rests on: networks by hash, packages by version, the distances that go with a recogniser."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import PIL
import torch

from ...errors import RefbenchError
from ...faces.crops import ARCFACE_RGB
from ...faces.detectors.detect import detector_kind
from ...faces.recognisers.recognise import RECOGNISERS, RecogniserKind, own_recogniser
from ...version import __version__
from .options import BuildOptions

NEAR_DUPLICATE = {
    "mobilefacenet": 0.015,
    "dlib-resnet": 0.003,
    "webface-r50": 0.1,
    "webface-r50-five-point": 0.1,
}
"""Cosine distance under which two images are copies of one picture more often than two pictures: for the
official network FFHQ-Ref's, for the embedded ones between recompressed copies and London's pairs."""


def recogniser_of(options: BuildOptions) -> RecogniserKind:
    """The declared recogniser, or one's own by the path of its file.

    Raises:
        RefbenchError: there is neither, or a crop that does not exist or that is not a declared one's.
    """
    declared = RECOGNISERS.get(options.recogniser)
    if declared is None:
        return own_recogniser(Path(options.recogniser), options.crop or ARCFACE_RGB.name)
    if options.crop not in (None, declared.crop.name):
        raise RefbenchError(
            f"{declared.name} is fed the crop {declared.crop.name}, not {options.crop}; a crop is chosen for "
            "a recogniser file of one's own"
        )
    return declared


def weight_versions(options: BuildOptions, kind: RecogniserKind) -> dict[str, str]:
    """Hash of every network file that a build depends on, by name.

    Raises:
        RefbenchError: an unknown detector, or weights that are not there.
    """
    detector = {} if options.aligned else detector_kind(options.detector).digests()
    return detector | kind.digests()


def package_versions() -> dict[str, str]:
    """Versions of the packages that decide the bytes of aligned pictures and embeddings."""
    found = {
        "numpy": np.__version__,
        "opencv": cv2.__version__,
        "pillow": PIL.__version__,
        "refbench": __version__,
        "torch": str(torch.__version__),
    }
    return {f"package:{name}": version for name, version in found.items()}


def settled(options: BuildOptions, kind: RecogniserKind) -> BuildOptions:
    """The options with the detector's own least score and the recogniser's own distances where none is given.

    Raises:
        RefbenchError: the recogniser has no measured threshold and the user gave none.
    """
    averaged = options.identities == "average-linkage"
    own = kind.guarded_threshold if averaged else kind.clustering_threshold
    threshold = own if options.threshold is None else options.threshold
    if np.isnan(threshold):
        raise RefbenchError(f"{kind.name} has no measured threshold; give one (cosine distance, 0 to 2)")
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
