"""Steps per second of mini training in float32 and bfloat16, and where the time of a step goes.

    python benchmarks/training.py [--set SET] [--autoencoder AE] [--steps 12] [--quick] [--json]

The peer is the same step in float32. Data are read, degraded and augmented in the training process itself, so
that they show; a worker (the default of a run) does it meanwhile. Parts of a step are medians. Without
``--set`` faces are made from one picture; without ``--autoencoder`` the bundled one is taken, or a fresh one.
Exit code 1 when data take more than 5 % of a step of the bfloat16 runs; ``--quick`` takes fewer steps.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import cv2
import numpy as np
import torch
from refbench.files import sha256_file
from refbench.images import write_png
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
from refbench.records.reference_set import ReferenceSet, SetInfo, Target, content_hash

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


@dataclass(frozen=True)
class Row:
    """One kind of run: the peer, ours, and where the time goes."""

    kind: str
    identity_loss: bool
    float32: Step
    bfloat16: Step

    @property
    def ratio(self) -> float:
        """How many times faster bfloat16 is."""
        return self.float32.seconds / self.bfloat16.seconds

    @property
    def data_share(self) -> float:
        """Share of a bfloat16 step that reading, degrading and augmenting take."""
        return self.bfloat16.data / self.bfloat16.seconds


def main() -> int:
    given = read_options()
    steps = 3 if given.quick else given.steps
    with tempfile.TemporaryDirectory() as folder:
        place = given.set or make_set(Path(folder) / "set")
        autoencoder = given.autoencoder or bundled_autoencoder(Path(folder))
        rows = []
        for kind, identity in CASES:
            say(f"{kind}{', identity loss' if identity else ''}")
            float32, bfloat16 = (
                measure(configured(kind, precision, identity, place=place, autoencoder=autoencoder), steps)
                for precision in ("float32", "bfloat16")
            )
            rows.append(Row(kind, identity > 0, float32, bfloat16))
    short = [row.kind for row in rows if row.data_share > GOAL]
    if given.json:
        told = [asdict(row) | {"ratio": row.ratio, "data share": row.data_share} for row in rows]
        facts = {"cores": os.cpu_count(), "threads": torch.get_num_threads(), "goal": GOAL}
        print(json.dumps(facts | {"rows": told, "short": short}, indent=2))
    else:
        print_table(rows, short)
    return 1 if short else 0


def read_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--set", type=Path, help="reference set of 128-pixel images")
    parser.add_argument("--autoencoder", type=Path, help="weights of an autoencoder-mini run")
    parser.add_argument("--steps", type=int, default=12, help="measured, after two that are not")
    parser.add_argument("--quick", action="store_true", help="three steps of each")
    parser.add_argument("--json", action="store_true", help="print JSON")
    return parser.parse_args()


def configured(kind: str, precision: str, identity: float, *, place: Path, autoencoder: Path) -> AnyRun:
    settings: dict[str, object] = {
        "data": {"reference_set": place, "workers": 0},
        "precision": precision,
        "tensorboard": False,
    }
    if kind != "autoencoder":
        settings |= {"autoencoder": autoencoder, "identity": {"weight": identity}}
    return make_config(training_preset(f"{kind}-mini"), settings)


def measure(run: AnyRun, steps: int) -> Step:
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
    for _ in range(steps + 2):
        start = time.perf_counter()
        batch = next(stream)
        data.append(time.perf_counter() - start)
        state.advance(batch, alone, torch.device("cpu"))
        whole.append(time.perf_counter() - start)
    return Step(statistics.median(whole[2:]), statistics.median(data[2:]))


def print_table(rows: list[Row], short: list[str]) -> None:
    print(f"{os.cpu_count()} cores, {torch.get_num_threads()} threads, batch 16, 128 pixels\n")
    print("| run | float32 (peer), steps/s | bfloat16, steps/s | ratio | data, ms | share | goal | met |")
    print("| --- | --- | --- | --- | --- | --- | --- | --- |")
    for row in rows:
        name = f"{row.kind}-mini{', identity loss' if row.identity_loss else ''}"
        rates = f"{1 / row.float32.seconds:.2f} | {1 / row.bfloat16.seconds:.2f} | {row.ratio:.2f}"
        met = "yes" if row.data_share <= GOAL else "no"
        data = f"{1000 * row.bfloat16.data:.0f} | {row.data_share:.1%} | {GOAL:.0%} | {met}"
        print(f"| {name} | {rates} | {data} |")
    print(f"\ndata share: {'missed by ' + ', '.join(short) if short else 'met'}")


def make_set(root: Path, people: int = 16) -> Path:
    """A set of two pictures of each of ``people``: pieces of one face, turned and coloured by chance."""
    from skimage.data import astronaut

    face = np.ascontiguousarray(np.asarray(astronaut(), np.uint8)[:256, 96:352])
    targets = []
    for person in range(people):
        drawn = np.random.default_rng(person)
        colours = drawn.uniform(0.6, 1.0, 3)
        for number in range(2):
            key = f"p{person}_{number}"
            path = root / "images" / f"{key}.png"
            turn = cv2.getRotationMatrix2D((128, 128), float(drawn.uniform(-10, 10)), 1.1)
            turned = cv2.resize(cv2.warpAffine(face, turn, (256, 256)), (minis.SIZE, minis.SIZE))
            write_png(path, np.rint(turned * colours).astype(np.uint8))
            targets.append(
                Target(
                    key=key,
                    identity=f"p{person}",
                    split="train",
                    hq=f"images/{key}.png",
                    hq_sha256=sha256_file(path),
                    width=minis.SIZE,
                    height=minis.SIZE,
                    references=(f"p{person}_{1 - number}",),
                    reference_distances=(0.1,),
                    landmarks=((1.0, 1.0),) * 5,
                )
            )
    info = SetInfo(
        name="turned",
        content_hash=content_hash(targets),
        image_size=minis.SIZE,
        settings={},
        versions={},
        counts={},
    )
    ReferenceSet(root, info, tuple(targets)).write()
    return root


def bundled_autoencoder(folder: Path) -> Path:
    path = minis.FOLDER / f"{minis.SHARED}.safetensors"
    if path.is_file():
        return path
    config = make_config(training_preset("autoencoder-mini"), {"data": {"reference_set": folder}}).model
    save_weights(Autoencoder(config), config, folder / path.name)
    return folder / path.name


if __name__ == "__main__":
    sys.exit(main())
