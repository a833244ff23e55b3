"""Steps per second of mini training in float32 and bfloat16, and where the time of a step goes.

    python benchmarks/training.py [--set SET] [--autoencoder AE] [--steps 12] [--quick] [--json]

The peer is the same step in float32. Data are read, degraded and augmented in the training process itself, so
that they show; a worker (the default of a run) does it meanwhile. Parts of a step are medians. Without
``--set`` faces are made from one picture; without ``--autoencoder`` the bundled one is taken, or a fresh one.
Exit code 1 when data take more than 5 % of a step of the bfloat16 runs; ``--quick`` takes one step of
the LDM at batch 2.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import torch
from inputs import Shot, write_set
from refbench.models.checkpoints import minis
from refbench.models.checkpoints.checkpoints import save_weights
from refbench.models.networks.autoencoder import Autoencoder
from refbench.models.training.config import AnyRun
from refbench.models.training.data import Batches
from refbench.models.training.distributed import Distributed
from refbench.models.training.presets import training_preset
from refbench.models.training.settings import make_config
from refbench.models.training.tasks.registry import make_task
from refbench.models.training.train import TrainingState
from refbench.progress import say
from report import Report, main

GOAL = 0.05
CASES = (
    ("autoencoder", 0.0),
    ("ldm", 0.0),
    ("refldm", 0.0),
    ("refldm", 4.0),
    ("composite-context", 0.0),
)


@dataclass(frozen=True)
class Step:
    """Median seconds of a step and of reading and degrading its data."""

    seconds: float
    data: float


def measure(given: argparse.Namespace, report: Report) -> None:
    """Steps of every kind of run in both precisions."""
    steps, warm = (1, 1) if given.quick else (given.steps, 2)
    batch = 2 if given.quick else 16
    report.workload |= {"steps": steps, "batch": batch, "size": minis.SIZE}
    with tempfile.TemporaryDirectory() as folder:
        place = given.set or make_set(Path(folder) / "set")
        autoencoder = given.autoencoder or bundled_autoencoder(Path(folder))
        for kind, identity in CASES[1:2] if given.quick else CASES:
            name = f"{kind}-mini{', identity loss' if identity else ''}"
            say(name)
            float32, bfloat16 = (
                steps_of(
                    configured(kind, precision, identity, place=place, autoencoder=autoencoder, batch=batch),
                    steps,
                    warm,
                )
                for precision in ("float32", "bfloat16")
            )
            report.add(
                f"{name}: bfloat16 against float32",
                unit="steps/s",
                better="higher",
                ours=1 / bfloat16.seconds,
                peer=1 / float32.seconds,
            )
            report.add(f"{name}: data of a step", unit="ms", ours=1000 * bfloat16.data)
            report.add(
                f"{name}: data's share of a step",
                unit="share",
                ours=bfloat16.data / bfloat16.seconds,
                goal=f"ours <= {GOAL}",
                judged_when_quick=False,
            )


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--set", type=Path, help="reference set of 128-pixel images")
    parser.add_argument("--autoencoder", type=Path, help="weights of an autoencoder-mini run")
    parser.add_argument("--steps", type=int, default=12, help="measured, after two that are not")


def configured(
    kind: str, precision: str, identity: float, *, place: Path, autoencoder: Path, batch: int
) -> AnyRun:
    settings: dict[str, object] = {
        "data": {"reference_set": place, "workers": 0},
        "precision": precision,
        "batch": batch,
        "tensorboard": False,
    }
    if kind != "autoencoder":
        settings |= {"autoencoder": autoencoder, "identity": {"weight": identity}}
    return make_config(training_preset(f"{kind}-mini"), settings)


def steps_of(run: AnyRun, steps: int, warm: int) -> Step:
    task = make_task(run)
    state, alone = TrainingState(task, run), Distributed()
    stream = Batches(
        run.data,
        run.batch,
        task.image_size,
        seed=run.seed,
        with_references=task.needs_references,
    ).since(0)
    data, whole = [], []
    for _ in range(steps + warm):
        start = time.perf_counter()
        batch = next(stream)
        data.append(time.perf_counter() - start)
        state.advance(batch, alone, torch.device("cpu"))
        whole.append(time.perf_counter() - start)
    return Step(statistics.median(whole[warm:]), statistics.median(data[warm:]))


def make_set(root: Path, people: int = 16) -> Path:
    """A set of two pictures of each of ``people``: pieces of one face, turned and coloured by chance."""
    from skimage.data import astronaut

    face = np.ascontiguousarray(np.asarray(astronaut(), np.uint8)[:256, 96:352])
    shots = []
    for person in range(people):
        drawn = np.random.default_rng(person)
        colours = drawn.uniform(0.6, 1.0, 3)
        for number in range(2):
            turn = cv2.getRotationMatrix2D((128, 128), float(drawn.uniform(-10, 10)), 1.1)
            turned = cv2.resize(cv2.warpAffine(face, turn, (256, 256)), (minis.SIZE, minis.SIZE))
            pixels = np.rint(turned * colours).astype(np.uint8)
            shots.append(Shot(f"p{person}_{number}", f"p{person}", pixels, "train"))
    return write_set(root, shots, name="turned").root


def bundled_autoencoder(folder: Path) -> Path:
    path = minis.FOLDER / f"{minis.SHARED}.safetensors"
    if path.is_file():
        return path
    config = make_config(training_preset("autoencoder-mini"), {"data": {"reference_set": folder}}).model
    save_weights(Autoencoder(config), config, folder / path.name)
    return folder / path.name


if __name__ == "__main__":
    sys.exit(main(measure, __doc__, arguments))
