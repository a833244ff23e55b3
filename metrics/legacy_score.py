"""``metrics.score`` of version 0.1: `score_images` and `score_many` with the arguments that they took there.

The scoring programs of Codabench bundles of 0.1 call them. Every other name is that of `scoring.score`.
"""

from __future__ import annotations

import warnings
from importlib import import_module
from typing import Any

from ..records.record import Record
from .catalogue import SUPERSEDED
from .scoring import score

IMAGES = ("reference_set", "split", "recipe", "submission", "card", "protocols")
MANY = ("reference_set", "split", "entries", "protocols")
DEFAULTS = {"references": "all", "device": "cpu"}


def score_images(*given: Any, **named: Any) -> Record:
    """`scoring.score.score_images` with the arguments of 0.1.

    Args:
        given: reference_set, split, recipe, submission, card and protocols, in this order.
        named: those by name, and the options of scoring, of which ``references`` was ``all`` and ``device``
            ``cpu``.

    Raises:
        TypeError: an argument is missing or given twice.
        FaultListError, RefbenchError: as `scoring.score.score_images`.
    """
    _warn("score_images(reference_set, recipe, images, card=card, split=split, protocols=protocols)")
    values = _bound("score_images", IMAGES, 5, given=given, named=named)
    first = (values.pop("reference_set"), values.pop("recipe"), values.pop("submission"))
    return score.score_images(*first, **values)


def score_many(*given: Any, **named: Any) -> list[Record]:
    """`scoring.score.score_many` with the arguments of 0.1.

    Args:
        given: reference_set, split, entries and protocols, in this order.
        named: those by name, and the options of scoring, of which ``references`` was ``all`` and ``device``
            ``cpu``.

    Raises:
        TypeError: an argument is missing or given twice.
        FaultListError, RefbenchError: as `scoring.score.score_many`.
    """
    _warn("score_many(reference_set, entries, split=split, protocols=protocols)")
    values = _bound("score_many", MANY, 3, given=given, named=named)
    return score.score_many(values.pop("reference_set"), values.pop("entries"), **values)


def _bound(
    function: str, names: tuple[str, ...], needed: int, *, given: tuple[Any, ...], named: dict[str, Any]
) -> dict[str, Any]:
    """The arguments of a call by name, with the defaults of 0.1; protocols are those of that version."""
    values = dict(zip(names, given, strict=False))
    missing = [name for name in names[:needed] if name not in values and name not in named]
    if len(given) > len(names) or values.keys() & named.keys() or missing:
        raise TypeError(f"{function}() of version 0.1 takes {', '.join(names)}; missing: {missing or 'none'}")
    bound: dict[str, Any] = {**DEFAULTS, **values, **named}
    if asked := bound.get("protocols"):
        ids = [asked] if isinstance(asked, str) else asked
        bound["protocols"] = [SUPERSEDED[id].protocol.scored_as if id in SUPERSEDED else id for id in ids]
    return bound


def _warn(call: str) -> None:
    warnings.warn(
        f"the arguments of 0.1 go with 0.3; call refbench.metrics.{call}", DeprecationWarning, stacklevel=3
    )


def __getattr__(name: str) -> Any:
    """Everything else that ``metrics.score`` held in 0.1."""
    return getattr(import_module(score.__name__), name)
