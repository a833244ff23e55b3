"""Commands of this room: `recipes` and `preview`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(no_args_is_help=True)


@app.command()
def recipes(
    name: Annotated[
        str, typer.Argument(help="Show this recipe as YAML; a name, or a YAML file to check.")
    ] = "",
) -> None:
    """List the bundled recipes, or print one as YAML."""
    if name:
        from .recipes.lookup import load_recipe

        typer.echo(load_recipe(name).to_yaml(), nl=False)
        return
    from .recipes.bundled import RECIPES

    width = max(map(len, RECIPES))
    for recipe in RECIPES.values():
        typer.echo(f"{recipe.name:<{width}}  {recipe.title}")
    typer.echo(f"{'severity-LEVEL':<{width}}  one sweep: 0 no change, 0.5 moderate, 1 severe")


@app.command()
def preview(
    photos: Annotated[Path, typer.Argument(help="An HQ picture, a folder of them, or a reference set.")],
    recipe: Annotated[
        str, typer.Option("--recipe", "-r", help="Name of a recipe, or a YAML file.")
    ] = "refldm-severe",
    out: Annotated[Path, typer.Option("--out", "-o", help="The contact sheet, a PNG.")] = Path("preview.png"),
    seed: Annotated[int, typer.Option(help="Of the draws.")] = 0,
    samples: Annotated[int, typer.Option(help="Draws that the quantiles rest on.", min=1)] = 100,
    workers: Annotated[int, typer.Option(help="Threads.", min=1)] = 1,
    table: Annotated[Path | None, typer.Option(help="Also write every draw, as CSV.")] = None,
) -> None:
    """Show what a recipe does: a contact sheet by quantiles of severity, and statistics of the draws."""
    from ..files import write_text
    from ..images import find_photos, write_png
    from .recipes.lookup import load_recipe
    from .reports.preview import preview as make_preview

    folder = photos / "images" if (photos / "set.json").is_file() else photos
    paths = [photos] if photos.is_file() else find_photos(folder)
    images = {path.stem: path for path in paths}
    made = make_preview(images, load_recipe(recipe), seed, samples=samples, workers=workers)
    write_png(out, made.sheet)
    if table is not None:
        write_text(table, made.draws.to_csv(index=False, lineterminator="\n"))
    typer.echo(made.statistics.to_string(index=False, na_rep="", float_format="{:.3f}".format))
    typer.echo(f"wrote {out}")
