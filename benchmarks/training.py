"""Steps per second of mini training, in float32 and bfloat16, and where the time of a step goes.

    python benchmarks/training.py SET --autoencoder AE [--steps 8]

SET is a reference set of 128-pixel images, AE the weights of an autoencoder-mini run. Data are read, degraded
and augmented in the process itself, so that they show; a worker (the default) hides them. Medians.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import time
from pathlib import Path

import torch
from refbench.models.train import State
from refbench.models.train_data import Batches
from refbench.models.train_presets import preset
from refbench.models.train_settings import make_config
from refbench.models.train_tasks import make_task
from refbench.models.workers import Workers

KINDS = ("autoencoder", "ldm", "refldm", "composite-context")
GOAL = 0.05


def measure(kind: str, precision: str, identity: float, given: argparse.Namespace) -> dict[str, object]:
    """Median seconds of a step of batch 16, and the share of it that reading and degrading take."""
    settings: dict[str, object] = {
        "data": {"reference_set": given.set, "workers": 0},
        "precision": precision,
        "tensorboard": False,
    }
    if kind != "autoencoder":
        settings |= {"autoencoder": given.autoencoder, "identity": {"weight": identity}}
    run = make_config(preset(f"{kind}-mini"), settings)
    task = make_task(run)
    state, workers = State(task, run), Workers()
    stream = Batches(run.data, run.batch, task.image_size, run.seed, workers, task.needs_references).since(0)
    data, whole = [], []
    for _ in range(given.steps + 1):
        start = time.perf_counter()
        batch = next(stream)
        data.append(time.perf_counter() - start)
        state.advance(batch, workers, torch.device("cpu"))
        whole.append(time.perf_counter() - start)
    step, read = statistics.median(whole[1:]), statistics.median(data[1:])
    return {
        "kind": kind,
        "precision": precision,
        "identity loss": identity > 0,
        "seconds a step": round(step, 3),
        "steps a second": round(1 / step, 2),
        "data share": round(read / step, 3),
        "data share with one worker": round(max(0.0, read - (step - read)) / step, 3),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("set", type=Path)
    parser.add_argument("--autoencoder", type=Path, required=True)
    parser.add_argument("--steps", type=int, default=8)
    given = parser.parse_args()
    cases = [(kind, precision, 0.0) for kind in KINDS for precision in ("float32", "bfloat16")]
    cases += [("refldm", "bfloat16", 0.1)]
    rows = [measure(*case, given) for case in cases]
    worst = max(float(str(row["data share"])) for row in rows)
    print(json.dumps({"cores": os.cpu_count(), "threads": torch.get_num_threads(), "rows": rows}, indent=2))
    print(f"data share at most {worst:.1%}; goal {GOAL:.0%}: {'met' if worst <= GOAL else 'missed'}")


if __name__ == "__main__":
    main()
