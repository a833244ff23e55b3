"""Landmark distance: displacement of eyes, nose and mouth between restored and HQ image, found by MTCNN."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from ...faces.detectors.detect import load_detector
from ...records.protocol import Protocol
from ..core.feature import Batch, Extractor, Feature, Tensors
from ..core.metric import ImageMetric

DETECTOR = "mtcnn"


def _load(device: torch.device) -> Extractor:
    detector = load_detector(DETECTOR, str(device))

    def extract(batch: Batch) -> Tensors:
        found = np.full((len(batch.photos), 5, 2), np.nan)
        for row, photo in enumerate(batch.photos):
            faces = [face.landmarks for face in detector.detect(photo)]
            if faces:
                known = batch.landmarks[row]
                gaps = [np.abs(points - known).sum() if np.isfinite(known).all() else 0.0 for points in faces]
                found[row] = faces[int(np.argmin(gaps))]
        return (torch.from_numpy(found).to(device).flatten(1),)

    return extract


LANDMARKS = Feature(
    "landmarks-mtcnn",
    ("mtcnn-pnet", "mtcnn-rnet", "mtcnn-onet"),
    _load,
    wide_batch=1,
    vector=True,
    compact=True,
)


def landmark_distance(restored: Tensor, hq: Tensor) -> Tensor:
    """Mean distance of five landmarks (N, 10) in parts of HQ's distance between the eyes, (N,)."""
    a, b = restored.view(-1, 5, 2), hq.view(-1, 5, 2)
    eyes: Tensor = torch.linalg.vector_norm(b[:, 0] - b[:, 1], dim=1)
    gaps: Tensor = torch.linalg.vector_norm(a - b, dim=2)
    return gaps.mean(dim=1) / eyes


METRICS = (
    ImageMetric(
        Protocol(
            id="landmarks/mtcnn-v1",
            title="Landmark distance",
            higher_is_better=False,
            unit="eye distance",
            bounds=(0.0, None),
            compared_with="hq",
            decimals=4,
            weights=LANDMARKS.weights,
            definition="Mean distance of the five landmarks that MTCNN finds in the restored and in the HQ "
            "image, in parts of HQ's distance between the eyes; of several faces the nearest to the set's.",
            licence="MIT (facenet-pytorch)",
            citation="Zhang et al.: Joint Face Detection and Alignment, IEEE SPL 2016",
        ),
        LANDMARKS,
        lambda restored, hq: landmark_distance(restored[0], hq[0]),
        if_nan="no face was found in the restored image, or none in the HQ image",
    ),
)
