"""`refbench metrics`: the protocols, what is ready on this machine, and statistics of image sets."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(name="metrics", help="Protocols and statistics: list, show, stats.", no_args_is_help=True)

AsJson = Annotated[bool, typer.Option("--json", help="Print the result as JSON on stdout.")]
Ids = Annotated[list[str], typer.Argument(metavar="ID...", help="Protocol ids.")]


@app.command("list")
def list_protocols(
    ready: Annotated[
        bool, typer.Option("--ready", help="Only what this machine has the weights for.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Show every protocol: direction, unit, compared_with, and what is missing on this machine."""
    from .catalogue import METRICS
    from .listing import facts

    rows = [row for row in map(facts, METRICS.values()) if not (ready and row["missing"])]
    if as_json:
        typer.echo(json.dumps(rows, indent=2, ensure_ascii=False))
        return
    width = max(len(row["id"]) for row in rows)
    for row in rows:
        mark = "*" if row["default"] else " "
        better = "higher" if row["higher_is_better"] else "lower "
        state = f"missing: {', '.join(row['missing'])}" if row["missing"] else "ready"
        typer.echo(
            f"{mark} {row['id']:<{width}}  {better}  {row['unit']:<12}  {row['compared_with']:<10}  {state}"
        )
    typer.echo("\n* the default list. Bring what is missing with: refbench weights fetch NAME")
    typer.echo(
        "Besides these: pyiqa/NAME, gain:ID, ids:FILE.onnx[@CROP], ID@STATISTICS (see docs/metrics.md)."
    )


@app.command()
def show(protocols: Ids, as_json: AsJson = False) -> None:
    """Show everything that fixes a number: definition, range, weights, licence, citation."""
    from .catalogue import select
    from .listing import bounds_text, facts

    metrics = select(protocols)
    if as_json:
        typer.echo(json.dumps([facts(metric) for metric in metrics], indent=2, ensure_ascii=False))
        return
    for metric in metrics:
        protocol = metric.protocol
        lines = {
            "title": protocol.title,
            "better": "higher" if protocol.higher_is_better else "lower",
            "unit": protocol.unit,
            "range": bounds_text(protocol),
            "against": protocol.compared_with,
            "definition": protocol.definition,
            "weights": ", ".join(protocol.weights) or "none",
            "missing": ", ".join(facts(metric)["missing"]) or "nothing",
            "licence": protocol.licence,
            "citation": protocol.citation,
        }
        typer.echo("\n".join([protocol.id, *(f"  {name:<10} {text}" for name, text in lines.items())]))


@app.command()
def stats(
    images: Annotated[
        Path | None, typer.Argument(metavar="[SET|FOLDER]", help="A reference set or a folder of images.")
    ] = None,
    protocol: Annotated[
        str, typer.Option("--protocol", "-p", help="Metric of the set whose feature is taken.")
    ] = "fid/inception-clean-hq",
    name: Annotated[str, typer.Option("--name", "-n", help="Name to keep the statistics under.")] = "",
    given: Annotated[
        Path | None, typer.Option("--import", help="Take an .npz with mu and sigma (clean-fid, pytorch-fid).")
    ] = None,
    split: Annotated[str, typer.Option(help="Split of a reference set; all for every image.")] = "all",
    device: Annotated[str, typer.Option(help="cpu, cuda or auto.")] = "auto",
    as_json: AsJson = False,
) -> None:
    """Measure or import statistics of images and keep them under a name; without arguments list them."""
    from ..devices import pick_device
    from ..errors import RefbenchError
    from ..files import sha256_file
    from .catalogue import find
    from .distances.statistics_file import Statistics, folder, import_clean_fid
    from .scoring.set_statistics import measure_statistics

    if images is not None and given is not None:
        raise RefbenchError("give a folder to measure, or --import FILE.npz, not both")
    if (images is not None or given is not None) and not name:
        raise RefbenchError("name the statistics with --name; protocols ask for them by it: ID@NAME")
    if given is not None:
        found = import_clean_fid(given, find(protocol).feature.name, given.name)
    elif images is not None:
        found = measure_statistics(protocol, images, split, device=pick_device(device))
    else:
        kept = sorted(folder().glob("*.npz"))
        rows = [
            {"name": p.stem, "feature": s.feature, "images": s.moments.count, "source": s.source}
            for p in kept
            for s in [Statistics.read(p)]
        ]
        text = "\n".join("  ".join(map(str, row.values())) for row in rows) or "no statistics yet"
        typer.echo(json.dumps(rows, indent=2) if as_json else text)
        return
    path = folder() / f"{name}.npz"
    found.write(path)
    digest = sha256_file(path)
    said = {"name": name, "path": str(path), "sha256": digest, "images": found.moments.count}
    use = f"{path}\nsha256 {digest}\nuse it as: {protocol}@{name}"
    typer.echo(json.dumps(said, indent=2) if as_json else use)
