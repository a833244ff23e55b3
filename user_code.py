"""Import of objects from users' Python modules, ``package.module:Name``, also from the working folder."""

from __future__ import annotations

import sys
import sysconfig
import traceback
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
    except Exception as error:
        raise RefbenchError(f"{spec}: importing {module} fails: {explain_error(error)}") from error


def explain_error(error: BaseException) -> str:
    """An error of a user's code in one line: its type, what it says, and the file and line it came from.

    Of several lines of the traceback the innermost one counts that is in no installed package.
    """
    said = (str(error).strip().splitlines() or [""])[0]
    text = f"{type(error).__name__}: {said}" if said else type(error).__name__
    installed = tuple({sysconfig.get_path(name) for name in ("stdlib", "purelib", "platlib")})
    frames = list(traceback.extract_tb(error.__traceback__))
    own = [f for f in frames if not f.filename.startswith((*installed, "<", str(Path(__file__).parent)))]
    if not own:
        return text
    where = own[-1]
    return f"{text} ({where.filename}, line {where.lineno}, in {where.name})"
