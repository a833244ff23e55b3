"""RetinaFace detector (ResNet-50): facexlib's network and decoding, with checked weights and inputs.

Source: Deng et al., "RetinaFace: Single-stage Dense Face Localisation in the Wild", 2020.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from ...errors import RefbenchError
from ...extras import optional
from ...images import RGB
from ..face import Face, check_photo
from ..resize import resize


class RetinaFaceDetector:
    """facexlib's detector as a `face.Detector`.

    Args:
        path: facexlib's file of weights.
        device: where the network runs.
        threshold: smallest score, 0 to 1.
        longest: longer side in pixels to which larger photos are reduced; None for no reduction.

    Raises:
        RefbenchError: the file is damaged or holds another network.
    """

    def __init__(
        self, path: Path, device: str = "cpu", threshold: float = 0.8, *, longest: int | None = 1600
    ) -> None:
        import warnings

        with optional("facexlib", "the detector retinaface"):
            from facexlib.detection.retinaface import RetinaFace

        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)
            self.network = RetinaFace(network_name="resnet50", half=False, device=torch.device(device))
        try:
            loaded = torch.load(path, map_location="cpu", weights_only=True)
            self.network.load_state_dict({name.removeprefix("module."): v for name, v in loaded.items()})
        except Exception as error:
            reason = str(error).strip().partition("\n")[0]
            raise RefbenchError(f"{path} does not fit facexlib's RetinaFace: {reason}") from None
        self.network.eval().requires_grad_(False)
        self.threshold, self.longest = threshold, longest

    def detect(self, photo: RGB) -> list[Face]:
        """All faces of a photo, RGB uint8 (H, W, 3), by falling score.

        Raises:
            RefbenchError: another shape or dtype.
        """
        check_photo(photo)
        height, width = photo.shape[:2]
        shrink = 1.0 if self.longest is None else min(1.0, self.longest / max(height, width))
        small = resize(photo, max(1, round(width * shrink)), max(1, round(height * shrink)))
        ratio = np.array([width / small.shape[1], height / small.shape[0]])
        with torch.no_grad():
            found = self.network.detect_faces(np.ascontiguousarray(small[..., ::-1]), self.threshold)
        faces = []
        for row in np.asarray(found, dtype=np.float64):
            left, top, right, bottom = row[:4] * np.tile(ratio, 2)
            faces.append(Face((left, top, right, bottom), float(row[4]), row[5:].reshape(5, 2) * ratio))
        return sorted(faces, key=lambda face: -face.score)
