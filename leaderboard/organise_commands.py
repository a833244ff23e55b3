"""Commands of participants and organisers: `submission`, `challenge`, `kit`, `container` and `codabench`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ..command_line.arguments import (
    AsJson,
    Recipe,
    SetAndSubmissions,
    SetFolder,
    Split,
    emit,
    set_and_submissions,
)
from ..command_line.commands import ORGANISE, OldFlag, command, group
from ..errors import FaultListError, InvalidInputError

app = typer.Typer()
submission = group(
    "submission",
    "Make and check submissions, offline.",
    panel=ORGANISE,
    example="refbench submission check set my-model",
    moved={"kit": "kit", "container": "container", "challenge": "challenge"},
)
app.add_typer(submission)

ShowTargets = Annotated[
    bool,
    typer.Option(
        "--show-targets",
        help="Allow targets that are references of others; their HQ images are then included.",
    ),
]
NewFolder = Annotated[Path, typer.Option("--out", "-o", help="New folder.")]


@command(submission, "new", example="refbench submission new my-model --model 'My model'")
def new_submission(
    folder: Annotated[
        Path, typer.Argument(metavar="SUBMISSION", help="Where your restored KEY.png are or will be.")
    ],
    model: Annotated[str, typer.Option(help="Name of the model.")] = "My model",
    team: Annotated[str, typer.Option(help="Who made it.")] = "unknown",
    as_json: AsJson = False,
) -> None:
    """Write a card to fill in (submission.yaml), with a comment on each field."""
    from ..files import write_text
    from ..records.card import CARD_NAME, Card, card_text

    path = folder / CARD_NAME
    if path.exists():
        raise InvalidInputError(f"{path} is there already; edit it, or remove it first")
    write_text(path, card_text(Card(model=model, team=team), explained=True))
    following = f"refbench submission check SET {folder}"
    text = f"{path}\nFill it in, put one PNG per key beside it, then: {following}"
    emit({"card": str(path), "next": following}, as_json, text)


@command(
    submission,
    "check",
    example="refbench submission check set my-model --split test",
    old=[OldFlag("--set", "SET", 0)],
)
def check(
    paths: SetAndSubmissions,
    recipe: Annotated[
        str, typer.Option("--recipe", "-r", help="Recipe that was restored; it is looked for in the set.")
    ] = "",
    split: Split = "test",
    names: Annotated[
        str,
        typer.Option(
            help="Names of the images, such as '{key}_00.png' (default: KEY.png, or a guess, which is told)."
        ),
    ] = "",
    as_json: AsJson = False,
) -> None:
    """Report every fault of a submission at once, by the rules of the scorer, and the next step.

    Without a set, keys and sizes are not checked.
    """
    from ..records.reference_set import ReferenceSet
    from .submission.submission import check_submission, recipes_of

    sets, submissions = set_and_submissions(paths)
    if len(sets) > 1 or not submissions:
        raise InvalidInputError("give one reference set at most, and at least one submission")
    chosen = ReferenceSet.read(sets[0]) if sets else None
    where = str(sets[0]) if sets else "SET"
    there = recipes_of(chosen) if chosen is not None else []
    if chosen is not None and recipe and not chosen.lq_folder(recipe).is_dir():
        named = f"it has LQ images of {', '.join(there)}" if there else "it has no LQ images"
        fix = f"make them with: refbench degrade {where} --recipe {recipe}"
        raise FaultListError(where, [f"no LQ images of the recipe {recipe!r}; {named}"], fix)
    shown = recipe or (there[0] if len(there) == 1 else "RECIPE")
    rows = []
    lines: list[str] = []
    for path in submissions:
        checked = check_submission(path, chosen, split, names=names)
        following = f"refbench score {where} {path} --recipe {shown} --store STORE"
        again = " ".join(map(str, ["refbench submission check", *sets, path]))
        if checked.faults and not as_json:
            raise FaultListError(str(path), checked.faults, f"fix these, then: {again}")
        rows.append(
            {"faults": checked.faults, "notes": checked.notes, "next": "" if checked.faults else following}
        )
        images = len(checked.submission.images) if checked.submission else 0
        lines += [f"note: {note}" for note in checked.notes]
        lines.append(f"{path}: {images} images, nothing is wrong. Next: {following}")
    if shown == "RECIPE" and there:
        lines.append(f"RECIPE: one of {', '.join(there)}")
    emit(rows[0] if len(rows) == 1 else rows, as_json, "\n".join(lines))
    if any(row["faults"] for row in rows):
        raise typer.Exit(1)


@command(app, "challenge", panel=ORGANISE, example="refbench challenge set --out challenge --per-person 1")
def challenge(
    reference_set: SetFolder,
    out: NewFolder,
    per_person: Annotated[int, typer.Option(min=1, help="Images of each person to restore, at most.")] = 1,
    as_json: AsJson = False,
) -> None:
    """Make a set in which no scored image is a reference, so that kits contain no scored HQ image."""
    from ..records.reference_set import ReferenceSet
    from .submission.challenge import write_challenge_set

    made = write_challenge_set(ReferenceSet.read(reference_set), out, per_person)
    counts = dict(made.info.counts)
    held = f"{counts['images_with_references']} of {counts['images']} images are to be restored"
    following = f"refbench degrade {out} --recipe refldm-severe"
    emit({"set": str(out), "counts": counts, "next": following}, as_json, f"{out}: {held}. Next: {following}")


@command(app, "kit", panel=ORGANISE, example="refbench kit challenge --recipe refldm-severe --out kit")
def kit(
    reference_set: SetFolder,
    out: NewFolder,
    recipe: Recipe,
    split: Split = "test",
    show_targets: ShowTargets = False,
    as_json: AsJson = False,
) -> None:
    """Write a kit for participants or a container: LQ images, references and a card to fill in."""
    from ..records.reference_set import ReferenceSet
    from .submission.kit import write_kit

    chosen = ReferenceSet.read(reference_set)
    made = write_kit(chosen, recipe, out, split=split, show_targets=show_targets)
    emit({"kit": str(made)}, as_json, str(made))


@command(app, "container", panel=ORGANISE, example="refbench container box --model 'My model'")
def container(
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="New folder.")],
    model: Annotated[str, typer.Option(help="Name of the model.")] = "My model",
    as_json: AsJson = False,
) -> None:
    """Write a Dockerfile, a script to fill in, and a script that runs the image without network."""
    from .submission.kit import write_container

    made = write_container(folder, model)
    steps = [f"docker build -t my-model {made}", f"sh {made / 'run.sh'} my-model KIT OUT"]
    text = "\n".join([f"{made}: write your model into {made / 'restore_all.py'}, then:", *steps])
    emit({"folder": str(made), "next": steps}, as_json, text)


@command(
    app,
    "codabench",
    panel=ORGANISE,
    example="refbench codabench challenge -r refldm-severe --title Faces --start 2030-01-31 --out c.zip",
)
def codabench(
    reference_set: SetFolder,
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder, or a file named *.zip.")],
    recipe: Annotated[str, typer.Option("--recipe", "-r", help="Recipe that participants restore.")],
    title: Annotated[str, typer.Option(help="Title of the challenge.")],
    start: Annotated[str, typer.Option(help="First day, like 2030-01-31.")],
    end: Annotated[str, typer.Option(help="Last day; none for a challenge that stays open.")] = "",
    image: Annotated[str, typer.Option(help="Container image with refbench.")] = "refbench/refbench:latest",
    contact: Annotated[str, typer.Option(help="Of the organisers.")] = "",
    protocol: Annotated[
        list[str] | None, typer.Option("--protocol", "-p", help="Protocol id; may be repeated.")
    ] = None,
    split: Split = "test",
    show_targets: ShowTargets = False,
    as_json: AsJson = False,
) -> None:
    """Write a Codabench bundle: pages, public and private data, and the scoring program."""
    from ..metrics.catalogue import OFFLINE, select
    from ..records.reference_set import ReferenceSet
    from ..weights import weight_files
    from .sharing.codabench import Challenge, write_codabench_bundle

    chosen = [metric.protocol for metric in select(protocol or OFFLINE)]
    needed = {name: weight_files.path(name) for declared in chosen for name in declared.weights}
    plan = Challenge(title, start, end, image, contact=contact)
    made = write_codabench_bundle(
        ReferenceSet.read(reference_set),
        recipe,
        out,
        challenge=plan,
        protocols=chosen,
        split=split,
        weights=needed,
        show_targets=show_targets,
    )
    emit({"bundle": str(made)}, as_json, str(made))
