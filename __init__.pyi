from . import builders, degradations, faces, leaderboard, metrics, models, records, samples, weights
from .builders.settings.options import BuildOptions
from .degradations.lq.options import DegradeOptions
from .errors import FaultListError, InvalidInputError, RefbenchError, UnreadableImageError
from .evaluate_options import EvaluateOptions
from .leaderboard.site.options import PublishOptions
from .metrics.core.options import ScoreOptions
from .models.restorers.options import RestoreOptions
from .records.card import Card, RestorerCard
from .records.lq_set import LqInfo
from .records.protocol import Protocol
from .records.record import Record
from .records.reference_set import ReferenceSet
from .verbs import build, degrade, evaluate, publish, restore, score, summary, verify_lq
from .version import __version__

__all__ = [
    "BuildOptions",
    "Card",
    "DegradeOptions",
    "EvaluateOptions",
    "FaultListError",
    "InvalidInputError",
    "LqInfo",
    "Protocol",
    "PublishOptions",
    "Record",
    "RefbenchError",
    "ReferenceSet",
    "RestoreOptions",
    "RestorerCard",
    "ScoreOptions",
    "UnreadableImageError",
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
    "samples",
    "score",
    "summary",
    "verify_lq",
    "weights",
]
