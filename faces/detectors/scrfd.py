"""SCRFD detector of a user's ONNX file, run by insightface and ONNX Runtime.

Source: Guo et al., "Sample and Computation Redistribution for Efficient Face Detection", 2021.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ...errors import RefbenchError
from ...extras import optional
from ...images import RGB
from ...progress import say
from ..face import Face, check_photo


class ScrfdDetector:
    """insightface's detector as a `face.Detector`.

    Args:
        path: an SCRFD file with landmarks, for instance ``det_10g.onnx`` or ``scrfd_10g_bnkps.onnx``.
        device: ``cpu`` or ``cuda``; if ONNX Runtime falls back to the CPU, one line on stderr says so.
        threshold: smallest score, 0 to 1.
        size: side of the square that a photo is fitted into, in pixels; a size fixed in the file takes
            precedence.

    Attributes:
        providers: execution providers that ONNX Runtime uses.

    Raises:
        RefbenchError: no such file, or not a detector with landmarks.
    """

    def __init__(self, path: Path, device: str = "cpu", threshold: float = 0.5, *, size: int = 640) -> None:
        with optional("insightface", "the detector scrfd"):
            from insightface.model_zoo import get_model

        if not path.is_file():
            raise RefbenchError(f"{path}: no such file; name an SCRFD detector (ONNX, with landmarks)")
        wanted = ["CPUExecutionProvider"]
        if device.startswith("cuda"):
            wanted.insert(0, "CUDAExecutionProvider")
        try:
            model = get_model(str(path), providers=wanted)
        except Exception as error:
            reason = str(error).strip().partition("\n")[0]
            raise RefbenchError(f"{path} is not a network that insightface can run: {reason}") from None
        if getattr(model, "taskname", "") != "detection" or not getattr(model, "use_kps", False):
            raise RefbenchError(f"{path} is not an SCRFD detector with landmarks (9 or 15 outputs)")
        self.providers: tuple[str, ...] = tuple(model.session.get_providers())
        if wanted[0] not in self.providers:
            say(f"{path.name}: ONNX Runtime has no {wanted[0]} here and runs on {', '.join(self.providers)}")
        model.prepare(0, det_thresh=threshold, input_size=(size, size))
        self.model = model

    def detect(self, photo: RGB) -> list[Face]:
        """All faces of a photo, RGB uint8 (H, W, 3), by falling score.

        Raises:
            RefbenchError: another shape or dtype.
        """
        check_photo(photo)
        rows, points = self.model.detect(np.ascontiguousarray(photo[..., ::-1]))
        faces = [
            Face((float(row[0]), float(row[1]), float(row[2]), float(row[3])), float(row[4]), five)
            for row, five in zip(rows, np.asarray(points, dtype=np.float64), strict=True)
        ]
        return sorted(faces, key=lambda face: -face.score)
