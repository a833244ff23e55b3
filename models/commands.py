"""Commands `restore`, `models` (list restorers, convert and pack weights), `presets` and `train`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..command_line.arguments import AsJson, Device, Model, Out, Recipe, SetFolder, emit
from ..command_line.commands import MODEL, command, group
from ..command_line.option_flags import options_command

if TYPE_CHECKING:
    from .restorers.options import RestoreOptions

app = typer.Typer()
models = group(
    "models",
    "List restorers, and convert or pack their weights.",
    panel=MODEL,
    example="refbench models list",
)
presets = group(
    "presets",
    "Training presets: the papers' schedules, and small models.",
    panel=MODEL,
    example="refbench presets show refldm-mini",
)
app.add_typer(models)
app.add_typer(presets)


def _restore_options() -> type[RestoreOptions]:
    from .restorers.options import RestoreOptions

    return RestoreOptions


@options_command(
    app,
    "restore",
    options=_restore_options,
    panel=MODEL,
    example="refbench restore set --recipe refldm-severe --model refldm-mini --out mini",
    flags={"record_times": ("--times/--no-times",)},
)
def restore(
    reference_set: SetFolder,
    recipe: Recipe,
    model: Model,
    out: Out,
    options: RestoreOptions,
    as_json: AsJson = False,
) -> None:
    """Run a restorer over the LQ images of a set and write a submission."""
    from ..progress import say
    from .restoration import restore_set

    report = restore_set(reference_set, recipe, model, out=out, options=options)
    for key, reason in report.failures.items():
        say(f"refbench: {key}: {reason}")
    result = {
        "submission": str(out),
        "restored": len(report.restored),
        "kept": len(report.kept),
        "failures": dict(report.failures),
        "seconds_per_image": report.seconds_per_image,
        "peak_memory_mib": report.peak_memory_mib,
    }
    words = f"{out}: {len(report.restored)} restored, {len(report.kept)} kept, {len(report.failures)} failed"
    emit(result, as_json, words)
    if report.failures:
        raise typer.Exit(1)


@command(models, "list", example="refbench models list")
def list_models(as_json: AsJson = False) -> None:
    """Print the restorers of the package, their presets, and the weights they need."""
    from .checkpoints.registry import RESTORERS

    rows = [_model(name) for name in RESTORERS]
    emit(rows, as_json, "\n".join(map(_model_text, rows)))


@command(models, "show", example="refbench models show refldm")
def show_model(
    name: Annotated[str, typer.Argument(metavar="MODEL", help="Name of a restorer of the package.")],
    as_json: AsJson = False,
) -> None:
    """Print one restorer of the package: what it does, its presets, the weights it needs, and absent ones."""
    from ..errors import RefbenchError
    from .checkpoints.registry import RESTORERS

    if name not in RESTORERS:
        raise RefbenchError(f"no restorer is called {name!r}; registered: {', '.join(RESTORERS)}")
    row = _model(name)
    needs = ", ".join(row["weights"]) or "none"
    emit(row, as_json, f"{_model_text(row)}\n    weights: {needs}")


@command(models, "convert", example="refbench models convert refldm.ckpt --out refldm.safetensors")
def convert(
    checkpoint: Annotated[
        Path, typer.Argument(help="The released refldm.ckpt or vqgan.ckpt, or a bare state_dict of one.")
    ],
    out: Annotated[Path, typer.Option("--out", "-o", help="The safetensors file to write.")],
    weights: Annotated[str, typer.Option(help="ema (averaged, for sampling) or raw.")] = "ema",
    half: Annotated[bool, typer.Option("--half", help="Write float16: half the size.")] = False,
    as_json: AsJson = False,
) -> None:
    """Convert a released checkpoint to safetensors with its configuration and licence."""
    import torch

    from ..errors import RefbenchError
    from .checkpoints.checkpoints import Choice
    from .checkpoints.external import convert_release
    from .refldm.model import RefLdm

    if weights not in ("ema", "raw"):
        raise RefbenchError(f"weights are 'ema' or 'raw'; got {weights!r}")
    choose: Choice = "ema" if weights == "ema" else "raw"
    model = convert_release(checkpoint, out, choose=choose, dtype=torch.float16 if half else torch.float32)
    count = sum(parameter.numel() for parameter in model.parameters())
    use = f"restore with --model {out}" if isinstance(model, RefLdm) else f"train with autoencoder={out}"
    emit({"out": str(out), "parameters": count}, as_json, f"{out}: {count / 1e6:.2f} M parameters; {use}")


@command(models, "pack", example="refbench models pack runs/refldm")
def pack(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="Folder of a run of a -mini preset.")],
    licence: Annotated[str, typer.Option(help="Licence of the weights, for the card.")] = "research use",
    as_json: AsJson = False,
) -> None:
    """Write the weights of a run into the package as float16; the shared autoencoder first."""
    from .checkpoints import minis

    path = minis.pack(run, {"licence": licence})
    size = path.stat().st_size
    text = f"{path}: {size / 1e6:.1f} MB; restore with --model {path.stem}-mini"
    emit({"out": str(path), "bytes": size}, as_json, text)


@command(presets, "list", example="refbench presets list")
def list_presets(as_json: AsJson = False) -> None:
    """List the training presets."""
    from .training.presets import TRAINING_PRESETS

    emit(sorted(TRAINING_PRESETS), as_json, "\n".join(sorted(TRAINING_PRESETS)))


@command(presets, "show", example="refbench presets show refldm-paper")
def show_preset(
    name: Annotated[str, typer.Argument(metavar="PRESET", help="Name of a preset.")], as_json: AsJson = False
) -> None:
    """Print the settings of a preset as YAML, which `refbench train --config` takes."""
    import yaml

    from ..files import canonical_json
    from .training.presets import training_preset

    settings = yaml.safe_load(canonical_json(training_preset(name)))
    emit(settings, as_json, yaml.safe_dump(settings, sort_keys=False).rstrip("\n"))


@command(
    app, "train", panel=MODEL, example="refbench train refldm set --out runs/refldm --preset refldm-mini"
)
def train(
    kind: Annotated[
        str,
        typer.Argument(metavar="KIND", help="autoencoder, ldm, refldm, composite-context or identity."),
    ],
    reference_set: SetFolder,
    out: Annotated[
        Path, typer.Option("--out", "-o", help="Folder of the run; an unfinished run is resumed.")
    ],
    *,
    assignments: Annotated[
        list[str] | None, typer.Argument(metavar="NAME=VALUE", help="Settings, such as optimiser.rate=1e-4.")
    ] = None,
    preset: Annotated[str | None, typer.Option(help="Training preset, such as refldm-paper.")] = None,
    config: Annotated[
        Path | None, typer.Option(help="YAML file of settings; they override the preset.")
    ] = None,
    stop_at: Annotated[int | None, typer.Option(help="Stop after this step; run again to resume.")] = None,
    device: Device = "auto",
    as_json: AsJson = False,
) -> None:
    """Train a model from a reference set; under torchrun on several processes."""
    from ..devices import pick_device
    from ..errors import RefbenchError
    from .training import presets as train_presets
    from .training import settings as train_settings
    from .training.config import KINDS
    from .training.train import train as run

    if kind not in KINDS:
        raise RefbenchError(f"no training is called {kind!r}; known: {', '.join(KINDS)}")
    layers = [
        {"kind": kind},
        train_presets.training_preset(preset) if preset else {},
        train_settings.read_settings(config) if config else {},
        train_settings.parse_assignments(assignments or []),
        {"kind": kind, "data": {"reference_set": reference_set}},
    ]
    report = run(train_settings.make_config(*layers), out, pick_device(device), stop_at=stop_at)
    losses = ", ".join(f"{name} {value:.4g}" for name, value in report.losses.items())
    result = {
        "weights": str(report.weights),
        "steps": report.steps,
        "seconds_per_step": report.seconds_per_step,
        "losses": {name: float(value) for name, value in report.losses.items()},
    }
    words = f"{report.weights}: {report.steps} steps, {report.seconds_per_step:.2f} s a step  {losses}"
    emit(result, as_json, words)


def _model(name: str) -> dict[str, Any]:
    """A bundled restorer as plain values."""
    from ..weights import weight_files
    from .checkpoints.registry import RESTORERS

    declared = RESTORERS[name]
    return {
        "name": name,
        "summary": declared.summary,
        "presets": dict(declared.presets),
        "weights": list(declared.weights),
        "missing": [weight for weight in declared.weights if weight_files.find(weight) is None],
    }


def _model_text(row: dict[str, Any]) -> str:
    absent = " ".join(row["missing"])
    note = f"  (refbench weights fetch {absent})" if absent else ""
    lines = [f"{row['name']}: {row['summary']}{note}"]
    return "\n".join([*lines, *(f"    {name}: {summary}" for name, summary in row["presets"].items())])
