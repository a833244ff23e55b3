"""Commands of the board: `compare` two models, and `records` (import, list, migrate, verify, push ...)."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..command_line.arguments import AsJson, Seed, SetFolder, StoreFolder, Submissions, emit
from ..command_line.commands import BOARD, OldFlag, command, group
from ..errors import FaultListError, RefbenchError
from .estimands import MeanOver

if TYPE_CHECKING:
    from .store.store import StoredRecord

app = typer.Typer()
records = group(
    "records",
    "Bring in, list, show and verify records.",
    panel=BOARD,
    example="refbench records list store",
    moved={"codabench": "codabench"},
)
app.add_typer(records)


@command(app, "compare", panel=BOARD, example="refbench compare store refldm-mini ldm-mini")
def compare(
    store: StoreFolder,
    a: Annotated[str, typer.Argument(metavar="A", help="Model, or MODEL@VERSION.")],
    b: Annotated[str, typer.Argument(metavar="B", help="Model, or MODEL@VERSION.")],
    *,
    mean: Annotated[
        MeanOver, typer.Option(help="What means are taken over: images, or people with equal weights.")
    ] = "images",
    seed: Annotated[int, typer.Option(hidden=True, help="Without effect: nothing is drawn.")] = 0,
    as_json: AsJson = False,
) -> None:
    """Compare two models: paired differences with 95 % intervals and the test that fits them."""
    from ..metrics.catalogue import protocols_of_records
    from .statistics.comparison import compare_models, comparison_rows, comparison_text
    from .store.store import Store

    kept = Store(store)
    protocols = protocols_of_records(entry.record for entry in kept.readable()[0])
    lines = compare_models(kept, a, b, protocols=protocols, over=mean)
    emit(comparison_rows(lines), as_json, comparison_text(lines, a, b))


@command(records, "import", example="refbench records import store other-store")
def import_records(
    store: StoreFolder,
    paths: Annotated[
        list[Path], typer.Argument(metavar="RECORD...", help="Folders with records at any depth.")
    ],
    as_json: AsJson = False,
) -> None:
    """Add records to a store; records are never overwritten, and identical ones are skipped."""
    from .store.store import Store

    folders = [str(folder) for path in paths for folder in Store(store).import_records(path)]
    emit(folders, as_json, "\n".join(folders))


@command(records, "list", example="refbench records list store")
def list_records(store: StoreFolder, as_json: AsJson = False) -> None:
    """List the records of a store: track, model, unscored images, superseding record, flags."""
    from .store.store import Store

    stored, faults = Store(store).readable()
    emit([_facts(one) for one in stored], as_json, "\n".join(map(_line, stored)))
    _tell(faults)


@command(records, "show", example="refbench records show store ReF-LDM-mini@1")
def show_record(
    store: StoreFolder,
    name: Annotated[str, typer.Argument(metavar="RECORD", help="Name of a record, as `list` prints it.")],
    as_json: AsJson = False,
) -> None:
    """Print the records of one name: card, track, the mean of each protocol, provenance."""
    from .store.store import Store
    from .tables.summary import summary

    stored, faults = Store(store).readable()
    found = [one for one in stored if name in (one.name, one.folder.name)]
    if not found and any(f"/{name}:" in fault for fault in faults):
        raise FaultListError(str(store), [fault for fault in faults if f"/{name}:" in fault])
    if not found:
        raise RefbenchError(f"{store} holds no record {name!r}; see: refbench records list {store}")
    tables = [summary([one.record]) for one in found]
    rows = [
        {**_facts(one), "scores": table.iloc[0].to_dict(), "info": one.record.info.model_dump(mode="json")}
        for one, table in zip(found, tables, strict=True)
    ]
    text = [
        "\n".join([_line(one), *(f"  {key}: {value}" for key, value in table.iloc[0].items())])
        for one, table in zip(found, tables, strict=True)
    ]
    emit(rows, as_json, "\n".join(text))


@command(records, "migrate", example="refbench records migrate store --out new-store")
def migrate(
    store: StoreFolder,
    out: Annotated[Path, typer.Option("--out", "-o", help="New folder.")],
    as_json: AsJson = False,
) -> None:
    """Copy a store of version 0.1 into the present form: one folder per track; the store is not touched."""
    from .store.migrate import migrate_store
    from .store.store import Store

    made = [str(folder) for folder in migrate_store(Store(store), out)]
    emit(made, as_json, "\n".join(made))


@command(records, "verify", example="refbench records verify store")
def verify(store: StoreFolder, as_json: AsJson = False) -> None:
    """Check every record of a store: schema, names, counts, bounds, reasons, links."""
    from ..metrics.catalogue import protocols_of_records
    from .store.store import Store

    kept = Store(store)
    readable, _ = kept.readable()
    found = kept.verify(protocols_of_records(entry.record for entry in readable))
    if found and not as_json:
        raise FaultListError(str(store), [f"{problem.where}: {problem.what}" for problem in found])
    rows = [{"where": problem.where, "what": problem.what} for problem in found]
    emit(rows, as_json, "" if found else f"{store}: {len(readable)} records, nothing is wrong")
    if found:
        raise typer.Exit(1)


@command(records, "supersede", example="refbench records supersede store/TRACK/OLD store/TRACK/NEW")
def supersede(
    old: Annotated[Path, typer.Argument(metavar="OLD", help="Folder of the superseded record.")],
    new: Annotated[Path, typer.Argument(metavar="NEW", help="Folder of the record that supersedes it.")],
) -> None:
    """Mark a record as superseded by another one of the same track; both stay in the store."""
    from .store.store import Store

    Store(old.parent.parent).supersede(old, new)
    typer.echo(f"{old.name} is superseded by {new.name}")


@command(
    records, "flag", example="refbench records flag store set my-model", old=[OldFlag("--set", "SET", 1)]
)
def flag(
    store: StoreFolder, reference_set: SetFolder, submissions: Submissions, as_json: AsJson = False
) -> None:
    """Detect copies and training overlap, and write the flags beside the records."""
    from ..records.reference_set import ReferenceSet
    from .integrity.flagging import flag_records
    from .store.store import Store
    from .submission.submission import read_submission, submission_paths

    given = [read_submission(found) for path in submissions for found in submission_paths(path)]
    found = [
        (f"{folder.parent.name}/{folder.name}", flags)
        for folder, flags in flag_records(Store(store), ReferenceSet.read(reference_set), given)
    ]
    rows = [
        {"record": name, "flags": [one.model_dump(mode="json") for one in flags]} for name, flags in found
    ]
    lines = [f"{name}: {'; '.join(one.text for one in flags) or 'nothing found'}" for name, flags in found]
    emit(rows, as_json, "\n".join(lines))


@command(records, "example", example="refbench records example ex")
def example(
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="New folder.")],
    models: Annotated[int, typer.Option(min=1, help="Number of synthetic models.")] = 5,
    identities: Annotated[int, typer.Option(min=2, help="Number of drawn people.")] = 12,
    seed: Seed = 0,
    as_json: AsJson = False,
) -> None:
    """Write an example: drawn faces as a set, and synthetic submissions and records."""
    from ..metrics.catalogue import OFFLINE, PROTOCOLS
    from .examples.example import write_example

    if folder.exists():
        raise RefbenchError(f"{folder} is there already; made-up records go into a new folder")
    declared = {name: PROTOCOLS[name] for name in OFFLINE}
    try:
        store, made, submissions = write_example(folder, declared, models, identities=identities, seed=seed)
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    given = " ".join(map(str, submissions))
    following = f"refbench publish {store.root} {made.root} {given} --out site"
    emit({"folder": str(folder), "next": following}, as_json, f"{folder}\nLook at it: {following}")


@command(records, "push", example="refbench records push store owner/dataset")
def push_to_hub(
    store: StoreFolder,
    repo: Annotated[str, typer.Argument(metavar="OWNER/NAME", help="Data set on the Hugging Face Hub.")],
    private: Annotated[
        bool, typer.Option("--private", help="Make the data set private if it is new.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Upload the records of a store as a data set to the Hugging Face Hub."""
    from .sharing.hub import push_records
    from .store.store import Store

    address = push_records(Store(store), repo, private=private)
    emit({"address": address}, as_json, address)


@command(records, "workflow", example="refbench records workflow > .github/workflows/leaderboard.yml")
def workflow() -> None:
    """Print a GitHub workflow that publishes a store of records on GitHub Pages."""
    from .rendering.assets import asset

    typer.echo(asset("github-pages.yml").decode("utf-8"), nl=False)


def _tell(faults: Sequence[str]) -> None:
    """Name on stderr the records that could not be read; exit code 1 if there are any."""
    for fault in faults:
        typer.echo(f"left out: {fault}", err=True)
    if faults:
        raise typer.Exit(1)


def _facts(stored: StoredRecord) -> dict[str, Any]:
    """A record as plain values."""
    from .store.flags import read_flags

    info = stored.record.info
    return {
        "benchmark": stored.folder.parent.name,
        "track": info.benchmark.track.id,
        "record": stored.folder.name,
        **info.card.model_dump(mode="json"),
        "images": info.benchmark.images,
        "unscored": int(stored.record.scores["value"].isna().sum()),
        "superseded_by": info.superseded_by,
        "flags": [flag.kind for flag in read_flags(stored.folder)],
    }


def _line(stored: StoredRecord) -> str:
    facts = _facts(stored)
    notes = [f"{facts['unscored']} unscored"] if facts["unscored"] else []
    notes += [f"superseded by {facts['superseded_by']}"] if facts["superseded_by"] else []
    notes += facts["flags"]
    return f"{facts['benchmark']}  {facts['record']}" + (f"  ({', '.join(notes)})" if notes else "")
