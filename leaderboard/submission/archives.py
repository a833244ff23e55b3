"""Archives from strangers: unpacked into one folder, in bounded memory and space, with every fault told."""

from __future__ import annotations

from pathlib import Path

from .faults import FaultBook
from .safe_extract import DAMAGE, UNREADABLE, Limits, Sink, StopError, reason
from .tars import COMPRESSED, TAR_BLOCK, opened, unpack_tar
from .zips import unpack_zip

__all__ = ["Limits", "is_archive", "unpack"]


def is_archive(path: Path) -> bool:
    """True for a file that begins like a zip, or (whatever its compression) like a tar."""
    with path.open("rb") as stream:
        head = stream.read(TAR_BLOCK)
    return head.startswith((b"PK\x03\x04", b"PK\x05\x06", *COMPRESSED)) or head[257:262] == b"ustar"


def unpack(path: Path, root: Path, book: FaultBook, *, limits: Limits) -> None:
    """Unpack the zip or tar ``path`` into the empty folder ``root``; what is wrong goes into ``book``.

    Only plain files are written, only below ``root``, and never more than ``limits`` allow.
    """
    sink = Sink(root, path.stat().st_size, limits, book)
    try:
        with path.open("rb") as stream:
            head = stream.read(4)
            stream.seek(0)
            if head.startswith(b"PK"):
                unpack_zip(stream, sink)
            else:
                unpack_tar(opened(stream), sink)
    except StopError:
        return
    except DAMAGE as error:
        book.add(UNREADABLE, path.name, reason(error))
