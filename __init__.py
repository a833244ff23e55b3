"""refbench: datasets, scores and leaderboards for reference-based face restoration.

The five verbs are functions here and commands of the same names and options on the command line:
`build`, `degrade`, `restore`, `score`, `publish`; `evaluate` is restore, check and score. Importing the
package loads nothing heavy.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .verbs import build as build
    from .verbs import degrade as degrade
    from .verbs import evaluate as evaluate
    from .verbs import publish as publish
    from .verbs import restore as restore
    from .verbs import score as score

__version__ = "0.1.0"
__all__ = ["__version__", "build", "degrade", "evaluate", "publish", "restore", "score"]


def __getattr__(name: str) -> Any:
    if name in __all__:
        return getattr(import_module(".verbs", __name__), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
