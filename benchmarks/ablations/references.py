"""ReF-LDM, table 5: how many references are given at sampling time.

python benchmarks/ablations/references.py SET --autoencoder AE --start LDM [--references 5]
"""

from __future__ import annotations

from dataclasses import replace

from common import Direction, Variant, run_study
from refbench.models.train_data import Batch
from refbench.models.train_task import Task
from torch import Tensor

COUNTS = (0, 1, 2, 3)


def given(count: int):
    """Restores with the first ``count`` references."""

    def restore(task: Task, batch: Batch) -> Tensor:
        if count:
            return task.restored(replace(batch, references=batch.references[:, :count]))
        empty = replace(batch, references=batch.references * 0)
        loaded = task.restorer()
        loaded.sampling = loaded.sampling.model_copy(update={"references": 0})
        none = [one[:0] for one in empty.references]
        return loaded.restore(batch.lq, none, [g.clone_state() for g in batch.generators])

    return restore


if __name__ == "__main__":
    settings = {"identity": {"weight": 0.0}}
    run_study(
        "Number of references of ReF-LDM",
        "refldm-mini",
        [Variant(f"{count} references", settings, given(count)) for count in COUNTS],
        [Direction(f"{more} references", f"{more - 1} references") for more in COUNTS[1:]],
        "identity similarity grows with every reference, by less each time.",
    )
