"""Evaluation modes: the targets of a set with fewer references, or with references of another person.

Runs under modes measure how much a model gains from its references, and what it does when they are wrong. A
mode gives another reference set in memory, with a content hash of its own. Records name the mode, and records
of different modes never share a table.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Annotated, Literal

from pydantic import Field

from ..errors import RefbenchError
from ..files import sha256_json
from .reference_set import ALL_SPLITS, ReferenceSet, content_hash
from .targets import Target, Targets

ALL = "all"
WRONG = "wrong"
ReferenceMode = Literal["all", "wrong"] | Annotated[int, Field(ge=0)]
"""An evaluation mode: all references of a target, at most a number of them, or those of another person."""


def with_references(reference_set: ReferenceSet, mode: str | int, split: str = ALL_SPLITS) -> ReferenceSet:
    """The set under an evaluation mode; ``reference_set`` itself under ``all``.

    Args:
        reference_set: the set.
        mode: ``all``; a number k for the first k references of each target (fewer where there are fewer, none
            for 0); ``wrong`` for as many references of another person of the same split, drawn by identity.
        split: whose targets get wrong references; ``all`` for those of every split.

    Raises:
        RefbenchError: another mode, or a split with a single person under ``wrong``.
    """
    mode = str(mode)
    if mode == ALL:
        return reference_set
    if mode == WRONG:
        targets = Targets.of(_swapped(reference_set.targets, split))
    elif mode.isdecimal():
        targets = reference_set.columns.with_first_references(int(mode))
    else:
        raise RefbenchError(f"the references can be {ALL!r}, {WRONG!r} or a number; got {mode!r}")
    info = reference_set.info.model_copy(update={"content_hash": content_hash(targets)})
    return ReferenceSet(reference_set.root, info, targets)


def _swapped(targets: Sequence[Target], asked_split: str) -> tuple[Target, ...]:
    """Each target with references of the next person of its split, in the order of their hashes."""
    people: dict[str, dict[str, list[str]]] = {}
    for target in targets:
        if target.references and asked_split in (ALL_SPLITS, target.split):
            people.setdefault(target.split, {}).setdefault(target.identity, []).append(target.key)
    next_person: dict[tuple[str, str], list[str]] = {}
    for split, keys in people.items():
        if len(keys) < 2:
            raise RefbenchError(
                f"the split {split} has one person with references; the mode {WRONG!r} needs two people"
            )
        order = sorted(keys, key=lambda identity: sha256_json([split, identity]))
        for index, identity in enumerate(order):
            next_person[split, identity] = sorted(keys[order[(index + 1) % len(order)]])
    swapped = []
    for target in targets:
        if (others := next_person.get((target.split, target.identity))) and target.references:
            wrong = tuple(others[: len(target.references)])
            target = replace(target, references=wrong, reference_distances=(float("nan"),) * len(wrong))
        swapped.append(target)
    return tuple(swapped)
