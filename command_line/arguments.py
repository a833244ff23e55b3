"""Arguments and options that mean the same in every command, and how results are printed."""

from __future__ import annotations

import json
from math import isfinite
from pathlib import Path
from typing import Annotated, Any

import typer

from ..names import json_safe, terminal_safe

SetFolder = Annotated[Path, typer.Argument(metavar="SET", help="Folder of a reference set.")]
StoreFolder = Annotated[Path, typer.Argument(metavar="STORE", help="Folder of records.")]
Submissions = Annotated[
    list[Path], typer.Argument(metavar="SUBMISSION...", help="Folders or archives of PNGs named by key.")
]
SetAndSubmissions = Annotated[
    list[Path],
    typer.Argument(
        metavar="[SET] SUBMISSION...",
        help="Reference set (a folder with set.json) first, then folders or archives of restored images.",
    ),
]

Out = Annotated[Path, typer.Option("--out", "-o", help="Folder to write; made if absent.")]
Recipe = Annotated[str, typer.Option("--recipe", "-r", help="Recipe of the LQ images; RECIPE:N for seed N.")]
Recipes = Annotated[
    list[str], typer.Option("--recipe", "-r", help="Name, or RECIPE:N for seed N; may be repeated.")
]
Model = Annotated[
    str,
    typer.Option(
        "--model",
        "-m",
        help="Bundled name, package.module:Class, file.onnx, folder, or command with {lq} {refs} {out}.",
    ),
]
Store = Annotated[Path, typer.Option("--store", "-s", help="Folder of records.")]
Split = Annotated[str, typer.Option(help="train, val, test or all.")]
Seed = Annotated[int, typer.Option(help="Seed; another seed gives another draw.")]
Workers = Annotated[int, typer.Option(min=1, help="Parallel workers; any number gives the same bytes.")]
Device = Annotated[str, typer.Option(help="cpu, cuda, cuda:1, mps, or auto for the best available.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print the result as JSON on stdout.")]


def emit(result: Any, as_json: bool, text: str) -> None:
    """Print a result on stdout: ``result`` as JSON for machines, or ``text`` for people.

    What would command a terminal is escaped in both; the JSON reads back to the same values.
    """
    typer.echo(json_safe(as_text(result)) if as_json else terminal_safe(text))


def as_text(result: Any) -> str:
    """A result as JSON text: two blanks of indentation, letters beyond ASCII as they are, NaN as null."""
    return json.dumps(_with_null(result), indent=2, ensure_ascii=False, allow_nan=False)


def _with_null(value: Any) -> Any:
    """A value of plain types with None for every number that JSON does not have."""
    if isinstance(value, dict):
        return {name: _with_null(part) for name, part in value.items()}
    if isinstance(value, list | tuple):
        return [_with_null(part) for part in value]
    return None if isinstance(value, float) and not isfinite(value) else value


def set_and_submissions(paths: list[Path]) -> tuple[list[Path], list[Path]]:
    """Folders of reference sets (those with ``set.json``), and the other paths, each in the order given."""
    sets = [path for path in paths if (path / "set.json").is_file()]
    return sets, [path for path in paths if path not in sets]
