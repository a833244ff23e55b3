"""Commands of reference sets: build, inspect, audit, review, verify, rebuild, export, import, import-lq."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ..command_line.arguments import AsJson, Device, Out, SetFolder, Split, Workers, emit
from ..command_line.commands import SET, OldFlag, command
from ..command_line.option_flags import options_command

if TYPE_CHECKING:
    from .settings.options import BuildOptions, ImportOptions

app = typer.Typer()


def _build_options() -> type[BuildOptions]:
    from .settings.options import BuildOptions

    return BuildOptions


def _import_options() -> type[ImportOptions]:
    from .settings.options import ImportOptions

    return ImportOptions


@options_command(
    app,
    "build",
    options=_build_options,
    panel=SET,
    example="refbench build photos --out set --val 0.1 --test 0.2",
    old=[OldFlag("--size", "--image-size")],
)
def build(
    photos: Annotated[Path, typer.Argument(metavar="PHOTOS", help="Folder of photos; it is only read.")],
    out: Out,
    options: BuildOptions,
    as_json: AsJson = False,
) -> None:
    """Build a reference set: detect, align, embed, cluster identities, choose references, split."""
    from .build import build_set

    report = build_set(photos, out, options)
    emit({"set": str(out), "counts": report.counts, "changed": report.changed}, as_json, report.text())


@command(app, "inspect", panel=SET, example="refbench inspect set --page set.html")
def inspect(
    reference_set: SetFolder,
    page: Annotated[Path | None, typer.Option(help="HTML file to write with tables and plots.")] = None,
    as_json: AsJson = False,
) -> None:
    """Show statistics of a set: counts, references, distances, sizes, quality, licences."""
    from ..records.reference_set import ReferenceSet
    from .review.summary import summarise, write_summary

    found = ReferenceSet.read(reference_set)
    summary = summarise(found)
    if page is not None:
        write_summary(found, page)
    value = asdict(summary) | {"info": summary.info.model_dump(mode="json")}
    emit(value, as_json, summary.text() + (f"\n\nwrote {page}" if page else ""))


@command(app, "verify", panel=SET, example="refbench verify set")
def verify(
    reference_set: SetFolder,
    lq: Annotated[bool, typer.Option(help="Also draw the LQ images again and compare.")] = True,
    workers: Workers = 1,
    as_json: AsJson = False,
) -> None:
    """Verify hashes, manifest and LQ images of a set; exit code 1 if there is a fault."""
    from .verify import verify_set

    checked = verify_set(reference_set)
    lines, faults = [checked.text()], list(checked.faults)
    if lq and checked.is_valid:
        for name, outcome, wrong in _verify_lq(reference_set, workers):
            lines.append(f"lq/{name}: {outcome}")
            faults += [f"lq/{name}: {fault}" for fault in wrong]
    value = {"set": str(reference_set), "files": checked.files, "faults": faults}
    emit(value, as_json, "\n".join(lines))
    if faults:
        raise typer.Exit(1)


@command(app, "rebuild", panel=SET, example="refbench rebuild set --from photos")
def rebuild(
    reference_set: SetFolder,
    photos: Annotated[Path, typer.Option("--from", help="Folder of the photos it was built from.")],
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="Folder to build in (default: beside SET).")
    ] = None,
    people: Annotated[
        Path | None, typer.Option(help="CSV of people, where the set was built with one.")
    ] = None,
    workers: Workers = 1,
    device: Device = "cpu",
    as_json: AsJson = False,
) -> None:
    """Rebuild a set from its photos and compare the two; exit code 1 if they differ."""
    from ..devices import pick_device
    from .rebuild import rebuild_set

    made = rebuild_set(reference_set, photos, out, people=people, workers=workers, device=pick_device(device))
    emit({"set": str(made.report.out), "differences": list(made.differences)}, as_json, made.text())
    if not made.is_same:
        raise typer.Exit(1)


@command(app, "audit", panel=SET, example="refbench audit set --against other-set")
def audit(
    reference_set: SetFolder,
    against: Annotated[
        list[Path] | None,
        typer.Option(help="Another set, a list of hashes, or embeddings (.npy); may be repeated."),
    ] = None,
    threshold: Annotated[
        float | None,
        typer.Option(
            min=0.0,
            max=2.0,
            help="Cosine distance, 0 to 2, under which two images show one person. Default: the build's.",
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out",
            "-o",
            help="One file for everything. Default: SET/audit.json, and a file beside it per --against.",
        ),
    ] = None,
    strict: Annotated[bool, typer.Option("--strict", help="Exit code 1 if there is any leak.")] = False,
    as_json: AsJson = False,
) -> None:
    """Search for leaks: the same picture or person in two splits, or in this set and another."""
    from .review.audit import audit_parts, comparison_name, joined
    from .review.derived_files import AUDIT

    own, *comparisons = parts = audit_parts(reference_set, against or (), threshold)
    found = joined(parts)
    written = {out: found} if out else {reference_set / AUDIT: own}
    if out is None:
        written |= {reference_set / comparison_name(part): part for part in comparisons}
    for path, part in written.items():
        part.write(path)
    lines = [found.text(), *(f"wrote {path}" for path in written)]
    emit({**found.as_dict(), "files": [str(path) for path in written]}, as_json, "\n".join(lines))
    if strict and found.leaks:
        raise typer.Exit(1)


@command(app, "review", panel=SET, example="refbench review set", old=[OldFlag("--edges", "--links")])
def review(
    reference_set: SetFolder,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="HTML file to write (default: SET/review.html).")
    ] = None,
    links: Annotated[int, typer.Option(min=1, help="Doubtful pairs shown of each kind.")] = 60,
    as_json: AsJson = False,
) -> None:
    """Write an HTML sheet of all identities and of the most doubtful pairs, to check by eye."""
    from .review.review import write_review

    path = out or reference_set / "review.html"
    write_review(reference_set, path, links)
    emit({"page": str(path)}, as_json, f"wrote {path}")


@command(app, "export", panel=SET, example="refbench export set --out published --to parquet")
def export_(
    reference_set: SetFolder,
    out: Out,
    form: Annotated[str, typer.Option("--to", help="parquet, webdataset, ffhq-ref or folders.")] = "parquet",
    recipe: Annotated[
        list[str] | None,
        typer.Option("--recipe", "-r", help="Include the LQ images of this recipe; may be repeated."),
    ] = None,
    references: Annotated[
        bool, typer.Option(help="Include the pictures of the references in every row.")
    ] = True,
    audit: Annotated[
        Path | None,
        typer.Option(help="audit.json of this content for the data card (default: SET/audit.json)."),
    ] = None,
    published: Annotated[
        datetime | None,
        typer.Option(formats=["%Y-%m-%d"], help="Day of publication for Croissant (default: today)."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Export a set: Parquet with data card and Croissant, WebDataset shards, FFHQ-Ref lists, or folders."""
    from .exchange.exchange import export_set

    written = export_set(
        reference_set,
        out,
        form,
        recipes=recipe or (),
        with_references=references,
        audit=audit,
        published=published.date() if published else None,
    )
    emit({"out": str(out), "files": sorted(map(str, written))}, as_json, f"{out}: {len(written)} files")


@options_command(
    app,
    "import",
    options=_import_options,
    panel=SET,
    example="refbench import published --out set",
    old=[OldFlag("--size", "--image-size")],
)
def import_(
    source: Annotated[
        Path,
        typer.Argument(
            metavar="SOURCE", help="A release of FFHQ-Ref, a CSV of CelebA-Test-Ref, or a Parquet export."
        ),
    ],
    out: Out,
    options: ImportOptions,
    images: Annotated[
        Path | None, typer.Option(help="Folder of the aligned images that a release names.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Import a published set: its reference lists and splits, with images from a folder."""
    from ..errors import RefbenchError
    from .exchange.exchange import is_parquet_export

    if is_parquet_export(source):
        from .exchange.parquet import read_parquet

        found = read_parquet(source, out)
        text = f"{out}: {len(found.targets)} images, content {found.info.content_hash[:12]}"
        emit({"set": str(out), "counts": dict(found.info.counts)}, as_json, text)
        return
    if not source.exists():
        raise RefbenchError(f"{source}: there is no such folder or file of a published set")
    if images is None:
        raise RefbenchError(f"{source} has names of images only; name their folder with --images FOLDER")
    from .exchange.import_release import import_release

    report = import_release(source, images, out, options=options)
    following = [f"refbench import-lq {out} {lq}" for lq in sorted((source / "test_images").glob("*/"))]
    text = "\n".join([report.text(), *(f"its LQ images: {line}" for line in following)])
    emit({"set": str(out), "counts": report.counts, "next": following}, as_json, text)


@command(
    app,
    "import-lq",
    panel=SET,
    example="refbench import-lq set lq-images --split test",
    old=[OldFlag("--set", "SET", 0)],
)
def import_lq(
    reference_set: SetFolder,
    source: Annotated[
        Path, typer.Argument(metavar="LQ", help="Folder of LQ pictures named by key; it is only read.")
    ],
    split: Split = "test",
    name: Annotated[
        str, typer.Option(help="Name in place of a recipe's; default: the name of the folder.")
    ] = "",
    ignore_extra: Annotated[
        bool, typer.Option("--ignore-extra", help="Ignore LQ pictures without an HQ image.")
    ] = False,
    workers: Workers = 1,
    as_json: AsJson = False,
) -> None:
    """Import LQ images made elsewhere, such as a published test set, after a check of every pair."""
    from .exchange.exchange import import_lq as import_lq_folder

    info = import_lq_folder(
        reference_set, source, name, split=split, ignore_extra=ignore_extra, workers=workers
    )
    text = f"{reference_set / 'lq' / info.recipe}: {info.images} LQ images, hash {info.lq_hash[:16]}"
    emit(info.model_dump(mode="json"), as_json, text)


def _verify_lq(reference_set: Path, workers: int) -> list[tuple[str, str, list[str]]]:
    """Name, result in words, and faults of every folder of LQ images of a set."""
    from ..degradations.lq.verify import verify_lq_folder
    from ..errors import FaultListError, RefbenchError
    from ..records.lq_set import LqInfo, read_rows
    from ..records.reference_set import ReferenceSet

    found = ReferenceSet.read(reference_set)
    outcomes: list[tuple[str, str, list[str]]] = []
    for folder in sorted((reference_set / "lq").glob("*/")):
        try:
            LqInfo.read(folder)
            keys = [row.key for row in read_rows(folder)]
            done = verify_lq_folder({key: found.hq_path(key) for key in keys}, folder, workers=workers)
            outcomes.append((folder.name, str(done), []))
        except FaultListError as error:
            outcomes.append((folder.name, str(error), list(error.faults)))
        except RefbenchError as error:
            outcomes.append((folder.name, str(error), [str(error)]))
    return outcomes
