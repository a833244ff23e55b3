"""Selection of images for the galleries: best, worst and most disputed, from the scores."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..arrays import Floats
from ..tables.board import Table


@dataclass(frozen=True, slots=True)
class Galleries:
    """Keys of the images of each gallery, the most extreme first."""

    best: tuple[str, ...] = ()
    worst: tuple[str, ...] = ()
    disputed: tuple[str, ...] = ()


def choose_galleries(table: Table, count: int = 12) -> Galleries:
    """Choose the images with the best and worst scores, and those with the most disagreement among metrics.

    Best and worst: the mean over models and the composite's protocols of the value in standard deviations
    of that protocol. Disputed: on each protocol the models are ranked for that image alone; the standard
    deviation of a model's rank over the protocols, averaged over models, says how much the metrics
    disagree about who did best.
    """
    ranked = [i for i, row in enumerate(table.rows) if row.rank]
    columns = [c for c in table.columns if c.id in table.composite and c.id in table.values and c.protocol]
    if not ranked or not columns:
        return Galleries()
    scores = []
    for column in columns:
        assert column.protocol is not None
        values = table.values[column.id][:, ranked] * (1.0 if column.protocol.higher_is_better else -1.0)
        spread = np.nanstd(values)
        scores.append((values - np.nanmean(values)) / (spread or 1.0))
    stacked: Floats = np.stack(scores)
    known = np.isfinite(stacked).all(axis=(0, 2))
    keys = np.array(table.keys)[known]
    stacked = stacked[:, known]
    quality = stacked.mean(axis=(0, 2))
    order = np.lexsort((keys, -quality))
    count = min(count, max(1, len(keys) // 3))
    disputed: tuple[str, ...] = ()
    if len(columns) > 1 and len(ranked) > 1:
        places = stacked.argsort(axis=2, kind="stable").argsort(axis=2, kind="stable")
        dispute = places.std(axis=0).mean(axis=1)
        disputed = tuple(str(keys[i]) for i in np.lexsort((keys, -dispute))[:count])
    best = tuple(str(keys[i]) for i in order[:count])
    worst = tuple(str(keys[i]) for i in order[::-1][:count])
    return Galleries(best, worst, disputed)
