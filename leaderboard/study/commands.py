"""Commands of user studies: `study new` and `study analyse`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ...command_line.arguments import AsJson, Recipe, SetFolder, StoreFolder, Submissions, emit
from ...command_line.commands import BOARD, OldFlag, command, group

study = group(
    "study",
    "Run user studies: pages for participants, votes into scores.",
    panel=BOARD,
    example="refbench study analyse study.key.json votes-1.json votes-2.json --store store",
)


@command(
    study,
    "new",
    example="refbench study new store set model-a model-b --recipe refldm-severe --out study",
    old=[OldFlag("--set", "SET", 1), OldFlag("--submission", "SUBMISSION", 2)],
)
def create_study(
    store: StoreFolder,
    reference_set: SetFolder,
    submissions: Submissions,
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder of the page; the key goes beside it.")],
    recipe: Recipe,
    items: Annotated[int, typer.Option(min=1, help="Questions per participant.")] = 40,
    seed: Annotated[int, typer.Option(help="Decides images, pairs and sides.")] = 0,
    question: Annotated[str, typer.Option(help="Asked above each pair; empty for the default.")] = "",
    as_json: AsJson = False,
) -> None:
    """Make a study of blinded pairs as a static page; send the folder, keep the key."""
    from ...records.reference_set import ReferenceSet
    from ..store.store import Store
    from ..submission.submission import read_submission
    from .create import create_study as make

    chosen = ReferenceSet.read(reference_set)
    given = [read_submission(path) for path in submissions]
    page, key = make(
        Store(store), chosen, given, recipe=recipe, items=items, out=out, seed=seed, question=question
    )
    following = f"refbench study analyse {key} votes-*.json --store {store}"
    text = f"{page}\nSend participants this folder; keep {key} to yourself.\nThen: {following}"
    emit({"page": str(page), "key": str(key), "next": following}, as_json, text)


@command(
    study, "analyse", example="refbench study analyse study.key.json votes-1.json votes-2.json --store store"
)
def analyse_study(
    key: Annotated[Path, typer.Argument(metavar="KEY", help="NAME.key.json, kept by the organiser.")],
    votes: Annotated[list[Path], typer.Argument(metavar="VOTES...", help="Files that participants saved.")],
    store: Annotated[
        Path | None,
        typer.Option("--store", help="Store of the benchmark: compare with metrics, keep the result."),
    ] = None,
    seed: Annotated[int, typer.Option(help="Seed of the bootstrap.")] = 0,
    as_json: AsJson = False,
) -> None:
    """Compute scores with intervals from votes, agreement among people, and agreement with metrics."""
    from ...metrics.catalogue import protocols_of_records
    from ..store.store import Store
    from ..store.study_results import model_labels, result_text, save_result
    from .study import StudyKey
    from .votes import analyse_votes, read_votes

    known = StudyKey.read(key)
    kept = Store(store) if store else None
    protocols = protocols_of_records(entry.record for entry in (kept.readable()[0] if kept else ()))
    result = analyse_votes(known, read_votes(votes, known), kept, protocols=protocols, seed=seed)
    if kept is not None:
        save_result(kept, result)
    titles = {name: protocol.title for name, protocol in protocols.items()}
    text = result_text(result, model_labels(kept) if kept else {}, titles)
    emit(result.model_dump(mode="json"), as_json, text)
