"""Ranks, ranges of ranks, and groups of models that do not differ significantly."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from ..arrays import Floats


def compact_letters(corrected: Floats, order: Sequence[int], alpha: float = 0.05) -> list[str]:
    """Compact letter display: two models share a letter if and only if they do not differ at ``alpha``.

    By insertion and absorption (Piepho, 2004).

    Args:
        corrected: p values after correction, (models, models); NaN where there is no test, as one at 1.
        order: the models from best to worst; decides which group is ``a``.
        alpha: level of significance.

    Returns:
        The letters of each model, in the order of ``corrected``.
    """
    place = {model: rank for rank, model in enumerate(order)}
    groups = [frozenset(order)] if order else []
    for i, first in enumerate(order):
        for second in order[i + 1 :]:
            if not corrected[first, second] < alpha:
                continue
            split = [group for group in groups if first in group and second in group]
            groups = [group for group in groups if group not in split]
            for group in (half for whole in split for half in (whole - {first}, whole - {second})):
                if not any(group <= other for other in groups):
                    groups = [other for other in groups if not other <= group] + [group]
    groups.sort(key=lambda group: sorted(place[model] for model in group))
    letters = [""] * len(corrected)
    for number, group in enumerate(groups):
        for model in group:
            letters[model] += _letter(number)
    return letters


def _letter(number: int) -> str:
    return chr(ord("a") + number % 26) + ("" if number < 26 else str(number // 26))


def rank_ranges(
    corrected: Floats, means: Floats, higher_is_better: bool, *, alpha: float = 0.05
) -> list[tuple[int, int]]:
    """Best and worst rank of each model that the significant differences allow.

    Args:
        corrected: p values after correction, (models, models).
        means: (models,).
        higher_is_better: the direction.
        alpha: level of significance.
    """
    gain = means[:, None] - means[None, :] if higher_is_better else means[None, :] - means[:, None]
    apart = corrected < alpha
    beaten = (apart & (gain < 0)).sum(axis=1)
    beats = (apart & (gain > 0)).sum(axis=1)
    return [(int(1 + b), int(len(means) - w)) for b, w in zip(beaten, beats, strict=True)]


def competition_ranks(values: Floats, higher_is_better: bool) -> npt.NDArray[np.int64]:
    """Competition ranks, (models,), at full precision: 1 is best, ties share the better rank, NaN gets 0."""
    signed = -values if higher_is_better else values
    found: npt.NDArray[np.int64] = 1 + (signed[None, :] < signed[:, None]).sum(axis=1)
    return np.where(np.isfinite(values), found, 0)
