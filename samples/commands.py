"""`refbench samples`: photos to try things on."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ..command_line.arguments import AsJson, emit
from ..command_line.commands import HOUSEKEEPING, command, group

app = group(
    "samples",
    "Photos to try things on.",
    panel=HOUSEKEEPING,
    example="refbench samples fetch london --out london",
)

KNOWN = {
    "people": "the sample people of the package: composites of 31 invented people, for the demo",
    "london": "Face Research Lab London Set, 102 people, neutral and smiling, CC BY 4.0; fetched on demand",
}


@command(app, "list", example="refbench samples list")
def list_samples(as_json: AsJson = False) -> None:
    """List the sets of photos: the one in the package, and those that can be fetched."""
    rows = [{"name": name, "what": what} for name, what in KNOWN.items()]
    emit(rows, as_json, "\n".join(f"{name:<8}{what}" for name, what in KNOWN.items()))


@command(app, "show", example="refbench samples show people")
def show_sample(
    name: Annotated[str, typer.Argument(metavar="NAME", help="people or london.")], as_json: AsJson = False
) -> None:
    """Describe a set of photos, and name the folder of the bundled one."""
    from ..errors import RefbenchError
    from .sample_people import PEOPLE

    if name not in KNOWN:
        raise RefbenchError(f"there are no photos {name!r}; there are {', '.join(KNOWN)}")
    folder = str(PEOPLE) if name == "people" else None
    where = folder or "fetch them with: refbench samples fetch london"
    emit({"name": name, "what": KNOWN[name], "folder": folder}, as_json, f"{name}: {KNOWN[name]}\n{where}")


@command(app, "fetch", example="refbench samples fetch london --out london")
def fetch(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Which set: london is the only one.")],
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="Folder to write; by default the name.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Download a set of real photos from its publisher, with its licence.

    london: Face Research Lab London Set, 102 people, neutral and smiling, CC BY 4.0.
    """
    from ..errors import RefbenchError
    from .fetch import DOI, fetch_london

    if name != "london":
        raise RefbenchError(f"there is no set {name!r} to fetch; there is london")
    got = fetch_london(out or Path(name))
    text = f"{got.folder}: {got.photos} photos{' (downloaded before)' if got.was_here else ''}, CC BY 4.0"
    emit({"folder": str(got.folder), "photos": got.photos, "doi": DOI}, as_json, text)
