"""Commands that join rooms: `score`, `evaluate`, `publish` and `demo`, each a call of its function."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from .command_line.arguments import (
    AsJson,
    Device,
    Model,
    Out,
    Recipe,
    Recipes,
    SetFolder,
    Store,
    StoreFolder,
    Submissions,
    emit,
    set_and_submissions,
)
from .command_line.commands import BOARD, HOUSEKEEPING, LAST, SCORE, OldFlag, command
from .command_line.option_flags import options_command

if TYPE_CHECKING:
    from .evaluate_options import EvaluateOptions
    from .leaderboard.site.options import PublishOptions
    from .metrics.core.options import ScoreOptions

app = typer.Typer()


def _score_options() -> type[ScoreOptions]:
    from .metrics.core.options import ScoreOptions

    return ScoreOptions


def _evaluate_options() -> type[EvaluateOptions]:
    from .evaluate_options import EvaluateOptions

    return EvaluateOptions


def _publish_options() -> type[PublishOptions]:
    from .leaderboard.site.options import PublishOptions

    return PublishOptions


@options_command(
    app,
    "score",
    options=_score_options,
    panel=SCORE,
    example="refbench score set my-model --recipe refldm-severe --store store",
    flags={"protocols": ("--protocol", "-p"), "allow_missing": ("--allow-missing/--no-allow-missing",)},
)
def score(
    reference_set: SetFolder,
    submissions: Submissions,
    recipe: Recipe,
    store: Store,
    options: ScoreOptions,
    as_json: AsJson = False,
) -> None:
    """Score submissions in one pass and add their records to a store."""
    from .verbs import score as run
    from .verbs import summary

    table = summary(run(reference_set, recipe, submissions, store, options=options))
    emit(table.to_dict("records"), as_json, table.to_string(index=False, na_rep="-"))


@options_command(
    app,
    "evaluate",
    options=_evaluate_options,
    panel=SCORE,
    example="refbench evaluate set --model refldm-mini --recipe refldm-severe --store store --out runs",
    flags={"protocols": ("--protocol", "-p"), "record_times": ("--times/--no-times",)},
    old=[OldFlag("--set", "SET", 0)],
)
def evaluate(
    reference_set: SetFolder,
    model: Model,
    recipe: Recipes,
    store: Store,
    out: Out,
    options: EvaluateOptions,
    as_json: AsJson = False,
) -> None:
    """Restore, check, score and record in one go; a run that was killed goes on where it was."""
    from .verbs import evaluate as run
    from .verbs import summary

    records, folders = run(reference_set, recipe, model, out, store=store, options=options)
    table = summary(records)
    following = " ".join(map(str, ["refbench publish", store, reference_set, *folders, "--out site"]))
    text = f"{table.to_string(index=False, na_rep='-')}\n\nNext: {following}"
    emit({"table": table.to_dict("records"), "next": following}, as_json, text)


@options_command(
    app,
    "publish",
    options=_publish_options,
    panel=BOARD,
    example="refbench publish store set my-model --out site",
    flags={"reference_sets": (), "submissions": ()},
    old=[OldFlag("--set", "SET", 1), OldFlag("--submission", "SUBMISSION", LAST)],
)
def publish(
    store: StoreFolder,
    out: Out,
    options: PublishOptions,
    pictures: Annotated[
        list[Path] | None,
        typer.Argument(
            metavar="[SET|SUBMISSION]...",
            help="Reference sets (folders with set.json) and submissions, for the pictures.",
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Write the leaderboard of a store as a static site that opens from disk."""
    from .verbs import publish as run

    sets, submissions = set_and_submissions(pictures or [])
    page = run(store, out, sets or None, submissions or None, options=options)
    emit({"page": str(page)}, as_json, str(page))


@command(app, "demo", panel=HOUSEKEEPING, example="refbench demo --photos my-photos --out my-demo")
def demo(
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder to write.")] = Path("refbench-demo"),
    photos: Annotated[
        Path | None, typer.Option(help="Your own folder of photos instead of the sample people.")
    ] = None,
    device: Device = "auto",
    as_json: AsJson = False,
) -> None:
    """Run all five verbs on the bundled sample people, or on your own photos, and print where the page is."""
    from .demo import demo as run

    result = run(out, photos, device)
    emit(result.as_json(), as_json, result.text())
