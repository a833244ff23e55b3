"""Decoding of HQ images, which must match the set's hashes, and of submitted images, which may be faulty."""

from __future__ import annotations

from ...errors import InvalidInputError, UnreadableImageError
from ...files import sha256_bytes
from ...images import RGB, decode, decode_stored, read_plain_file, read_rgb
from ...records.reference_set import ReferenceSet, Target
from .pairing import Paired

Decoded = RGB | str
"""The pixels of an image, or the reason why there are none."""


def read_hq(reference_set: ReferenceSet, target: Target) -> RGB:
    """Decode a HQ image after checking its hash.

    Raises:
        UnreadableImageError: the file cannot be opened or decoded.
        InvalidInputError: the file is not the one that the set was built with.
    """
    path = reference_set.hq_path(target.key)
    data = read_plain_file(path)
    if sha256_bytes(data) != target.hq_sha256:
        raise InvalidInputError(
            f"{path}: changed since the set was built (its hash differs); build the set again"
        )
    return decode(data, path).pixels


def read_submitted(pair: Paired) -> Decoded:
    """The pixels of a submitted image, or the reason why it cannot be scored."""
    if pair.path is None or pair.reason:
        return pair.reason
    try:
        if pair.as_stored:
            return decode_stored(read_plain_file(pair.path), pair.path).pixels
        return read_rgb(pair.path)
    except UnreadableImageError as error:
        return error.reason
