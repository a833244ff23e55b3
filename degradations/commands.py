"""Commands that make LQ images and show what recipes do: `degrade`, `recipes` and `preview`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ..command_line.arguments import AsJson, Seed, SetFolder, Workers, emit
from ..command_line.commands import DEGRADE, command, group
from ..command_line.option_flags import options_command

if TYPE_CHECKING:
    from .lq.options import DegradeOptions

app = typer.Typer()
recipes = group(
    "recipes",
    "Bundled recipes, and the check of a recipe file.",
    panel=DEGRADE,
    example="refbench recipes show refldm-severe",
    named="show",
)
app.add_typer(recipes)

RecipeName = Annotated[str, typer.Argument(metavar="RECIPE", help="Name of a recipe, or a YAML file.")]


def _degrade_options() -> type[DegradeOptions]:
    from .lq.options import DegradeOptions

    return DegradeOptions


@options_command(
    app,
    "degrade",
    options=_degrade_options,
    panel=DEGRADE,
    example="refbench degrade set --recipe refldm-moderate --recipe refldm-severe",
)
def degrade(
    reference_set: SetFolder,
    recipe: Annotated[
        list[str], typer.Option("--recipe", "-r", help="Name, RECIPE:SEED, or YAML file; may be repeated.")
    ],
    options: DegradeOptions,
    verify: Annotated[
        bool, typer.Option("--verify", help="Write nothing: make every image again and compare.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Synthesise the LQ images of a set, or verify those that are there."""
    from .lq.degrade_set import degrade_set, verify_lq_of_set

    if verify:
        checked = verify_lq_of_set(reference_set, recipe, options.split, workers=options.workers)
        named = [
            {"recipe": c.info.recipe, "identical": len(c.identical), "rounded": len(c.rounded)}
            for c in checked
        ]
        emit(named, as_json, "\n".join(map(str, checked)))
        return
    done = degrade_set(reference_set, recipe, options)
    rows = [info.model_dump(mode="json") for info in done]
    lines = [
        f"{info.recipe_id}, seed {info.seed}: {info.images} LQ images of split {options.split} "
        f"in {reference_set / 'lq'}"
        for info in done
    ]
    emit(rows, as_json, "\n".join(lines))


@command(recipes, "list", example="refbench recipes list")
def list_recipes(as_json: AsJson = False) -> None:
    """List the bundled recipes."""
    from .recipes.bundled import RECIPES

    rows = [{"name": recipe.name, "id": recipe.id, "title": recipe.title} for recipe in RECIPES.values()]
    sweep = {"name": "severity-LEVEL", "title": "one sweep: 0 no change, 0.5 moderate, 1 severe"}
    width = max(len(row["name"]) for row in rows)
    emit([*rows, sweep], as_json, "\n".join(f"{r['name']:<{width}}  {r['title']}" for r in [*rows, sweep]))


@command(recipes, "show", example="refbench recipes show refldm-severe")
def show_recipe(name: RecipeName, as_json: AsJson = False) -> None:
    """Print a recipe as YAML: a bundled one, or a file to check."""
    import yaml

    from .recipes.lookup import load_recipe

    text = load_recipe(name).to_yaml()
    emit(yaml.safe_load(text) if as_json else None, as_json, text.rstrip("\n"))


@command(app, "preview", panel=DEGRADE, example="refbench preview set --recipe refldm-severe --out sheet.png")
def preview(
    photos: Annotated[
        Path, typer.Argument(metavar="SET", help="A reference set, a folder of HQ pictures, or one picture.")
    ],
    recipe: Annotated[
        str, typer.Option("--recipe", "-r", help="Name of a recipe, or a YAML file.")
    ] = "refldm-severe",
    out: Annotated[Path, typer.Option("--out", "-o", help="The contact sheet, a PNG.")] = Path("preview.png"),
    seed: Seed = 0,
    samples: Annotated[int, typer.Option(help="Draws that the quantiles rest on.", min=1)] = 100,
    workers: Workers = 1,
    table: Annotated[Path | None, typer.Option(help="Also write every draw, as CSV.")] = None,
    as_json: AsJson = False,
) -> None:
    """Show what a recipe does: a contact sheet by quantiles of severity, and statistics of the draws."""
    from ..files import write_text
    from ..images import find_photos, write_png
    from .recipes.lookup import load_recipe
    from .reports.preview import preview_recipe

    folder = photos / "images" if (photos / "set.json").is_file() else photos
    paths = [photos] if photos.is_file() else find_photos(folder)
    images = {path.stem: path for path in paths}
    made = preview_recipe(images, load_recipe(recipe), seed, samples=samples, workers=workers)
    write_png(out, made.sheet)
    if table is not None:
        write_text(table, made.draws.to_csv(index=False, lineterminator="\n"))
    statistics = made.statistics.to_string(index=False, na_rep="", float_format="{:.3f}".format)
    rows = made.statistics.to_dict("records")
    emit({"sheet": str(out), "statistics": rows}, as_json, f"{statistics}\nwrote {out}")
