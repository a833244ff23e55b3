"""Commands `refbench weights`: list, fetch, verify and locate the files of trained networks."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from ..command_line.arguments import AsJson, emit
from ..command_line.commands import HOUSEKEEPING, command, group

app = group(
    "weights",
    "List, fetch, verify and locate weights of networks.",
    panel=HOUSEKEEPING,
    example="refbench weights fetch demo",
)

Names = Annotated[
    list[str] | None,
    typer.Argument(metavar="[NAME|GROUP]...", help="Weights or groups (demo, paper); default all."),
]
Wanted = Annotated[
    list[str], typer.Argument(metavar="NAME|GROUP...", help="Weights or groups (demo, paper).")
]


@command(app, "list", example="refbench weights list demo")
def list_weights(names: Names = None, as_json: AsJson = False) -> None:
    """List the weights: what each file is, whether it is on this machine, its hash and its licence."""
    from . import weight_files

    chosen = weight_files.select(names) if names else list(weight_files.TABLE.values())
    rows = [_row(entry.name) for entry in chosen]
    lines = [_table(rows), f"\nfolder: {weight_files.folder()}"]
    if any(row["hash"] == "first use" for row in rows):
        lines.append("first use: the publisher states no hash; the first one is recorded and must stay.")
    emit(rows, as_json, "\n".join(lines))


@command(app, "show", example="refbench weights show mobilefacenet")
def show(names: Wanted, as_json: AsJson = False) -> None:
    """Print all that is known of some weights: what they are, hash, state, path, licence, sources."""
    from . import weight_files

    rows = [_row(entry.name) for entry in weight_files.select(names)]
    text = "\n".join(f"{name}: {_plain(value)}" for row in rows for name, value in row.items())
    emit(rows, as_json, text)


@command(app, "fetch", example="refbench weights fetch demo")
def fetch(
    names: Wanted,
    given: Annotated[
        Path | None,
        typer.Option("--from", help="Copy from this file, or folder of files, instead of downloading."),
    ] = None,
    mirror: Annotated[
        str | None,
        typer.Option(
            help="Web address of a folder that has the files by their names, tried first.",
            envvar="REFBENCH_MIRROR",
        ),
    ] = None,
    again: Annotated[
        bool,
        typer.Option("--again", help="Fetch files that are there too, and forget hashes of their first use."),
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Download weights to the weights folder, check their hashes and show their licences."""
    from .fetch import fetch_weights

    fetched = fetch_weights(names, given, mirror, again=again)
    if as_json:
        rows = [
            {"name": f.name, "path": str(f.path), "sha256": f.sha256, "source": f.source} for f in fetched
        ]
        emit(rows, as_json, "")
        return
    for one in fetched:
        typer.echo(f"{one.name}: {one.path}" + ("" if one.source else " (already there)"))


@command(app, "verify", example="refbench weights verify")
def verify(names: Names = None, as_json: AsJson = False) -> None:
    """Hash files again: those named, or all on this machine. Exit code 1 if one is damaged or missing."""
    from ..errors import FaultListError, RefbenchError
    from . import weight_files

    chosen = weight_files.select(names or list(weight_files.TABLE))
    if not names:
        chosen = [entry for entry in chosen if weight_files.state(entry.name) != "missing"]
    rows, faults = [], []
    for entry in chosen:
        try:
            file = weight_files.verify(entry.name)
            rows.append(
                {
                    "name": entry.name,
                    "path": str(file),
                    "sha256": weight_files.digest(entry.name),
                    "fault": None,
                }
            )
        except RefbenchError as error:
            rows.append({"name": entry.name, "path": None, "sha256": None, "fault": str(error)})
            faults.append(str(error))
    if as_json:
        emit(rows, as_json, "")
    else:
        for row in rows:
            typer.echo(f"{row['name']}: " + ("damaged" if row["fault"] else f"ok, sha256 {row['sha256']}"))
        if not rows:
            typer.echo(f"there are no weights in {weight_files.folder()}")
    if faults:
        raise FaultListError("weights", faults)


@command(app, "where", example="refbench weights where mobilefacenet")
def where(names: Names = None, as_json: AsJson = False) -> None:
    """Print the weights folder, or the paths of the named files; exit code 2 if one is missing."""
    from . import weight_files

    if not names:
        emit(str(weight_files.folder()), as_json, str(weight_files.folder()))
        return
    paths = {entry.name: str(weight_files.path(entry.name)) for entry in weight_files.select(names)}
    emit(paths, as_json, "\n".join(paths.values()))


def _plain(value: Any) -> str:
    """A value of a row for people."""
    if value is None:
        return "unknown"
    return ", ".join(value) if isinstance(value, list) else str(value)


def _row(name: str) -> dict[str, Any]:
    from . import weight_files

    entry = weight_files.TABLE[name]
    return {
        "name": name,
        "what": entry.what,
        "groups": [group for group, members in weight_files.GROUPS.items() if name in members],
        "state": weight_files.state(name),
        "path": str(weight_files.location(name)),
        "size": entry.size,
        "hash": "pinned" if entry.sha256 else "first use",
        "sha256": entry.sha256 or _recorded(name),
        "licence": entry.licence,
        "sources": [str(source) for source in entry.sources],
    }


def _recorded(name: str) -> str | None:
    from . import weight_files

    kept = weight_files.receipt(name)
    return kept.sha256 if kept else None


def _table(rows: list[dict[str, Any]]) -> str:
    cells = [("name", "groups", "size", "state", "hash", "licence")]
    for row in rows:
        cells.append(
            (
                row["name"],
                ", ".join(row["groups"]),
                _size(row["size"]),
                row["state"],
                row["hash"],
                row["licence"],
            )
        )
    widths = [max(len(line[column]) for line in cells) for column in range(len(cells[0]))]
    return "\n".join("  ".join(map(str.ljust, line, widths)).rstrip() for line in cells)


def _size(count: int | None) -> str:
    if count is None:
        return "?"
    return f"{count / 1e6:.1f} MB" if count >= 1_000_000 else f"{count / 1e3:.0f} kB"
