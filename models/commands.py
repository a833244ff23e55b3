"""`refbench models`: what can be restored with, and weights turned into another form."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(help="Bundled restorers and their weights.", no_args_is_help=True)


@app.command("list")
def list_models() -> None:
    """Print the bundled restorers, their presets, and which weights they need."""
    from .. import weights
    from .bundled import BUNDLED

    for declared in BUNDLED.values():
        absent = [name for name in declared.weights if weights.find(name) is None]
        note = f"  (refbench weights fetch {' '.join(absent)})" if absent else ""
        typer.echo(f"{declared.name}: {declared.summary}{note}")
        for name, summary in declared.presets.items():
            typer.echo(f"    {name}: {summary}")


@app.command()
def convert(
    checkpoint: Annotated[Path, typer.Argument(help="The released refldm.ckpt, or a bare state_dict of it.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="The safetensors file to write.")],
    weights: Annotated[str, typer.Option(help="ema (averaged, for sampling) or raw.")] = "ema",
    half: Annotated[bool, typer.Option("--half", help="Write float16: half the size.")] = False,
) -> None:
    """Turn a released ReF-LDM checkpoint into safetensors: one copy of the weights and their settings."""
    import torch

    from ..errors import RefbenchError
    from .checkpoints import Choice, convert_refldm

    if weights not in ("ema", "raw"):
        raise RefbenchError(f"weights are 'ema' or 'raw'; got {weights!r}")
    choose: Choice = "ema" if weights == "ema" else "raw"
    model = convert_refldm(checkpoint, out, choose, torch.float16 if half else torch.float32)
    count = sum(parameter.numel() for parameter in model.parameters())
    typer.echo(f"{out}: {count / 1e6:.2f} M parameters; restore with --model {out}")
