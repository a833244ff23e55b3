"""Extraction of an untrusted zip or tar into one folder, with bounded memory and disk use."""

from __future__ import annotations

from pathlib import Path

from .faults import FaultLog
from .safe_extract import (
    READ_ERRORS,
    UNREADABLE,
    ArchiveLimits,
    ExtractionStoppedError,
    SafeExtractor,
    reason,
)
from .tars import COMPRESSED, TAR_BLOCK, decompressed, unpack_tar
from .zips import unpack_zip


def is_archive(path: Path) -> bool:
    """True for a file whose first bytes are those of a zip, a tar, or a compressed tar."""
    with path.open("rb") as stream:
        head = stream.read(TAR_BLOCK)
    return head.startswith((b"PK\x03\x04", b"PK\x05\x06", *COMPRESSED)) or head[257:262] == b"ustar"


def unpack(path: Path, root: Path, faults: FaultLog, *, limits: ArchiveLimits) -> None:
    """Extract the zip or tar ``path`` into the empty folder ``root``; every fault is added to ``faults``.

    Only regular files are written, only below ``root``, and never more than ``limits`` allow. Nothing is
    raised for a damaged or hostile archive: what is wrong is a fault.
    """
    extractor = SafeExtractor(root, path.stat().st_size, limits, faults)
    try:
        with path.open("rb") as stream:
            head = stream.read(4)
            stream.seek(0)
            if head.startswith(b"PK"):
                unpack_zip(stream, extractor)
            else:
                unpack_tar(decompressed(stream), extractor)
    except ExtractionStoppedError:
        return
    except READ_ERRORS as error:
        faults.add(UNREADABLE, path.name, reason(error))
