"""`refbench samples`: photos to try things on."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(name="samples", help="Photos to try things on.", no_args_is_help=True)


@app.callback()
def samples() -> None:
    """Photos to try things on."""


@app.command()
def fetch(
    name: Annotated[str, typer.Argument(metavar="london", help="Which set: london is the only one.")],
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="Folder to write; by default the name.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON on stdout.")] = False,
) -> None:
    """Bring a set of real photos from its publisher, with its licence.

    london: Face Research Lab London Set, 102 people, neutral and smiling, CC BY 4.0.
    """
    from ..errors import RefbenchError
    from .fetch import DOI, fetch_london

    if name != "london":
        raise RefbenchError(f"there is no set {name!r} to fetch; there is london")
    got = fetch_london(out or Path(name))
    if as_json:
        typer.echo(json.dumps({"folder": str(got.folder), "photos": got.photos, "doi": DOI}, indent=2))
    else:
        typer.echo(f"{got.folder}: {got.photos} photos{' (were here)' if got.was_here else ''}, CC BY 4.0")
