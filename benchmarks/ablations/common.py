"""Ablation studies in miniature: variants of a mini model are trained for a few steps, scored and compared.

All variants get the same batches, noise and initial weights (those of a mini model of the package by
default). Runs are short; half of the references in training are the target itself, augmented, so that models
learn to use references quickly. Scores are of one image per person of the test split, by a recogniser that
was not used in training, with 95 % intervals by identity. A published direction counts as reproduced only if
the interval of the paired difference excludes zero.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch
from refbench.degradations.training.augment import Augmentation
from refbench.faces.recognisers.recognise import load_recogniser
from refbench.leaderboard.statistics.statistics import means_with_intervals, paired_difference
from refbench.metrics.protocols.identity import cosine
from refbench.metrics.protocols.lpips import load_lpips
from refbench.models.checkpoints.minis import FOLDER, SHARED, SIZE, STEPS
from refbench.models.networks.face_embedder import aligned_embedder
from refbench.models.training.config import AnyRun
from refbench.models.training.data import Batch, Batches
from refbench.models.training.ema import Ema
from refbench.models.training.presets import training_preset
from refbench.models.training.settings import make_config
from refbench.models.training.tasks.registry import make_task
from refbench.models.training.tasks.task import Task
from refbench.progress import progress
from refbench.records.reference_set import ReferenceSet, Target, content_hash
from torch import Tensor

sys.path.append(str(Path(__file__).resolve().parents[1]))

from inputs import sample_set
from report import Report, main

Restore = Callable[[Task, Batch], Tensor]
Scores = Mapping[str, np.ndarray]

FEWEST_PEOPLE = 10
RECIPE, EVALUATION_RECOGNISER = "refldm-severe-128", "mobilefacenet"
NO_AUGMENTATION = Augmentation(
    colour=0, hue=0, degrees=0, shift=0, scale=(1, 1), perspective_probability=0, mirror_probability=0
)
TARGET_AS_REFERENCE = 0.5


@dataclass(frozen=True)
class Variant:
    """One row: what differs in training, how images are sampled, and which networks.

    Attributes:
        name: name of the row.
        settings: training settings that override the preset's; equal settings are trained once.
        restore: restores a batch with the trained task; None for `sample_images`.
        make: the task of a configuration, where it is not one of the package's.
    """

    name: str
    settings: Mapping[str, Any] = field(default_factory=dict)
    restore: Restore | None = None
    make: Callable[[AnyRun], Task] = make_task


@dataclass(frozen=True)
class Direction:
    """A published result: ``better`` beats ``worse`` by ``measure`` (``ids`` or ``lpips``)."""

    better: str
    worse: str
    measure: str = "ids"


@dataclass(frozen=True)
class Study:
    """One question of a paper.

    Attributes:
        title: title of the table.
        preset: training preset of the runs.
        variants: rows.
        published: directions reported in the paper.
        finding: the paper's finding in words.
        steps: training steps by default; 0 evaluates the initial weights.
        start: mini model with the initial weights, by default.
    """

    title: str
    preset: str
    variants: Sequence[Variant]
    published: Sequence[Direction]
    finding: str
    steps: int = 200
    start: str = "ldm"


def run_study(study: Study) -> None:
    """Run the study as a benchmark: parse the command line, train, score, print; exits."""

    def measure(given: argparse.Namespace, report: Report) -> None:
        report.benchmark = f"ablations/{Path(sys.argv[0]).stem}"
        if given.quick:
            given.steps, given.batch, given.images = min(given.steps, 1), 2, min(given.images, 4)
        with TemporaryDirectory() as scratch:
            given.set = given.set or _sample_people(Path(scratch), 6 if given.quick else 40)
            _measure(study, given, report)

    raise SystemExit(
        main(measure, f"{study.title}\n\nPublished: {study.finding}", partial(_arguments, study))
    )


def _measure(study: Study, given: argparse.Namespace, report: Report) -> None:
    base = {
        "data": {
            "reference_set": given.set,
            "workers": 0,
            "target_as_reference": TARGET_AS_REFERENCE,
        },
        "autoencoder": given.autoencoder,
        "start": given.start,
        "steps": max(1, given.steps),
        "batch": given.batch,
        "seed": given.seed,
        "tensorboard": False,
        "optimiser": {"warmup": min(50, given.steps // 4)},
    }
    shared = make_config(training_preset(study.preset), base)
    place = ReferenceSet.read(given.set)
    targets = _one_per_person(place, given.split, given.least)[: given.images]
    if len(targets) < 2:
        raise SystemExit(
            f"{len(targets)} people in {given.split} have {given.least} references; two are needed"
        )
    test = {
        "split": given.split,
        "references": given.references,
        "recipe": RECIPE,
        "target_as_reference": 0.0,
    }
    data = shared.data.model_copy(update={**test, "augmentation": NO_AUGMENTATION})
    batch = Batches(data, 1, SIZE, seed=given.seed).of([target.key for target in targets])
    trained: dict[str, Task] = {}
    scores: dict[str, Scores] = {}
    for variant in study.variants:
        run = make_config(training_preset(study.preset), base, variant.settings)
        name = f"{run.model_dump_json()} {variant.make}"
        if name not in trained:
            trained.clear()
            trained[name] = _trained(variant, run, given.steps)
        scores[variant.name] = score((variant.restore or sample_images)(trained[name], batch), batch.hq)
    people = np.array([target.identity for target in targets])
    report.workload |= {"set": place.info.name, "people": len(people), "steps": given.steps}
    report.workload |= {"batch": given.batch, "published": study.finding}
    add_rows(report, study, scores, people=people)


def sample_images(task: Task, batch: Batch, references: int = 1) -> Tensor:
    """Restore a batch with the sampling settings of the mini models and at most ``references`` references."""
    loaded = task.restorer()
    loaded.sampling = loaded.sampling.model_copy(update={"steps": STEPS, "references": references})
    some = [own[:references] for own in batch.references]
    return loaded.restore(batch.lq, some, [g.clone_state() for g in batch.generators])


def score(restored: Tensor, hq: Tensor) -> Scores:
    """Identity similarity and LPIPS (AlexNet) of each image."""
    embed, lpips = (
        aligned_embedder(load_recogniser(EVALUATION_RECOGNISER)),
        load_lpips("alex", torch.device("cpu")),
    )
    with torch.inference_mode():
        pairs = list(zip(restored.clamp(0, 1), hq, strict=True))
        ids = [float(cosine(embed(a[None]), embed(b[None]))) for a, b in pairs]
        distances = [float(lpips(a[None], b[None], normalize=True)) for a, b in pairs]
    return {"ids": np.array(ids), "lpips": np.array(distances)}


def add_rows(report: Report, study: Study, scores: Mapping[str, Scores], *, people: np.ndarray) -> None:
    """Add the mean scores of each variant, and the difference for each published direction.

    A published direction is no goal of ours: no row is judged.
    """
    for name, found in scores.items():
        for measure, values in found.items():
            mean = means_with_intervals(values[:, None], people)
            bounds = f"({mean.low[0]:.4f} to {mean.high[0]:.4f})"
            report.add(f"{name}: {measure}", unit=bounds, ours=float(mean.mean[0]))
    for direction in study.published:
        sign = -1 if direction.measure == "lpips" else 1
        better, worse = (sign * scores[n][direction.measure] for n in (direction.better, direction.worse))
        gap = paired_difference(better, worse, people)
        seen = "reproduced" if gap.low > 0 else "the opposite" if gap.high < 0 else "not reproduced"
        if gap.identities < FEWEST_PEOPLE:
            seen = f"{gap.identities} people are too few"
        name = f"{direction.better} beats {direction.worse} by {direction.measure}: {seen}"
        report.add(name, unit=f"({gap.low:+.4f} to {gap.high:+.4f})", ours=float(gap.mean))


def _sample_people(folder: Path, people: int) -> Path:
    """A set of the sample people, every other one in train."""
    place = sample_set(folder, people, size=SIZE, aligned=True)
    order = sorted({target.identity for target in place.targets})
    split = {person: ("test", "train")[number % 2] for number, person in enumerate(order)}
    targets = tuple(replace(target, split=split[target.identity]) for target in place.targets)
    info = place.info.model_copy(update={"content_hash": content_hash(targets)})
    ReferenceSet(place.root, info, targets).write()
    return place.root


def _one_per_person(place: ReferenceSet, split: str, least: int) -> list[Target]:
    first: dict[str, Target] = {}
    for target in place.select(split):
        if len(target.references) >= least:
            first.setdefault(target.identity, target)
    return [first[person] for person in sorted(first)]


def _trained(variant: Variant, run: AnyRun, steps: int) -> Task:
    """The task after training, with EMA weights."""
    torch.manual_seed(run.seed)
    task = variant.make(run)
    weights = {name: p for name, p in task.network.named_parameters() if p.requires_grad}
    task.network.train()
    settings = run.optimiser
    optimiser = torch.optim.AdamW(weights.values(), settings.rate, settings.betas, weight_decay=0.0)
    ema = Ema(weights, 0.99)
    batches = Batches(
        run.data,
        run.batch,
        task.image_size,
        seed=run.seed,
        with_references=task.needs_references,
    )
    stream = batches.since(0)
    with progress(variant.name, steps) as advance:
        for step in range(1, steps + 1):
            optimiser.param_groups[0]["lr"] = settings.rate * min(1.0, step / max(1, settings.warmup))
            with torch.autocast("cpu", torch.bfloat16, enabled=run.precision != "float32"):
                loss = task.losses(next(stream), step).network
            optimiser.zero_grad(set_to_none=True)
            loss.backward()
            torch.nn.utils.clip_grad_norm_(weights.values(), 1.0)
            optimiser.step()
            ema.update(weights)
            advance(1)
    with torch.no_grad():
        for name, average in ema.averages.items():
            weights[name].copy_(average)
    task.network.eval()
    return task


def _arguments(study: Study, parser: argparse.ArgumentParser) -> None:
    parser.add_argument("set", type=Path, nargs="?", help="128-pixel reference set; default: sample people")
    parser.add_argument("--autoencoder", type=Path, default=FOLDER / f"{SHARED}.safetensors")
    parser.add_argument("--start", type=Path, default=FOLDER / f"{study.start}.safetensors")
    parser.add_argument("--steps", type=int, default=study.steps)
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--split", default="test")
    parser.add_argument("--images", type=int, default=100, help="at most, one of each person")
    parser.add_argument("--least", type=int, default=1, help="least number of references of a person")
    parser.add_argument("--references", type=int, default=3, help="at most, at sampling time")
    parser.add_argument("--seed", type=int, default=0)
