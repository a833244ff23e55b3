"""Commands of the metrics: `measure` (image files), and `metrics` (protocols, statistics of image sets)."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import typer

from ..command_line.arguments import AsJson, Device, emit
from ..command_line.commands import SCORE, command, group

app = typer.Typer()
metrics = group(
    "metrics",
    "Protocols, and statistics of image sets: list, show, stats.",
    panel=SCORE,
    example="refbench metrics list --ready",
)
app.add_typer(metrics)

COLUMN_NEEDS = ("HQ", "LQ", "references")
"""Needs that the column of what a protocol compares with tells."""
Ids = Annotated[list[str], typer.Argument(metavar="ID...", help="Protocol ids.")]


@command(app, "measure", panel=SCORE, example="refbench measure restored hq --protocol psnr/rgb")
def measure(
    restored: Annotated[
        Path, typer.Argument(metavar="RESTORED", help="An image, or a folder of images named as in HQ.")
    ],
    hq: Annotated[
        Path | None,
        typer.Argument(metavar="[HQ]", help="The same of the HQ images; none for no-reference protocols."),
    ] = None,
    protocol: Annotated[
        list[str] | None,
        typer.Option(
            "--protocol",
            "-p",
            help="Protocol id, module:NAME of your own, default or all; may be repeated "
            "(default: psnr/rgb, ssim/y-full@2).",
        ),
    ] = None,
    device: Device = "auto",
    as_json: AsJson = False,
) -> None:
    """Measure two images, or two folders of images, without a reference set and without a record."""
    from ..devices import pick_device
    from .file_measures import DEFAULT, measure_files

    found = measure_files(restored, hq, protocols=protocol or DEFAULT, device=pick_device(device))
    rows = [
        {
            "protocol": one.protocol.id,
            "value": one.value,
            "unit": one.protocol.unit,
            "higher_is_better": one.protocol.higher_is_better,
            "unscored": one.unscored,
            "reasons": dict(one.reasons),
            "images": dict(one.values),
        }
        for one in found
    ]
    width = max(len(one.protocol.id) for one in found)
    lines = [
        f"{one.protocol.id:<{width}}  {one.value:>10.4f}  {one.protocol.unit}"
        + (f"  ({one.unscored} of {len(one.values)} unscored{_why(one.reasons)})" if one.unscored else "")
        for one in found
    ]
    emit(rows, as_json, "\n".join(lines))


def _why(reasons: Mapping[str, str]) -> str:
    """The first of the reasons, as the end of a remark."""
    return f": {next(iter(reasons.items()))[0]}: {next(iter(reasons.values()))}" if reasons else ""


@command(metrics, "list", example="refbench metrics list --ready")
def list_protocols(
    ready: Annotated[
        bool, typer.Option("--ready", help="Only what this machine has weights, statistics and packages for.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Show every protocol: direction, unit, what it compares with, and what is missing on this machine."""
    from .catalogue import METRICS
    from .listing import facts

    rows = [row for row in map(facts, METRICS.values()) if not (ready and row["missing"])]
    if as_json:
        emit(rows, as_json, "")
        return
    width = max(len(row["id"]) for row in rows)
    for row in rows:
        mark = "*" if row["default"] else " "
        better = "higher" if row["higher_is_better"] else "lower "
        more = [need for need in row["needs"] if need not in COLUMN_NEEDS]
        state = f"missing: {', '.join(row['missing'])}" if row["missing"] else "ready"
        state += f"; needs {', '.join(more)}" if more else ""
        typer.echo(
            f"{mark} {row['id']:<{width}}  {better}  {row['unit']:<12}  {row['compared_with']:<10}  {state}"
        )
    typer.echo(
        "\nready: this machine has the weights, statistics and packages. What a protocol needs of images and "
        "set (masks, landmarks, sizes) is checked against the set before scoring."
    )
    typer.echo("* the default list. Fetch what is missing with: refbench weights fetch NAME")
    typer.echo(
        "Besides these: pyiqa/NAME, gain:ID, ids:FILE.onnx[@CROP], ID@STATISTICS (see docs/metrics.md)."
    )


@command(metrics, "show", example="refbench metrics show lpips/alex-v0.1")
def show(protocols: Ids, as_json: AsJson = False) -> None:
    """Show everything that fixes a number: definition, range, weights, licence, citation."""
    from .catalogue import select
    from .listing import bounds_text, facts

    chosen = select(protocols)
    if as_json:
        emit([facts(metric) for metric in chosen], as_json, "")
        return
    for metric in chosen:
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
            "needs": ", ".join(facts(metric)["needs"]) or "nothing else",
            "licence": protocol.licence,
            "citation": protocol.citation,
        }
        typer.echo("\n".join([protocol.id, *(f"  {name:<10} {text}" for name, text in lines.items())]))


@command(metrics, "stats", example="refbench metrics stats set --protocol fd/alexnet-relu5-v1 --name my-set")
def stats(
    images: Annotated[
        Path | None, typer.Argument(metavar="[SET]", help="A reference set or a folder of images.")
    ] = None,
    protocol: Annotated[
        str, typer.Option("--protocol", "-p", help="Protocol of a set, such as FID, whose feature is used.")
    ] = "fid/inception-clean-hq",
    name: Annotated[str, typer.Option("--name", "-n", help="Name to store the statistics under.")] = "",
    given: Annotated[
        Path | None,
        typer.Option("--import", help="Import an .npz with mu and sigma (clean-fid, pytorch-fid)."),
    ] = None,
    split: Annotated[str, typer.Option(help="Split of a reference set; all for every image.")] = "all",
    replace: Annotated[
        bool, typer.Option("--replace", help="Replace statistics that are stored under the same name.")
    ] = False,
    device: Device = "auto",
    as_json: AsJson = False,
) -> None:
    """Measure or import feature statistics of images and store them by name; without arguments list them."""
    from ..devices import pick_device
    from ..errors import RefbenchError
    from ..files import sha256_file
    from .distances.statistics_file import Statistics, folder, import_clean_fid, place_for
    from .scoring.set_statistics import frechet_of, measure_statistics

    if images is not None and given is not None:
        raise RefbenchError("give a folder to measure, or --import FILE.npz, not both")
    if (images is not None or given is not None) and not name:
        raise RefbenchError("name the statistics with --name; a protocol then uses them as ID@NAME")
    path = place_for(name, replace=replace) if name else folder()
    if given is not None:
        metric = frechet_of(protocol)
        found = import_clean_fid(given, metric.feature.name, given.name, dimensions=metric.dimensions)
    elif images is not None:
        found = measure_statistics(protocol, images, split, device=pick_device(device))
    else:
        stored = sorted(folder().glob("*.npz"))
        rows = [
            {"name": p.stem, "feature": s.feature, "images": s.moments.count, "source": s.source}
            for p in stored
            for s in [Statistics.read(p)]
        ]
        text = "\n".join("  ".join(map(str, row.values())) for row in rows) or "no statistics yet"
        emit(rows, as_json, text)
        return
    found.write(path)
    digest = sha256_file(path)
    facts = {"name": name, "path": str(path), "sha256": digest, "images": found.moments.count}
    use = f"{path}\nsha256 {digest}\nuse it as: {protocol}@{name}"
    emit(facts, as_json, use)
