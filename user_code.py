"""Import of objects from users' Python modules, ``package.module:Name``, also from the working folder."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any

from .errors import RefbenchError


@contextmanager
def working_folder_importable() -> Iterator[None]:
    """Let modules of the working folder be imported inside the ``with`` block, and not after it.

    ``sys.path`` is afterwards as it was, except for what the imported modules changed themselves.
    """
    folder = str(Path.cwd())
    sys.path.insert(0, folder)
    try:
        yield
    finally:
        if folder in sys.path:
            sys.path.remove(folder)


def import_object(spec: str, fix: str) -> Any:
    """Import the object named by ``package.module:Name``; modules of the working folder are found too.

    Args:
        spec: name of the object.
        fix: end of the error message: how such objects are named.

    Raises:
        RefbenchError: no such module, or no such object in it.
    """
    module, _, name = spec.partition(":")
    try:
        with working_folder_importable():
            return getattr(import_module(module), name)
    except (ImportError, AttributeError, ValueError) as error:
        raise RefbenchError(f"{spec}: {error}; {fix}") from None
