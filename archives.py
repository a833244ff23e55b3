"""Extraction of one named file from a zip or tar archive; links are not followed, nothing is run."""

from __future__ import annotations

import shutil
from pathlib import Path, PurePosixPath
from typing import IO

from .errors import InvalidInputError
from .files import CHUNK, replacing


def take_from_zip(archive: Path, member: str, target: Path) -> None:
    """Write ``member`` of a zip file to ``target``, atomically; its CRC is checked.

    Raises:
        InvalidInputError: no such member, or a damaged archive.
    """
    from zipfile import BadZipFile, ZipFile

    try:
        with ZipFile(archive) as opened:
            if member not in opened.namelist():
                raise InvalidInputError(f"{archive.name} has no file {member}")
            with opened.open(member) as stream:
                _pour(stream, target)
    except (BadZipFile, EOFError) as error:
        raise InvalidInputError(f"{archive.name} is damaged ({error})") from error


def take_from_tar(archive: Path, member: str, target: Path) -> None:
    """Write ``member`` of a gzipped tar file to ``target``, atomically.

    Packages have one folder at the top, which ``member`` leaves out. Only a regular file is extracted.

    Raises:
        InvalidInputError: no such member, or a damaged archive.
    """
    import tarfile
    import zlib

    wanted = PurePosixPath(member).parts
    try:
        with tarfile.open(archive, "r:gz") as opened:
            for entry in opened:
                stream = opened.extractfile(entry) if entry.isreg() else None
                if stream is not None and PurePosixPath(entry.name).parts[1:] == wanted:
                    _pour(stream, target)
                    return
    except (tarfile.TarError, EOFError, zlib.error, OSError) as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise
        raise InvalidInputError(f"{archive.name} is damaged ({error})") from error
    raise InvalidInputError(f"{archive.name} has no file {member}")


def _pour(stream: IO[bytes], target: Path) -> None:
    with replacing(target) as partial, partial.open("wb") as out:
        shutil.copyfileobj(stream, out, CHUNK)
