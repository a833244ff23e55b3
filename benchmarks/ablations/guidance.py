"""Composite context: guidance by 1 to N references, without further training.

python benchmarks/ablations/guidance.py SET --autoencoder AE --start LDM [--references 3]
"""

from __future__ import annotations

from common import Direction, Variant, run_study
from refbench.models.train_data import Batch
from refbench.models.train_task import Task
from torch import Tensor

COUNTS = (1, 2, 3)


def guided(count: int):
    """Restores with the first ``count`` references."""

    def restore(task: Task, batch: Batch) -> Tensor:
        loaded = task.restorer()
        loaded.sampling = loaded.sampling.model_copy(update={"references": count})
        return loaded.restore(batch.lq, list(batch.references), [g.clone_state() for g in batch.generators])

    return restore


if __name__ == "__main__":
    settings = {"identity": {"weight": 0.0}}
    run_study(
        "Guidance by several references",
        "composite-context-mini",
        [Variant(f"{count} references", settings, guided(count)) for count in COUNTS],
        [Direction(f"{count} references", "1 references") for count in COUNTS[1:]],
        "identity similarity to HQ grows with the number of references.",
    )
