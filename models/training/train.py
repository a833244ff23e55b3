"""The training loop: exact resume, averaged weights, a log and sample sheets.

A run is a folder: ``config.yaml``, ``last.pt`` (the newest checkpoint), ``weights.safetensors`` (the averaged
weights, ready for use), ``log.csv``, ``validation.csv``, ``tensorboard/`` and ``sheets/``. What happens in a
step depends on the configuration and the step's number alone, so a run that was stopped ends with the same
weights and the same log.
"""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import yaml
from torch import Tensor, nn

from ...errors import FaultListError, InvalidInputError, RefbenchError
from ...files import replacing, write_text
from ...images import to_uint8, write_png
from ...progress import progress, say
from ...records.reference_set import ReferenceSet
from ..checkpoints.checkpoints import save_weights
from ..networks.gradient_checkpointing import forget_inside
from .config import AnyRun, OptimiserSettings
from .data import Batch, Batches
from .distributed import Workers
from .ema import Ema
from .log import Board, Log, append_row, cut, time_left
from .settings import differences, make_config
from .tasks.registry import make_task
from .tasks.task import Losses, Task

SHEET_IMAGES = 8
EXPORT_IMAGES = 64
LOG, VALIDATION = "log.csv", "validation.csv"


@dataclass(frozen=True, slots=True)
class TrainReport:
    """What a run did.

    Attributes:
        steps: done in all.
        weights: the averaged weights.
        losses: means since the last line of the log.
        seconds_per_step: of the steps done now; NaN if none was.
    """

    steps: int
    weights: Path
    losses: Mapping[str, float]
    seconds_per_step: float


def train(run: AnyRun, out: Path, device: str = "cpu", *, stop_at: int | None = None) -> TrainReport:
    """Train, from the newest checkpoint in ``out`` if there is one.

    Args:
        run: the configuration.
        out: folder of the run.
        device: where the networks are.
        stop_at: stop after that step, to be taken up again.

    Raises:
        RefbenchError: ``out`` is a run of other settings, which are listed; weights that are absent.
        InvalidInputError: images that do not fit; a loss that is NaN or infinite (the last file stays).
    """
    workers = Workers.join(device)
    task = make_task(run, device)
    batches = Batches(
        run.data,
        run.batch,
        task.image_size,
        seed=run.seed,
        workers=workers,
        with_references=task.needs_references,
    )
    state = State(task, run)
    state.load(out)
    validate = task.validation() if run.validation.every and workers.is_first else None
    if workers.is_first:
        write_text(out / "config.yaml", yaml.safe_dump(run.model_dump(mode="json"), sort_keys=False))
        cut(out / LOG, state.log.step)
        cut(out / VALIDATION, state.step)
    board = Board(out, state.step, run.tensorboard and workers.is_first)
    stop = min(run.steps, stop_at or run.steps)
    facts = _facts(run, batches)
    begun, start = state.step, time.perf_counter()
    with progress(f"train {run.kind}", run.steps) as advance:
        advance(begun)
        stream = batches.since(state.step)
        while state.step < stop:
            state.advance(next(stream), workers, torch.device(device))
            advance(1)
            if workers.is_first:
                if state.step % run.log_every == 0:
                    state.log.write(out / LOG, state.step, state.rate())
                    board.write(state.step, {"rate": state.rate(), **state.log.last})
                    pace = (time.perf_counter() - start) / (state.step - begun)
                    _say_where(run, state, stop, pace=pace)
                if state.step % run.save_every == 0 or state.step == stop:
                    state.save(out, facts, batches)
                if state.step % run.sheet_every == 0 or state.step == run.steps:
                    state.write_sheet(out, batches)
                if validate is not None and state.step % run.validation.every == 0:
                    scores = state.validated(validate)
                    append_row(out / VALIDATION, {"step": state.step, **scores})
                    board.write(state.step, {f"val/{name}": value for name, value in scores.items()})
    board.close()
    spent = time.perf_counter() - start
    workers.wait()
    done = state.step - begun
    return TrainReport(
        state.step, out / "weights.safetensors", state.log.means(), spent / done if done else math.nan
    )


def rate_at(settings: OptimiserSettings, step: int, steps: int) -> float:
    """The learning rate of a step, counted from 1."""
    if step <= settings.warmup:
        return settings.rate * step / settings.warmup
    if settings.schedule == "constant":
        return settings.rate
    done = (step - settings.warmup) / max(1, steps - settings.warmup)
    share = settings.final_share + (1 - settings.final_share) * (1 + math.cos(math.pi * done)) / 2
    return settings.rate * share


class State:
    """Everything that changes during a run."""

    def __init__(self, task: Task, run: AnyRun) -> None:
        self.task, self.run = task, run
        task.network.train()
        if run.checkpointing:
            forget_inside(task.network)
        if run.precision == "float32":
            task.network.to(memory_format=torch.channels_last)
        self.weights = {n: p for n, p in task.network.named_parameters() if p.requires_grad}
        self.adversary = dict(task.adversary.named_parameters()) if task.adversary is not None else {}
        self.optimisers = [_optimiser(part, run) for part in (self.weights, self.adversary) if part]
        self.ema = Ema(self.weights, run.ema_decay)
        self.step = 0
        self.log = Log()

    def rate(self) -> float:
        """The learning rate of the present step."""
        return rate_at(self.run.optimiser, self.step, self.run.steps)

    def advance(self, batch: Batch, workers: Workers, device: torch.device) -> None:
        """Do one step of the optimisers.

        Raises:
            InvalidInputError: a loss that is NaN or infinite.
        """
        self.step += 1
        parts = (self.weights, self.adversary)
        for optimiser in self.optimisers:
            optimiser.zero_grad(set_to_none=True)
            optimiser.param_groups[0]["lr"] = self.rate()
        sums: dict[str, Tensor] = {}
        for part in batch.to(device).parts(self.run.accumulate):
            losses = self._losses(part, device)
            for loss, owned in zip((losses.network, losses.adversary), parts, strict=True):
                if loss is not None:
                    torch.autograd.backward(loss / self.run.accumulate, inputs=list(owned.values()))
            for name, value in losses.logged.items():
                sums[name] = (
                    sums.get(name, torch.zeros(())) + value.detach().float().cpu() / self.run.accumulate
                )
        logged = {name: workers.average(value) for name, value in sums.items()}
        if not all(math.isfinite(float(value)) for value in logged.values()):
            values = ", ".join(f"{name} {float(value):g}" for name, value in logged.items())
            raise InvalidInputError(
                f"step {self.step}: the loss is not finite ({values}) on {', '.join(batch.keys)}; "
                "the last checkpoint is kept: lower optimiser.rate or set optimiser.clip"
            )
        for optimiser, owned in zip(self.optimisers, parts, strict=False):
            workers.average_gradients(owned.values())
            if self.run.optimiser.clip is not None:
                nn.utils.clip_grad_norm_(owned.values(), self.run.optimiser.clip)
            optimiser.step()
        self.ema.update(self.weights)
        self.log.add(logged)

    def validated(self, validate: Callable[[], dict[str, float]]) -> dict[str, float]:
        """Scores of the averaged weights."""
        with self.ema.in_place_of(self.weights):
            self.task.network.eval()
            scores = validate()
            self.task.network.train()
        return scores

    def save(self, out: Path, facts: Mapping[str, str], batches: Batches) -> None:
        """Write the checkpoint and the averaged weights; the former ones stay until these are whole.

        Raises:
            RefbenchError: they cannot be written, for instance because the disk is full.
        """
        try:
            self._save(out, facts, batches)
        except (OSError, RuntimeError) as error:
            kept = (
                f"the checkpoint before it is kept in {out / 'last.pt'}; make room and give the same command"
            )
            raise RefbenchError(
                f"the checkpoint of step {self.step} cannot be written ({error}); {kept}"
            ) from None

    def _save(self, out: Path, facts: Mapping[str, str], batches: Batches) -> None:
        content = {
            "config": self.run.model_dump(mode="json"),
            "step": self.step,
            "weights": {name: value.detach() for name, value in self.weights.items()},
            "adversary": {name: value.detach() for name, value in self.adversary.items()},
            "averages": self.ema.averages,
            "updates": self.ema.updates,
            "optimisers": [optimiser.state_dict() for optimiser in self.optimisers],
            "log": {"sums": self.log.sums, "count": self.log.count, "step": self.log.step},
        }
        with replacing(out / "last.pt") as partial:
            torch.save(content, partial)
        with self.ema.in_place_of(self.weights):
            described = {**facts, "steps": str(self.step)}
            handed_on = self.task.exported(batches.first(EXPORT_IMAGES))
            save_weights(handed_on, self.task.config, out / "weights.safetensors", facts=described)
            self.task.also_write(handed_on, out)

    def load(self, out: Path) -> None:
        """Go on from the newest checkpoint, if there is one.

        Raises:
            RefbenchError: it is damaged.
            FaultListError: it is of other settings.
        """
        path = out / "last.pt"
        if not path.exists():
            return
        try:
            content = torch.load(path, map_location="cpu", weights_only=True)
            earlier = make_config(content["config"])
        except (RuntimeError, KeyError, ValueError, EOFError, RefbenchError) as error:
            raise RefbenchError(f"{path} cannot be gone on from: {error}") from None
        changed = differences(earlier, self.run)
        if changed:
            raise FaultListError(
                f"{out} is a run of other settings (there, now)", changed, "Name another folder."
            )
        with torch.no_grad():
            for own, saved in (
                (self.weights, "weights"),
                (self.adversary, "adversary"),
                (self.ema.averages, "averages"),
            ):
                for name, value in own.items():
                    value.copy_(content[saved][name])
        for optimiser, saved_state in zip(self.optimisers, content["optimisers"], strict=True):
            optimiser.load_state_dict(saved_state)
        self.step, self.ema.updates = content["step"], content["updates"]
        self.log = Log(**content["log"])
        say(f"going on after step {self.step}")

    @torch.no_grad()
    def write_sheet(self, out: Path, batches: Batches) -> None:
        """Write what the averaged weights make of the first images."""
        batch = batches.first(SHEET_IMAGES)
        with self.ema.in_place_of(self.weights):
            self.task.network.eval()
            columns = self.task.sheet(batch)
            self.task.network.train()
        rows = torch.cat([column.cpu() for column in columns], 3)
        picture = torch.cat(list(rows), 1).permute(1, 2, 0).numpy()
        write_png(out / "sheets" / f"{self.step:07d}.png", to_uint8(np.ascontiguousarray(picture)))

    def _losses(self, batch: Batch, device: torch.device) -> Losses:
        lower = self.run.precision == "bfloat16"
        with torch.autocast(device.type, torch.bfloat16, enabled=lower):
            return self.task.losses(batch, self.step)


def _optimiser(parameters: Mapping[str, nn.Parameter], run: AnyRun) -> torch.optim.Optimizer:
    settings = run.optimiser
    return torch.optim.AdamW(
        list(parameters.values()), settings.rate, settings.betas, weight_decay=settings.weight_decay
    )


def _say_where(run: AnyRun, state: State, stop: int, *, pace: float) -> None:
    """One line for logs; where there is a bar, it tells the time left."""
    if not sys.stderr.isatty():
        losses = ", ".join(f"{name} {value:.4g}" for name, value in state.log.last.items())
        left = time_left(pace * (stop - state.step))
        say(f"{run.kind} step {state.step} of {run.steps}: {losses}; {pace:.2f} s a step, {left} left")


def _facts(run: AnyRun, batches: Batches) -> dict[str, str]:
    info = ReferenceSet.read(run.data.reference_set).info
    data = f"{info.name} ({info.content_hash[:12]}), split {run.data.split}, {len(batches.pairs)} images"
    return {"name": run.kind, "training_data": data, "licence": info.licence}
