"""`refbench models` (what can restore, and weights in another form) and `refbench train`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(help="Bundled restorers and their weights.", no_args_is_help=True)


@app.command("list")
def list_models() -> None:
    """Print the bundled restorers, their presets, and which weights they need."""
    from ..weights import weight_files
    from .checkpoints.registry import BUNDLED

    for declared in BUNDLED.values():
        absent = [name for name in declared.weights if weight_files.find(name) is None]
        note = f"  (refbench weights fetch {' '.join(absent)})" if absent else ""
        typer.echo(f"{declared.name}: {declared.summary}{note}")
        for name, summary in declared.presets.items():
            typer.echo(f"    {name}: {summary}")


@app.command()
def convert(
    checkpoint: Annotated[
        Path, typer.Argument(help="The released refldm.ckpt or vqgan.ckpt, or a bare state_dict of one.")
    ],
    out: Annotated[Path, typer.Option("--out", "-o", help="The safetensors file to write.")],
    weights: Annotated[str, typer.Option(help="ema (averaged, for sampling) or raw.")] = "ema",
    half: Annotated[bool, typer.Option("--half", help="Write float16: half the size.")] = False,
) -> None:
    """Turn a released checkpoint into safetensors: one copy of the weights, their settings and licence."""
    import torch

    from ..errors import RefbenchError
    from .checkpoints.checkpoints import Choice
    from .checkpoints.external import convert_release
    from .refldm.model import RefLdm

    if weights not in ("ema", "raw"):
        raise RefbenchError(f"weights are 'ema' or 'raw'; got {weights!r}")
    choose: Choice = "ema" if weights == "ema" else "raw"
    model = convert_release(checkpoint, out, choose, dtype=torch.float16 if half else torch.float32)
    count = sum(parameter.numel() for parameter in model.parameters())
    use = f"restore with --model {out}" if isinstance(model, RefLdm) else f"train with autoencoder={out}"
    typer.echo(f"{out}: {count / 1e6:.2f} M parameters; {use}")


@app.command()
def pack(
    run: Annotated[Path, typer.Argument(help="Folder of a run of a -mini preset.")],
    licence: Annotated[str, typer.Option(help="Of the weights, for their card.")] = "research use",
) -> None:
    """Put the weights of a run into the package, as float16; the autoencoder first, for all share it."""
    from .checkpoints import minis

    path = minis.pack(run, {"licence": licence})
    typer.echo(f"{path}: {path.stat().st_size / 1e6:.1f} MB; restore with --model {path.stem}-mini")


def train(
    kind: Annotated[str, typer.Argument(help="autoencoder, ldm, refldm, composite-context or identity.")],
    reference_set: Annotated[Path, typer.Argument(metavar="SET", help="Folder of a reference set.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder of the run; an unfinished run goes on.")],
    *,
    assignments: Annotated[
        list[str] | None, typer.Argument(metavar="NAME=VALUE", help="Settings, such as optimiser.rate=1e-4.")
    ] = None,
    preset: Annotated[str | None, typer.Option(help="Settings of a paper, such as refldm-paper.")] = None,
    config: Annotated[
        Path | None, typer.Option(help="YAML file of settings; they win over the preset.")
    ] = None,
    stop_at: Annotated[int | None, typer.Option(help="Stop after that step, to go on another day.")] = None,
    device: Annotated[str, typer.Option(help="cpu, cuda, mps or auto.")] = "auto",
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
        train_presets.preset(preset) if preset else {},
        train_settings.read_settings(config) if config else {},
        train_settings.parse_assignments(assignments or []),
        {"kind": kind, "data": {"reference_set": reference_set}},
    ]
    report = run(train_settings.make_config(*layers), out, pick_device(device), stop_at=stop_at)
    losses = ", ".join(f"{name} {value:.4g}" for name, value in report.losses.items())
    typer.echo(f"{report.weights}: {report.steps} steps, {report.seconds_per_step:.2f} s a step  {losses}")
