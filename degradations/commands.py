"""Commands of this room: `recipes`, `preview` and `import-lq`."""

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
        from .named import load_recipe

        typer.echo(load_recipe(name).to_yaml(), nl=False)
        return
    from .recipes import RECIPES

    width = max(map(len, RECIPES))
    for recipe in RECIPES.values():
        typer.echo(f"{recipe.name:<{width}}  {recipe.title}")
    typer.echo(f"{'severity-LEVEL':<{width}}  one sweep: 0 no change, 0.5 moderate, 1 severe")


@app.command()
def preview(
    photos: Annotated[Path, typer.Argument(help="An HQ picture, or a folder of them.")],
    recipe: Annotated[str, typer.Option(help="Name of a recipe, or a YAML file.")] = "refldm-severe",
    out: Annotated[Path, typer.Option(help="The contact sheet, a PNG.")] = Path("preview.png"),
    seed: Annotated[int, typer.Option(help="Of the draws.")] = 0,
    samples: Annotated[int, typer.Option(help="Draws that the quantiles rest on.", min=1)] = 100,
    workers: Annotated[int, typer.Option(help="Threads.", min=1)] = 1,
    table: Annotated[Path | None, typer.Option(help="Also write every draw, as CSV.")] = None,
) -> None:
    """Show what a recipe does: a contact sheet by quantiles of severity, and statistics of the draws."""
    from ..files import write_text
    from ..images import find_photos, write_png
    from .named import load_recipe
    from .preview import preview as make_preview

    paths = [photos] if photos.is_file() else find_photos(photos)
    images = {path.stem: path for path in paths}
    made = make_preview(images, load_recipe(recipe), seed, samples, workers)
    write_png(out, made.sheet)
    if table is not None:
        write_text(table, made.draws.to_csv(index=False, lineterminator="\n"))
    typer.echo(made.statistics.to_string(index=False, na_rep="", float_format="{:.3f}".format))
    typer.echo(f"wrote {out}")


@app.command("import-lq")
def import_lq(
    source: Annotated[Path, typer.Argument(help="Folder of LQ pictures named by key.")],
    hq: Annotated[Path, typer.Option(help="Folder of the HQ pictures, named by the same keys.")],
    out: Annotated[Path, typer.Option(help="The LQ folder to write, for instance SET/lq/NAME.")],
    name: Annotated[str, typer.Option(help="Name in place of a recipe's; by default the name of OUT.")] = "",
    ignore_extra: Annotated[bool, typer.Option(help="Leave out LQ pictures without HQ.")] = False,
    workers: Annotated[int, typer.Option(help="Threads.", min=1)] = 1,
) -> None:
    """Take in LQ pictures made elsewhere, such as a published test set, checked pair by pair."""
    from ..images import find_photos
    from .official import import_lq as take_in

    images = {path.stem: path for path in find_photos(hq)}
    info = take_in(images, source, out, name or out.name, ignore_extra=ignore_extra, workers=workers)
    typer.echo(f"{out}: {info.images} LQ images, hash {info.lq_hash[:16]}")
