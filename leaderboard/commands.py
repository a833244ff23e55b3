"""Commands of the leaderboard: check submissions, keep records, compare models."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Annotated

import typer

from ..errors import FaultListError, InvalidInputError, RefbenchError
from .study.commands import study

__all__ = ["compare", "records", "study", "submission"]

submission = typer.Typer(help="Make and check submissions, offline.", no_args_is_help=True)
records = typer.Typer(help="Bring in, list and verify records.", no_args_is_help=True)

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON to stdout.")]
ShowTargets = Annotated[
    bool, typer.Option("--show-targets", help="Allow targets that are references of others, HQ and all.")
]
StoreFolder = Annotated[Path, typer.Argument(metavar="STORE", help="Folder of records.")]


@submission.command("new")
def new_submission(
    folder: Annotated[
        Path, typer.Argument(metavar="FOLDER", help="Where your restored KEY.png are or will be.")
    ],
    model: Annotated[str, typer.Option(help="Name of the model.")] = "My model",
    team: Annotated[str, typer.Option(help="Who made it.")] = "unknown",
) -> None:
    """Write a card to fill in (submission.yaml), with a word on each field."""
    from ..files import write_text
    from ..records.card import CARD_NAME, Card, card_text

    path = folder / CARD_NAME
    if path.exists():
        raise InvalidInputError(f"{path} is there already; edit it, or remove it first")
    write_text(path, card_text(Card(model=model, team=team), explained=True))
    typer.echo(f"{path}\nFill it in, put one PNG per key beside it, then: refbench submission check {folder}")


@submission.command("check")
def check(
    path: Annotated[Path, typer.Argument(metavar="SUBMISSION", help="Folder, zip or tar.")],
    reference_set: Annotated[
        Path | None, typer.Option("--set", help="Reference set: check keys and sizes, too.")
    ] = None,
    recipe: Annotated[
        str, typer.Option("--recipe", "-r", help="Recipe that was restored.")
    ] = "refldm-severe",
    split: Annotated[str, typer.Option(help="train, val, test or all.")] = "test",
    as_json: AsJson = False,
) -> None:
    """Tell every fault of a submission at once, by the rules of the scorer, and the next step."""
    from ..records.reference_set import ReferenceSet
    from .submission.submission import check_submission

    chosen = ReferenceSet.read(reference_set) if reference_set else None
    checked = check_submission(path, chosen, split)
    where = str(reference_set) if reference_set else "SET"
    following = f"refbench score {where} {path} --recipe {recipe} --store STORE"
    if as_json:
        said = {"faults": checked.faults, "notes": checked.notes, "next": "" if checked.faults else following}
        typer.echo(json.dumps(said, indent=2, ensure_ascii=False))
    if checked.faults:
        if as_json:
            raise typer.Exit(1)
        raise FaultListError(str(path), checked.faults, f"fix these, then: refbench submission check {path}")
    if not as_json:
        assert checked.submission is not None
        notes = [f"note: {note}" for note in checked.notes]
        images = len(checked.submission.images)
        typer.echo("\n".join([*notes, f"{path}: {images} images, nothing is wrong. Next: {following}"]))


@submission.command("kit")
def kit(
    reference_set: Annotated[Path, typer.Argument(metavar="SET", help="Folder of a reference set.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="New folder.")],
    recipe: Annotated[str, typer.Option("--recipe", "-r", help="Recipe of the LQ images.")],
    split: Annotated[str, typer.Option(help="train, val or test.")] = "test",
    show_targets: ShowTargets = False,
) -> None:
    """Write what a restorer may see and no more: LQ, references, a card; for participants or a container."""
    from ..records.reference_set import ReferenceSet
    from .submission.kit import write_kit

    typer.echo(
        str(write_kit(ReferenceSet.read(reference_set), recipe, out, split=split, show_targets=show_targets))
    )


@submission.command("container")
def container(
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="New folder.")],
    model: Annotated[str, typer.Option(help="Name of the model.")] = "My model",
) -> None:
    """Write a Dockerfile, a script to fill in, and what runs the image with no network, inputs read-only."""
    from .submission.kit import write_container

    made = write_container(folder, model)
    steps = [f"docker build -t my-model {made}", f"sh {made / 'run.sh'} my-model KIT OUT"]
    typer.echo("\n".join([f"{made}: write your model into {made / 'restore_all.py'}, then:", *steps]))


@submission.command("challenge")
def challenge(
    reference_set: Annotated[Path, typer.Argument(metavar="SET", help="Folder of a reference set.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="New folder.")],
    per_person: Annotated[int, typer.Option(min=1, help="Images of each person to restore, at most.")] = 1,
) -> None:
    """Make a set of which nothing that is scored is a reference, so that kits give no HQ image away."""
    from ..records.reference_set import ReferenceSet
    from .submission.challenge import write_challenge_set

    made = write_challenge_set(ReferenceSet.read(reference_set), out, per_person)
    counts = made.info.counts
    held = f"{counts['images_with_references']} of {counts['images']} images are to be restored"
    typer.echo(f"{out}: {held}. Next: refbench degrade {out} --recipe refldm-severe")


@records.command("import")
def import_records(
    store: StoreFolder,
    paths: Annotated[
        list[Path], typer.Argument(metavar="RECORD...", help="Folders with records at any depth.")
    ],
) -> None:
    """Add records to a store. What is there is never overwritten; an identical record is left as it is."""
    from .store.store import Store

    for path in paths:
        for folder in Store(store).import_records(path):
            typer.echo(str(folder))


@records.command("list")
def list_records(store: StoreFolder, as_json: AsJson = False) -> None:
    """List the records of a store: benchmark, model, images, what superseded it, flags."""
    from .store.flags import read_flags
    from .store.store import Store

    rows = []
    for stored in Store(store).stored():
        info = stored.record.info
        unscored = int(stored.record.scores["value"].isna().sum())
        flags = [flag.kind for flag in read_flags(stored.folder)]
        if as_json:
            facts = {
                "benchmark": info.benchmark.id,
                "record": stored.name,
                **info.card.model_dump(mode="json"),
            }
            counts = {"images": info.benchmark.images, "unscored": unscored}
            rows.append({**facts, **counts, "superseded_by": info.superseded_by, "flags": flags})
            continue
        extra = [f"{unscored} unscored"] if unscored else []
        extra += [f"superseded by {info.superseded_by}"] if info.superseded_by else []
        note = f"  ({', '.join([*extra, *flags])})" if extra or flags else ""
        typer.echo(f"{info.benchmark.id}  {stored.name}{note}")
    if as_json:
        typer.echo(json.dumps(rows, indent=2, ensure_ascii=False))


@records.command("verify")
def verify(store: StoreFolder, as_json: AsJson = False) -> None:
    """Check every record of a store: schema, names, counts, bounds, reasons, links."""
    from ..metrics.catalogue import PROTOCOLS
    from .store.store import Store

    found = Store(store).verify(PROTOCOLS)
    if as_json:
        typer.echo(
            json.dumps([{"where": p.where, "what": p.what} for p in found], indent=2, ensure_ascii=False)
        )
        if found:
            raise typer.Exit(1)
        return
    if found:
        raise FaultListError(str(store), [f"{problem.where}: {problem.what}" for problem in found])
    typer.echo(f"{store}: {len(Store(store).stored())} records, nothing is wrong")


@records.command("supersede")
def supersede(
    old: Annotated[Path, typer.Argument(metavar="OLD", help="Folder of the record that gives way.")],
    new: Annotated[Path, typer.Argument(metavar="NEW", help="Folder of the record that takes its place.")],
) -> None:
    """Note that a record gives way to another one of the same benchmark; both stay."""
    from .store.store import Store

    Store(old.parent.parent).supersede(old, new)
    typer.echo(f"{old.name} is superseded by {new.name}")


@records.command("flag")
def flag(
    store: StoreFolder,
    reference_set: Annotated[Path, typer.Option("--set", help="Reference set of the benchmark.")],
    submissions: Annotated[list[Path], typer.Argument(metavar="SUBMISSION...", help="Folders or archives.")],
) -> None:
    """Look for copies and training overlap, and keep what is found as flags beside the records."""
    from ..records.reference_set import ReferenceSet
    from .integrity.flagging import flag_records
    from .store.store import Store
    from .submission.submission import read_submission

    given = [read_submission(path) for path in submissions]
    for folder, flags in flag_records(Store(store), ReferenceSet.read(reference_set), given):
        said = "; ".join(found.text for found in flags) or "nothing found"
        typer.echo(f"{folder.parent.name}/{folder.name}: {said}")


@records.command("example")
def example(
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="New folder.")],
    models: Annotated[int, typer.Option(min=1, help="How many made-up models.")] = 5,
    identities: Annotated[int, typer.Option(min=2, help="Of how many drawn people.")] = 12,
    seed: Annotated[int, typer.Option(help="Another seed, other numbers.")] = 0,
) -> None:
    """Write drawn faces and made-up records, to look at a board before there is any."""
    from ..metrics.catalogue import OFFLINE, PROTOCOLS
    from .examples.example import write_example

    if folder.exists():
        raise RefbenchError(f"{folder} is there already; made-up records go into a new folder")
    try:
        made = write_example(
            folder, {name: PROTOCOLS[name] for name in OFFLINE}, models, identities=identities, seed=seed
        )
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    given = " ".join(f"--submission {path}" for path in made[2])
    typer.echo(
        f"{folder}\nLook at it: refbench publish {made[0].root} --out site --set {made[1].root} {given}"
    )


@records.command("push")
def push_to_hub(
    store: StoreFolder,
    repo: Annotated[str, typer.Argument(metavar="OWNER/NAME", help="Data set on the Hugging Face Hub.")],
    private: Annotated[
        bool, typer.Option("--private", help="Make the data set private if it is new.")
    ] = False,
) -> None:
    """Send the records of a store to a data set on the Hugging Face Hub."""
    from .sharing.hub import push_records
    from .store.store import Store

    typer.echo(push_records(Store(store), repo, private=private))


@records.command("workflow")
def workflow() -> None:
    """Print a GitHub workflow that publishes a store of records on GitHub Pages."""
    from .rendering.assets import asset

    typer.echo(asset("github-pages.yml").decode("utf-8"), nl=False)


@records.command("codabench")
def codabench(
    reference_set: Annotated[Path, typer.Argument(metavar="SET", help="Folder of a reference set.")],
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
    split: Annotated[str, typer.Option(help="train, val or test.")] = "test",
    show_targets: ShowTargets = False,
) -> None:
    """Write a bundle for Codabench: pages, public and private data, and the scoring program."""
    from ..metrics.catalogue import OFFLINE, select
    from ..records.reference_set import ReferenceSet
    from ..weights import weight_files
    from .sharing.codabench import Challenge, write_codabench_bundle

    chosen = [metric.protocol for metric in select(protocol or OFFLINE)]
    needed = {name: weight_files.path(name) for declared in chosen for name in declared.weights}
    plan = Challenge(title, start, end, image, contact=contact)
    typer.echo(
        str(
            write_codabench_bundle(
                ReferenceSet.read(reference_set),
                recipe,
                out,
                challenge=plan,
                protocols=chosen,
                split=split,
                weights=needed,
                show_targets=show_targets,
            )
        )
    )


def compare(
    store: StoreFolder,
    a: Annotated[str, typer.Argument(metavar="A", help="Model, or MODEL@VERSION.")],
    b: Annotated[str, typer.Argument(metavar="B", help="Model, or MODEL@VERSION.")],
    *,
    seed: Annotated[int, typer.Option(help="Of the intervals and tests.")] = 0,
    as_json: AsJson = False,
) -> None:
    """Compare two models: paired differences with intervals, and whether they can be told apart."""
    from ..metrics.catalogue import PROTOCOLS
    from .statistics.comparison import as_rows, as_text, compare_models
    from .store.store import Store

    lines = compare_models(Store(store), a, b, protocols=PROTOCOLS, seed=seed)
    text = json.dumps(as_rows(lines), indent=2, ensure_ascii=False) if as_json else as_text(lines, a, b)
    typer.echo(text)
