"""Git commit and state of the checkout that the package runs from; nothing in an installed wheel."""

from __future__ import annotations

import subprocess
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parent
COMMIT, TREE = "source commit", "source tree"
GIT_SECONDS = 20


@cache
def source_state(root: Path = ROOT) -> dict[str, str]:
    """The commit of a git checkout and whether tracked files differ from it, for the provenance of results.

    Args:
        root: top folder of the checkout; the package's own by default.

    Returns:
        ``source commit`` (40 hex digits) and ``source tree`` (``clean`` or ``changed``); empty where ``root``
        is not the top folder of a checkout (as in an installed wheel, also inside another project's
        checkout), where there is no commit yet, or where git is absent.
    """
    top = _git(root, "rev-parse", "--show-toplevel")
    if top is None or Path(top).resolve() != root.resolve():
        return {}
    commit = _git(root, "rev-parse", "--verify", "HEAD")
    changes = _git(root, "status", "--porcelain", "--untracked-files=no")
    if commit is None or changes is None:
        return {}
    return {COMMIT: commit, TREE: "changed" if changes else "clean"}


def _git(root: Path, *words: str) -> str | None:
    """What git prints; None where it fails."""
    try:
        done = subprocess.run(
            ["git", "-C", str(root), *words], capture_output=True, text=True, timeout=GIT_SECONDS
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() if done.returncode == 0 else None
