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
COPY_BITS = 24
COPY_DISTANCE = 0.04
MIRROR_BITS = 40
ODD_COLUMNS = int("55" * (BITS // 8), 16)


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


def mirrored_hash(text: str) -> str:
    """The hash of the mirror image, to within a few bits: its odd horizontal frequencies change sign.

    Args:
        text: a hash of 64 hexadecimal digits.
    """
    return f"{int(text, 16) ^ ODD_COLUMNS:0{BITS // 4}x}"


def are_copies(
    hashes: Sequence[str],
    first: npt.NDArray[np.int64],
    second: npt.NDArray[np.int64],
    *,
    distances: npt.NDArray[np.floating],
) -> npt.NDArray[np.bool_]:
    """Which pairs of aligned faces show one picture: recompressed, cropped a little, filtered or mirrored.

    A pair is one where the hashes differ in at most 24 bits and the embeddings by at most 0.04, or where the
    hash of the mirror image differs in at most 40. Measured with the embedded recogniser on 13 people: copies
    that are made small, cropped a little, filtered and stored at JPEG quality 35 differ from one another in 0
    to 22 bits and 0.004 to 0.039; eight pairs of London photos of one session in 14 to 66 bits and 0.035 to
    0.122, none below both limits; mirror images, once mirrored back, in 2 to 22 bits, other pictures in 54 or
    more.

    Args:
        hashes: of all images; ``""`` where unknown, which is a copy of nothing.
        first, second: rows of each pair, (P,).
        distances: cosine distances of the embeddings, (P,).

    Returns:
        (P,) bool.
    """
    known = np.array([bool(text) for text in hashes], dtype=bool)
    bits = np.zeros((len(hashes), BITS // 8), dtype=np.uint8)
    for row, text in enumerate(hashes):
        if text:
            bits[row] = np.frombuffer(bytes.fromhex(text), dtype=np.uint8)
    differing = bits[first] ^ bits[second]
    straight = np.bitwise_count(differing).sum(axis=1, dtype=np.int64)
    mirrored = np.bitwise_count(differing ^ np.uint8(0x55)).sum(axis=1, dtype=np.int64)
    is_straight = (straight <= COPY_BITS) & (np.asarray(distances) <= COPY_DISTANCE)
    found: npt.NDArray[np.bool_] = (is_straight | (mirrored <= MIRROR_BITS)) & known[first] & known[second]
    return found
