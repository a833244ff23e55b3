"""Table of records for people and machines: one row per record, the mean of each protocol over images."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from ...records.record import Record


def summary(records: Sequence[Record]) -> pd.DataFrame:
    """One row per record: recipe, model, the mean of each protocol over its scored images, and set scores.

    The column ``references`` (the evaluation mode) is there only where some record has another than ``all``.
    """
    rows = []
    for record in records:
        info = record.info
        means = record.scores.groupby("protocol")["value"].mean()
        numbers = {id: score.value for id, score in info.set_scores.items()}
        values = {id: means.get(id, numbers.get(id)) for id in info.benchmark.protocols}
        mode = info.benchmark.references
        rows.append({"recipe": info.benchmark.recipe, "references": mode, "model": info.card.model, **values})
    table = pd.DataFrame(rows)
    plain = rows and (table["references"] == "all").all()
    return table.drop(columns="references") if plain else table
