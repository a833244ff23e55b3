"""Training loop: bit-exact resume from checkpoints, EMA weights, CSV and TensorBoard logs, sample sheets.

A run is a folder: ``config.yaml``, ``last.pt`` (newest checkpoint), ``weights.safetensors`` (EMA weights,
ready for use), ``log.csv``, ``validation.csv``, ``tensorboard/`` and ``sheets/``. A step depends on the
configuration and the step number alone, so a resumed run ends with the same weights and the same log as an
uninterrupted one.
"""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
import yaml
from torch import Tensor, nn

from ...errors import FaultListError, InvalidInputError, RefbenchError
from ...files import StrPath, replacing, write_text
from ...folder_lock import folder_lock
from ...images import to_uint8, write_png
from ...interruption import deferred_interruption
from ...progress import progress, say
from ...records.reference_set import ReferenceSet
from ..checkpoints.checkpoints import save_weights
from ..networks.gradient_checkpointing import enable_gradient_checkpointing
from .config import AnyRun, OptimiserSettings
from .data import Batch, Batches
from .distributed import Distributed
from .ema import Ema
from .log import Log, TensorBoardLog, append_row, format_time_left, truncate_rows
from .settings import differences, make_config
from .tasks.registry import make_task
from .tasks.task import Losses, Task

SHEET_IMAGES = 8
EXPORT_IMAGES = 64
LOG, VALIDATION = "log.csv", "validation.csv"


@dataclass(frozen=True, slots=True)
class TrainReport:
    """Result of a training run.

    Attributes:
        steps: optimiser steps done in total, earlier calls included.
        weights: path of the EMA weights, ``weights.safetensors``.
        losses: mean of each loss since the last row of the log, by name.
        seconds_per_step: wall-clock seconds per step of this call; NaN if it did no step.
    """

    steps: int
    weights: Path
    losses: Mapping[str, float]
    seconds_per_step: float


def train(run: AnyRun, out: StrPath, device: str = "cpu", *, stop_at: int | None = None) -> TrainReport:
    """Train a network, resuming from the newest checkpoint in ``out`` if there is one.

    Under ``torchrun`` every process trains on its own part of each batch and gradients are averaged.

    Args:
        run: configuration, see `make_config`.
        out: folder of the run; created if absent.
        device: PyTorch device of the networks, such as ``cpu`` or ``cuda``.
        stop_at: stop after this step, counted from 1 over the whole run; the same call without it resumes.

    Returns:
        Steps, path of the EMA weights, mean losses, and seconds per step.

    Raises:
        RefbenchError: ``out`` is a run with other settings, which are listed; absent weights; a full disk.
        InvalidInputError: images of another size; a NaN or infinite loss (the last checkpoint is kept).
    """
    out = Path(out)
    distributed = Distributed.join(device)
    with folder_lock(out) if distributed.is_main else nullcontext():
        return _train(run, out, device, stop_at=stop_at, distributed=distributed)


def _train(
    run: AnyRun, out: Path, device: str, *, stop_at: int | None, distributed: Distributed
) -> TrainReport:
    task = make_task(run, device)
    batches = Batches(
        run.data,
        run.batch,
        task.image_size,
        seed=run.seed,
        distributed=distributed,
        with_references=task.needs_references,
    )
    state = TrainingState(task, run)
    state.load(out)
    validate = task.validation() if run.validation.every and distributed.is_main else None
    if distributed.is_main:
        write_text(out / "config.yaml", yaml.safe_dump(run.model_dump(mode="json"), sort_keys=False))
        truncate_rows(out / LOG, state.log.step)
        truncate_rows(out / VALIDATION, state.step)
    board = TensorBoardLog(out, state.step, run.tensorboard and distributed.is_main)
    stop = min(run.steps, stop_at or run.steps)
    facts = _weights_facts(run, batches)
    begun, start = state.step, time.perf_counter()
    with progress(f"train {run.kind}", run.steps) as advance, deferred_interruption() as interrupted:
        advance(begun)
        stream = batches.since(state.step)
        while state.step < stop:
            state.advance(next(stream), distributed, torch.device(device))
            advance(1)
            if distributed.is_main:
                if state.step % run.log_every == 0:
                    state.log.write(out / LOG, state.step, state.rate())
                    board.write(state.step, {"rate": state.rate(), **state.log.last})
                    pace = (time.perf_counter() - start) / (state.step - begun)
                    _report_progress(run, state, stop=stop, pace=pace)
                if state.step % run.save_every == 0 or state.step == stop:
                    state.save(out, facts, batches)
                if run.sheet_every and (state.step % run.sheet_every == 0 or state.step == run.steps):
                    state.write_sheet(out, batches)
                if validate is not None and state.step % run.validation.every == 0:
                    scores = state.validated(validate)
                    append_row(out / VALIDATION, {"step": state.step, **scores})
                    board.write(state.step, {f"val/{name}": value for name, value in scores.items()})
            if state.step < stop and distributed.any(interrupted()):
                if distributed.is_main and state.step % run.save_every:
                    state.save(out, facts, batches)
                say(f"stopped after step {state.step}, which is saved in {out / 'last.pt'}")
                raise KeyboardInterrupt
    board.close()
    spent = time.perf_counter() - start
    distributed.wait()
    done = state.step - begun
    return TrainReport(
        state.step, out / "weights.safetensors", state.log.means(), spent / done if done else math.nan
    )


def rate_at(settings: OptimiserSettings, step: int, steps: int) -> float:
    """Learning rate of a step (counted from 1) of ``steps``: linear warm-up, then constant or a cosine."""
    if step <= settings.warmup:
        return settings.rate * step / settings.warmup
    if settings.schedule == "constant":
        return settings.rate
    done = (step - settings.warmup) / max(1, steps - settings.warmup)
    share = settings.final_share + (1 - settings.final_share) * (1 + math.cos(math.pi * done)) / 2
    return settings.rate * share


class TrainingState:
    """Everything that changes during a run: weights, optimisers, EMA, step number and the log's means."""

    def __init__(self, task: Task, run: AnyRun) -> None:
        self.task, self.run = task, run
        task.network.train()
        if run.gradient_checkpointing:
            enable_gradient_checkpointing(task.network)
        if run.precision == "float32":
            task.network.to(memory_format=torch.channels_last)
        self.weights = {n: p for n, p in task.network.named_parameters() if p.requires_grad}
        self.adversary = dict(task.adversary.named_parameters()) if task.adversary is not None else {}
        self.optimisers = [_optimiser(part, run) for part in (self.weights, self.adversary) if part]
        self.ema = Ema(self.weights, run.ema_decay)
        self.step = 0
        self.log = Log()

    def rate(self) -> float:
        """Learning rate of the current step."""
        return rate_at(self.run.optimiser, self.step, self.run.steps)

    def advance(self, batch: Batch, distributed: Distributed, device: torch.device) -> None:
        """Do one optimiser step on a batch, in ``accumulate`` parts.

        Raises:
            InvalidInputError: a NaN or infinite loss.
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
        logged = {name: distributed.average(value) for name, value in sums.items()}
        if not all(math.isfinite(float(value)) for value in logged.values()):
            values = ", ".join(f"{name} {float(value):g}" for name, value in logged.items())
            raise InvalidInputError(
                f"step {self.step}: the loss is not finite ({values}) on {', '.join(batch.keys)}; "
                "the last checkpoint is kept: lower optimiser.rate or set optimiser.clip"
            )
        for optimiser, owned in zip(self.optimisers, parts, strict=False):
            distributed.average_gradients(owned.values())
            if self.run.optimiser.clip is not None:
                nn.utils.clip_grad_norm_(owned.values(), self.run.optimiser.clip)
            optimiser.step()
        self.ema.update(self.weights)
        self.log.add(logged)

    def validated(self, validate: Callable[[], dict[str, float]]) -> dict[str, float]:
        """Validation scores of the EMA weights."""
        with self.ema.in_place_of(self.weights):
            self.task.network.eval()
            scores = validate()
            self.task.network.train()
        return scores

    def save(self, out: Path, facts: Mapping[str, str], batches: Batches) -> None:
        """Write the checkpoint and the EMA weights; the previous ones are replaced atomically.

        Raises:
            RefbenchError: they cannot be written, for instance because the disk is full.
        """
        try:
            self._save(out, facts, batches)
        except (OSError, RuntimeError) as error:
            kept = (
                f"the checkpoint before it is kept in {out / 'last.pt'}; free disk space and run the same "
                "command again"
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
        with replacing(out / "last.pt") as partial, partial.open("wb") as stream:
            torch.save(_detached(content), stream)  # a path would stand inside the file
        with self.ema.in_place_of(self.weights):
            described = {**facts, "steps": str(self.step)}
            exported = self.task.export_network(batches.first(EXPORT_IMAGES))
            save_weights(exported, self.task.config, out / "weights.safetensors", facts=described)
            self.task.write_extra_files(exported, out)

    def load(self, out: Path) -> None:
        """Resume from the newest checkpoint, if there is one.

        Raises:
            RefbenchError: it is damaged.
            FaultListError: it was made with other settings; all differences are listed.
        """
        path = out / "last.pt"
        if not path.exists():
            return
        try:
            content = torch.load(path, map_location="cpu", weights_only=True)
            earlier = make_config(content["config"])
        except (RuntimeError, KeyError, ValueError, EOFError, RefbenchError) as error:
            raise RefbenchError(f"training cannot resume from {path}: {error}") from None
        changed = differences(earlier, self.run)
        if changed:
            raise FaultListError(
                f"{out} is a run with other settings (there, now)", changed, "Name another folder."
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
        say(f"resuming after step {self.step}")

    @torch.no_grad()
    def write_sheet(self, out: Path, batches: Batches) -> None:
        """Write a picture of the first images as the EMA weights restore them."""
        batch = batches.first(SHEET_IMAGES)
        with self.ema.in_place_of(self.weights):
            self.task.network.eval()
            columns = self.task.sheet(batch)
            self.task.network.train()
        rows = torch.cat([column.cpu() for column in columns], 3)
        picture = torch.cat(list(rows), 1).permute(1, 2, 0).numpy()
        write_png(out / "sheets" / f"{self.step:07d}.png", to_uint8(np.ascontiguousarray(picture)))

    def _losses(self, batch: Batch, device: torch.device) -> Losses:
        with torch.autocast(device.type, torch.bfloat16, enabled=self.run.precision != "float32"):
            return self.task.losses(batch, self.step)


def _detached(value: Any) -> Any:
    """Plain values that share no object with others: what is shared would show in the bytes of a pickle."""
    if isinstance(value, dict):
        return {_detached(key): _detached(held) for key, held in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(map(_detached, value))
    return sys.intern(value) if isinstance(value, str) else value


def _optimiser(parameters: Mapping[str, nn.Parameter], run: AnyRun) -> torch.optim.Optimizer:
    settings = run.optimiser
    return torch.optim.AdamW(
        list(parameters.values()), settings.rate, settings.betas, weight_decay=settings.weight_decay
    )


def _report_progress(run: AnyRun, state: TrainingState, *, stop: int, pace: float) -> None:
    """One line for log files; on a terminal the progress bar shows the time left."""
    if not sys.stderr.isatty():
        losses = ", ".join(f"{name} {value:.4g}" for name, value in state.log.last.items())
        left = format_time_left(pace * (stop - state.step))
        say(f"{run.kind} step {state.step} of {run.steps}: {losses}; {pace:.2f} s a step, {left} left")


def _weights_facts(run: AnyRun, batches: Batches) -> dict[str, str]:
    info = ReferenceSet.read(run.data.reference_set).info
    data = f"{info.name} ({info.content_hash[:12]}), split {run.data.split}, {len(batches.pairs)} images"
    return {"name": run.kind, "training_data": data, "licence": info.licence}
