"""Perceptual image hash of 256 bits (DCT), nearly unchanged by recompression, resizing and brightness."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
import numpy.typing as npt

from ...errors import RefbenchError
from ...faces.embeddings import Embeddings
from ...images import RGB, luma

SIDE = 64
KEPT = 16
BITS = KEPT * KEPT


def perceptual_hash(pixels: RGB) -> str:
    """DCT hash of a picture: which of its 16 x 16 lowest coefficients exceed their median.

    The grey picture is reduced to 64 x 64 by area averaging, and its mean level is ignored. Aligned faces are
    too similar for the usual 64 bits, hence 256. Two unrelated pictures differ in about 128 bits.

    Args:
        pixels: RGB uint8 (H, W, 3).

    Returns:
        64 hexadecimal digits.

    Source: Zauner, "Implementation and Benchmarking of Perceptual Image Hash Functions", 2010.
    """
    grey = luma(pixels)
    small = cv2.resize(grey, (SIDE, SIDE), interpolation=cv2.INTER_AREA).astype(np.float32)
    low = cv2.dct(small)[:KEPT, :KEPT].ravel()
    low[0] = 0.0
    return np.packbits(low > np.median(low)).tobytes().hex()


def hash_vectors(hashes: Sequence[str]) -> Embeddings:
    """Hashes as unit vectors, (N, 256) float32; cosine distance times 128 is Hamming distance in bits.

    Raises:
        RefbenchError: a hash is not of 64 hexadecimal digits.
    """
    rows = np.empty((len(hashes), BITS), dtype=np.float32)
    for row, text in enumerate(hashes):
        try:
            bits: npt.NDArray[np.uint8] = np.unpackbits(np.frombuffer(bytes.fromhex(text), dtype=np.uint8))
            rows[row] = bits
        except ValueError:
            raise RefbenchError(
                f"a perceptual hash has {BITS // 4} hexadecimal digits; got {text!r}"
            ) from None
    return (rows * 2.0 - 1.0) / np.float32(BITS**0.5)
