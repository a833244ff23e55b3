"""Options of the verb `evaluate`: those of `restore`, and those of `score` that it does not share with it."""

from __future__ import annotations

from collections.abc import Sequence
from copy import copy
from pathlib import Path
from typing import Any, Literal

from .metrics.core.options import ProtocolIds, ScoreOptions, ScorePrecision
from .models.restorers.options import RestoreKeywords, RestoreOptions


def _of_score(name: str) -> Any:
    """A field as `ScoreOptions` declares it."""
    return copy(ScoreOptions.model_fields[name])


class EvaluateKeywords(RestoreKeywords, total=False):
    """The fields of `EvaluateOptions` as keyword arguments."""

    protocols: Sequence[str] | str | None
    precision: Literal["float32", "bfloat16"]
    workers: int | None
    allow_missing: bool
    cache: Path | None
    work: Path | None


class EvaluateOptions(RestoreOptions):
    """Options of `evaluate`. ``references`` and ``batch_size`` are those of `restore`.

    Images are scored under the evaluation mode that their card names, with each network's own batch size.
    """

    WHAT = "evaluate options"

    protocols: ProtocolIds = _of_score("protocols")
    precision: ScorePrecision = _of_score("precision")
    workers: int | None = _of_score("workers")
    allow_missing: bool = _of_score("allow_missing")
    cache: Path | None = _of_score("cache")
    work: Path | None = _of_score("work")

    def restoring(self) -> RestoreOptions:
        """The options of the step `restore`."""
        return RestoreOptions(**{name: getattr(self, name) for name in RestoreOptions.model_fields})

    def scoring(self) -> ScoreOptions:
        """The options of the step `score`."""
        own = set(EvaluateOptions.model_fields) - set(RestoreOptions.model_fields)
        return ScoreOptions(**{name: getattr(self, name) for name in (*own, "split", "device")})
