"""Commands of user studies."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

study = typer.Typer(help="Run user studies: pages for participants, votes into scores.", no_args_is_help=True)

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON to stdout.")]
StoreFolder = Annotated[Path, typer.Argument(metavar="STORE", help="Folder of records.")]


@study.command("new")
def create_study(
    store: StoreFolder,
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder of the page; the key goes beside it.")],
    reference_set: Annotated[Path, typer.Option("--set", help="Reference set of the benchmark.")],
    submissions: Annotated[
        list[Path], typer.Option("--submission", help="Folder or archive of a model; repeat for each.")
    ],
    recipe: Annotated[str, typer.Option("--recipe", "-r", help="Recipe that was restored.")],
    items: Annotated[int, typer.Option(min=1, help="Questions per participant.")] = 40,
    seed: Annotated[int, typer.Option(help="Decides images, pairs and sides.")] = 0,
    question: Annotated[str, typer.Option(help="Asked above each pair; empty for the usual one.")] = "",
) -> None:
    """Make a blinded study of pairs as one static page; send the folder, keep the key."""
    from ...records.reference_set import ReferenceSet
    from ..store.store import Store
    from ..submission.submission import read_submission
    from .create import create_study as make

    chosen = ReferenceSet.read(reference_set)
    given = [read_submission(path) for path in submissions]
    page, key = make(
        Store(store), chosen, given, recipe=recipe, items=items, out=out, seed=seed, question=question
    )
    typer.echo(f"{page}\nSend participants this folder; keep {key} to yourself.")
    typer.echo(f"Then: refbench study analyse {key} votes-*.json --store {store}")


@study.command("analyse")
def analyse_study(
    key: Annotated[Path, typer.Argument(metavar="KEY", help="NAME.key.json, kept by the organiser.")],
    votes: Annotated[list[Path], typer.Argument(metavar="VOTES...", help="Files that participants saved.")],
    store: Annotated[
        Path | None,
        typer.Option("--store", help="Store of the benchmark: compare with metrics, keep the result."),
    ] = None,
    seed: Annotated[int, typer.Option(help="Of the intervals.")] = 0,
    as_json: AsJson = False,
) -> None:
    """Turn votes into scores with intervals, agreement among people, and agreement with each metric."""
    from ...metrics.catalogue import PROTOCOLS
    from ..store.store import Store
    from ..store.study_results import model_labels, result_text, save_result
    from .study import StudyKey
    from .votes import analyse_votes, read_votes

    known = StudyKey.read(key)
    kept = Store(store) if store else None
    result = analyse_votes(known, read_votes(votes, known), kept, protocols=PROTOCOLS, seed=seed)
    if kept is not None:
        save_result(kept, result)
    titles = {name: protocol.title for name, protocol in PROTOCOLS.items()}
    text = result_text(result, model_labels(kept) if kept else {}, titles)
    typer.echo(json.dumps(result.model_dump(mode="json"), indent=2, ensure_ascii=False) if as_json else text)
