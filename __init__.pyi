from . import builders, degradations, faces, leaderboard, metrics, models, records
from .verbs import build, degrade, evaluate, publish, restore, score
from .version import __version__

__all__ = [
    "__version__",
    "build",
    "builders",
    "degradations",
    "degrade",
    "evaluate",
    "faces",
    "leaderboard",
    "metrics",
    "models",
    "publish",
    "records",
    "restore",
    "score",
]
