"""Reading of plain files only: a folder, a named pipe, a device or a dangling link is never opened."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from ..errors import UnreadableImageError

KINDS = {
    stat.S_IFDIR: "a folder",
    stat.S_IFIFO: "a named pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}


def special_kind(path: Path) -> str:
    """What stands at ``path`` instead of a plain file, such as ``a folder``; empty for a plain file.

    Links are followed; nothing is opened. Where nothing can be known, ``cannot be opened`` and the reason.
    """
    try:
        mode = path.stat().st_mode
    except OSError as error:
        if path.is_symlink():
            return "cannot be opened: the target of this link is absent"
        return f"cannot be opened: {error.strerror or error}"
    return "" if stat.S_ISREG(mode) else KINDS.get(stat.S_IFMT(mode), "a special file")


def read_plain_file(path: Path) -> bytes:
    """The bytes of a plain file.

    Raises:
        UnreadableImageError: a folder, a pipe, a device, a link without a target, or a file that cannot be
            read.
    """
    kind = special_kind(path)
    if kind:
        wrong = kind if kind.startswith("cannot") else f"is {kind}, not a picture file"
        raise UnreadableImageError(path, wrong)
    try:
        with open(path, "rb", opener=_without_waiting) as stream:
            return stream.read()
    except OSError as error:
        raise UnreadableImageError(path, f"cannot be opened: {error.strerror or error}") from None


def _without_waiting(path: str, flags: int) -> int:
    """Open a file without waiting, should a pipe have taken its place in the meantime."""
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))
