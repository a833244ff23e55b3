"""Faults of checked values in plain words: unknown names with the most similar known one, wrong values."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any, get_args

if TYPE_CHECKING:
    from pydantic import BaseModel

UNION_BRANCHES = ("constrained", "function-", "is-instance", "lax-or-strict", "literal[", "tuple[")
LONGEST_VALUE = 80


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """``; did you mean 'NAME'?`` with the most similar known name; empty where none is similar."""
    close = get_close_matches(name, list(known), n=1)
    return f"; did you mean {close[0]!r}?" if close else ""


def listed_faults(found: Iterable[Any], model: type[BaseModel], noun: str = "option") -> list[str]:
    """What pydantic found wrong, one line per field: what came, what was wanted, what the field means.

    Args:
        found: ``ValidationError.errors()``.
        model: the class whose fields were checked; its fields' descriptions say what they mean.
        noun: what a field is called, for instance ``option`` or ``field``.
    """
    by_name: dict[str, list[Any]] = {}
    for fault in found:
        places = (str(part)[:LONGEST_VALUE] for part in fault["loc"])
        parts = [part for part in places if not part.startswith(UNION_BRANCHES)]
        by_name.setdefault(".".join(parts) or "the whole", []).append(fault)
    return [_fault(name, faults, model, noun=noun) for name, faults in by_name.items()]


def _fault(name: str, faults: Sequence[Any], model: type[BaseModel], *, noun: str) -> str:
    if faults[0]["type"] == "extra_forbidden":
        shown = name if name.isprintable() else repr(name)
        return f"{shown}: no such {noun}{did_you_mean(name, field_paths(model))}"
    if faults[0]["type"] == "missing":
        return f"{name}: is missing{_meaning(name, model)}"
    said = "; or ".join(dict.fromkeys(fault["msg"] for fault in faults))
    got = repr(faults[0]["input"])
    got = got if len(got) <= LONGEST_VALUE else f"{got[: LONGEST_VALUE - 3]}..."
    return f"{name}: {said}; got {got}{_meaning(name, model)}"


def _meaning(name: str, model: type[BaseModel]) -> str:
    field = model.model_fields.get(name)
    return f" ({field.description})" if field and field.description else ""


def field_paths(model: type[BaseModel]) -> Iterator[str]:
    """Names of all fields of a class, those of classes inside it as ``outer.inner``."""
    for name, field in model.model_fields.items():
        yield name
        for inner in (field.annotation, *get_args(field.annotation)):
            if isinstance(inner, type) and hasattr(inner, "model_fields"):
                yield from (f"{name}.{part}" for part in field_paths(inner))
