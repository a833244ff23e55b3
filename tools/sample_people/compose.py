"""Makes the sample people: ``python -m sample_people.compose LONDON OUT --landmarks FILE``.

Needs dlib (``pip install dlib-bin``) and its 68-point predictor, beside what the package needs. With the same
inputs and the same versions of NumPy, SciPy, OpenCV and dlib the same bytes come out.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import cv2
import numpy as np
from refbench.errors import RefbenchError
from refbench.files import write_bytes
from refbench.images import to_uint8
from refbench.progress import track

from .cast import CAST, Role
from .london import London
from .shots import draw, photograph
from .warp import Image

JPEG_QUALITY = 92


def encode(photo: Image) -> bytes:
    """JPEG of an RGB float32 image in [0, 1]."""
    settings = [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY, cv2.IMWRITE_JPEG_OPTIMIZE, 1]
    done, encoded = cv2.imencode(".jpg", to_uint8(photo.astype(np.float64))[..., ::-1], settings)
    if not done:
        raise RefbenchError(f"OpenCV could not encode a JPEG of shape {photo.shape}")
    return encoded.tobytes()


def photos(london: London, role: Role) -> dict[str, bytes]:
    """The photos of one sample person: file name and JPEG."""
    return {
        f"{role.name}_{kind}.jpg": encode(photograph(london, role, draw(role.name, kind)))
        for kind in role.shots
    }


def main(arguments: list[str] | None = None) -> int:
    """Read the command line, make the photos, return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m sample_people.compose", description=__doc__)
    parser.add_argument(
        "london", type=Path, help="folder of the London set: 001_1.jpg (neutral), 001_2.jpg (smiling) ..."
    )
    parser.add_argument("out", type=Path, help="folder for the photos")
    parser.add_argument(
        "--landmarks", type=Path, required=True, help="dlib's shape_predictor_68_face_landmarks.dat"
    )
    parser.add_argument("--person", action="append", help="make only this one, e.g. 007; may be repeated")
    given = parser.parse_args(arguments)
    roles = [role for role in CAST if given.person is None or role.name in given.person]
    try:
        london = London(given.london, given.landmarks)
        for role in track("sample people", roles, len(roles)):
            for name, data in photos(london, role).items():
                write_bytes(given.out / name, data)
    except RefbenchError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())
