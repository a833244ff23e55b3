"""The command line: each verb is a thin call of the function of the same name in `refbench`.

Results go to stdout, progress and warnings to stderr. Exit codes: 0 done; 1 the input was judged and found
faulty; 2 wrong use or an environment that cannot do the job; 130 interrupted.
"""

from __future__ import annotations

import errno
import json
import os
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from .builders.commands import app as builders_app
from .degradations.commands import app as degradations_app
from .errors import RefbenchError
from .leaderboard.commands import compare
from .leaderboard.commands import records as records_app
from .leaderboard.commands import study as study_app
from .leaderboard.commands import submission as submission_app
from .metrics.commands import app as metrics_app
from .models.commands import app as models_app
from .models.commands import train
from .progress import say
from .samples.commands import app as samples_app
from .version import __version__
from .weights.commands import app as weights_app

app = typer.Typer(
    name="refbench",
    help="Datasets, scores and leaderboards for reference-based face restoration.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)

Out = Annotated[Path, typer.Option("--out", "-o", help="Folder to write; made if absent.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print the result as JSON on stdout.")]

Recipe = Annotated[str, typer.Option("--recipe", "-r", help="Name of the recipe of the LQ images.")]
Split = Annotated[str, typer.Option(help="train, val, test or all.")]
Seed = Annotated[int, typer.Option(help="Seed; each image's own comes from it and the image's key.")]
Device = Annotated[str, typer.Option(help="cpu, cuda, mps, or auto for the best there is.")]
References = Annotated[
    str, typer.Option(help="all; at most so many per face, like 1; or wrong: those of another person.")
]
Model = Annotated[
    str,
    typer.Option(
        "--model",
        "-m",
        help="Bundled name, package.module:Class, file.onnx, folder, or command with {lq} {refs} {out}.",
    ),
]
BatchSize = Annotated[int, typer.Option(min=1, help="Faces restored together.")]
Times = Annotated[bool, typer.Option(help="Put time and memory per image into the card.")]
Protocols = Annotated[
    list[str] | None, typer.Option("--protocol", "-p", help="Protocol id or list; may be repeated.")
]
AllowMissing = Annotated[
    bool, typer.Option("--allow-missing", help="Score what is there; the entry gets no rank.")
]
Arithmetic = Annotated[
    str, typer.Option("--precision", help="float32; or bfloat16: faster, less exact, and ids end in +bf16.")
]
Cache = Annotated[
    Path | None, typer.Option(help="Folder of embeddings of HQ images, for several stores to share.")
]
SetFolder = Annotated[Path, typer.Argument(metavar="SET", help="Folder of a reference set.")]


def main() -> None:
    """Run the command line; every expected fault ends as one clear message and its exit code."""
    os.environ.setdefault("NO_ALBUMENTATIONS_UPDATE", "1")
    os.environ.setdefault("THP_MEM_ALLOC_ENABLE", "1")  # torch: large tensors on large pages
    try:
        app()
    except RefbenchError as error:
        say(f"refbench: {error}")
        sys.exit(error.exit_code)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(0)
    except OSError as error:
        say(f"refbench: {_explain(error)}")
        sys.exit(2)


def _explain(error: OSError) -> str:
    where = f"{error.filename}: " if error.filename else ""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return (
            f"{where}the disk is full; free some space and run the same command again: finished work is kept"
        )
    return f"{where}{error.strerror or error}"


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"refbench {__version__}")
        raise typer.Exit


@app.callback()
def options(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Datasets, scores and leaderboards for reference-based face restoration."""


def emit(result: Any, as_json: bool, text: str) -> None:
    """Print a result: its JSON for machines, or ``text`` for people."""
    typer.echo(json.dumps(result, indent=2, ensure_ascii=False) if as_json else text)


@app.command()
def build(
    photos: Annotated[Path, typer.Argument(metavar="PHOTOS", help="Folder of photos; it is only read.")],
    out: Out,
    options: Annotated[
        Path | None, typer.Option("--options", help="YAML file of build options; the flags here win over it.")
    ] = None,
    aligned: Annotated[
        bool | None, typer.Option("--aligned", help="The photos are FFHQ-aligned squares: no detector.")
    ] = None,
    detector: Annotated[str | None, typer.Option(help="Face detector (default mtcnn).")] = None,
    recogniser: Annotated[str | None, typer.Option(help="Recogniser, or an ONNX file.")] = None,
    threshold: Annotated[
        float | None, typer.Option(help="Cosine distance under which two images show one person.")
    ] = None,
    identities: Annotated[str | None, typer.Option(help="average-linkage, components or folders.")] = None,
    size: Annotated[
        int | None, typer.Option(help="Side of the aligned images, pixels (default 512).")
    ] = None,
    val: Annotated[
        str | None, typer.Option(help="Size of the val split: a count, or a share like 0.1.")
    ] = None,
    test: Annotated[str | None, typer.Option(help="Size of the test split: a count, or a share.")] = None,
    seed: Annotated[int | None, typer.Option(help="Seed of the splits.")] = None,
    name: Annotated[str | None, typer.Option(help="Name of the set (default: the folder's).")] = None,
    licence: Annotated[str | None, typer.Option(help="Licence of the photos.")] = None,
    consent: Annotated[str | None, typer.Option(help="What the people shown agreed to.")] = None,
    workers: Annotated[int | None, typer.Option(help="Processes that look for faces.")] = None,
    device: Annotated[str | None, typer.Option(help="cpu, cuda, mps or auto.")] = None,
    as_json: AsJson = False,
) -> None:
    """Build a reference set: align, embed, find identities, choose references, split."""
    from .builders.settings.options import read_options
    from .devices import pick_device
    from .verbs import build as run

    given = {
        "aligned": aligned,
        "detector": detector,
        "recogniser": recogniser,
        "threshold": threshold,
        "identities": identities,
        "image_size": size,
        "val": _size(val),
        "test": _size(test),
        "seed": seed,
        "name": name,
        "licence": licence,
        "consent": consent,
        "workers": workers,
        "device": None if device is None else pick_device(device),
    }
    report = run(photos, out, read_options(options, {k: v for k, v in given.items() if v is not None}))
    emit({"set": str(out), "counts": report.counts, "changed": report.changed}, as_json, report.text())


def _size(text: str | None) -> int | float | None:
    if text is None:
        return None
    try:
        return int(text) if text.isdecimal() else float(text)
    except ValueError:
        raise RefbenchError(
            f"a split's size is a count such as 150 or a share such as 0.1; got {text!r}"
        ) from None


@app.command()
def degrade(
    reference_set: SetFolder,
    recipe: Annotated[list[str], typer.Option("--recipe", "-r", help="Name or YAML file; may be repeated.")],
    split: Split = "test",
    seed: Seed = 0,
    workers: Annotated[int, typer.Option(min=1, help="Threads; any number gives the same bytes.")] = 1,
    verify: Annotated[
        bool, typer.Option("--verify", help="Write nothing: make every image again and compare.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Synthesise the LQ images of a set, or verify those that are there."""
    from .verbs import degrade as run
    from .verbs import verify_lq

    if verify:
        checked = verify_lq(reference_set, recipe, split, workers=workers)
        named = [
            {"recipe": c.info.recipe, "identical": len(c.identical), "rounded": len(c.rounded)}
            for c in checked
        ]
        emit(named, as_json, "\n".join(map(str, checked)))
        return
    done = run(reference_set, recipe, split=split, seed=seed, workers=workers)
    rows = [info.model_dump(mode="json") for info in done]
    lines = [f"{info.recipe_id}: {info.images} LQ images in {reference_set / 'lq'}" for info in done]
    emit(rows, as_json, "\n".join(lines))


@app.command()
def restore(
    reference_set: SetFolder,
    recipe: Recipe,
    model: Model,
    out: Out,
    preset: Annotated[str | None, typer.Option(help="Preset of the model.")] = None,
    split: Split = "test",
    references: References = "all",
    seed: Seed = 0,
    batch_size: BatchSize = 4,
    device: Device = "auto",
    times: Times = True,
    as_json: AsJson = False,
) -> None:
    """Run a restorer over the LQ images of a set and write a submission."""
    from .verbs import restore as run

    report = run(
        reference_set,
        recipe,
        model,
        out,
        preset=preset,
        split=split,
        references=references,
        seed=seed,
        batch_size=batch_size,
        device=device,
        record_times=times,
    )
    for key, reason in report.failures.items():
        say(f"refbench: {key}: {reason}")
    result = {
        "submission": str(out),
        "restored": len(report.restored),
        "kept": len(report.kept),
        "failures": dict(report.failures),
        "seconds_per_image": report.seconds_per_image,
        "peak_memory_mib": report.peak_memory_mib,
    }
    words = f"{out}: {len(report.restored)} restored, {len(report.kept)} kept, {len(report.failures)} failed"
    emit(result, as_json, words)
    if report.failures:
        raise typer.Exit(1)


@app.command()
def score(
    reference_set: SetFolder,
    submissions: Annotated[
        list[Path], typer.Argument(metavar="SUBMISSION...", help="Folders or archives of PNGs named by key.")
    ],
    recipe: Recipe,
    store: Annotated[Path, typer.Option("--store", "-s", help="Folder of records.")],
    protocol: Protocols = None,
    split: Split = "test",
    device: Device = "auto",
    references: Annotated[
        str | None,
        typer.Option(help="Evaluation mode: all, a number, or wrong. Default: what each card says."),
    ] = None,
    precision: Arithmetic = "float32",
    cache: Cache = None,
    allow_missing: AllowMissing = False,
    as_json: AsJson = False,
) -> None:
    """Score submissions in one pass and add their records to a store."""
    from .verbs import score as run
    from .verbs import summary

    records = run(
        reference_set,
        recipe,
        submissions,
        store,
        split=split,
        protocols=protocol,
        device=device,
        allow_missing=allow_missing,
        references=references,
        precision=precision,
        cache=cache,
    )
    table = summary(records)
    emit(table.to_dict("records"), as_json, table.to_string(index=False, na_rep="-"))


@app.command()
def evaluate(
    model: Model,
    reference_set: Annotated[Path, typer.Option("--set", help="Folder of a reference set.")],
    recipe: Annotated[list[str], typer.Option("--recipe", "-r", help="Name; may be repeated.")],
    store: Annotated[Path, typer.Option("--store", "-s", help="Folder of records.")],
    out: Out,
    preset: Annotated[str | None, typer.Option(help="Preset of the model.")] = None,
    split: Split = "test",
    references: References = "all",
    seed: Seed = 0,
    batch_size: BatchSize = 4,
    device: Device = "auto",
    times: Times = True,
    protocol: Protocols = None,
    precision: Arithmetic = "float32",
    cache: Cache = None,
    allow_missing: AllowMissing = False,
    as_json: AsJson = False,
) -> None:
    """Restore, check, score and record in one go; a run that was killed goes on where it was."""
    from .verbs import evaluate as run
    from .verbs import summary

    records, folders = run(
        reference_set,
        recipe,
        model,
        out,
        store=store,
        preset=preset,
        split=split,
        references=references,
        seed=seed,
        batch_size=batch_size,
        device=device,
        record_times=times,
        protocols=protocol,
        allow_missing=allow_missing,
        precision=precision,
        cache=cache,
    )
    table = summary(records)
    pictures = " ".join(f"--submission {folder}" for folder in folders)
    following = f"refbench publish {store} --out site --set {reference_set} {pictures}"
    text = f"{table.to_string(index=False, na_rep='-')}\n\nNext: {following}"
    emit({"table": table.to_dict("records"), "next": following}, as_json, text)


@app.command()
def publish(
    store: Annotated[Path, typer.Argument(metavar="STORE", help="Folder of records.")],
    out: Out,
    reference_set: Annotated[
        list[Path] | None, typer.Option("--set", help="Reference set, for the pictures; may be repeated.")
    ] = None,
    submission: Annotated[
        list[Path] | None, typer.Option("--submission", help="Submission, for the pictures; may be repeated.")
    ] = None,
    push: Annotated[
        str,
        typer.Option(metavar="OWNER/NAME", help="Send the site to a static Space on the Hugging Face Hub."),
    ] = "",
    private: Annotated[bool, typer.Option("--private", help="Make that Space private if it is new.")] = False,
    as_json: AsJson = False,
) -> None:
    """Write the leaderboard of a store as a static site that opens from disk."""
    from .verbs import publish as run

    page = run(store, out, reference_set or (), submission or (), push=push, private=private)
    emit({"page": str(page)}, as_json, str(page))


@app.command()
def demo(
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder to write.")] = Path("refbench-demo"),
    photos: Annotated[
        Path | None, typer.Option(help="Your own folder of photos instead of the sample people.")
    ] = None,
    device: Device = "auto",
    as_json: AsJson = False,
) -> None:
    """Run all five verbs on the bundled sample people, or on your own photos, and print where the page is."""
    from .demo import demo as run

    result = run(out, photos, device)
    emit(result.as_json(), as_json, result.text())


@app.command()
def doctor(as_json: AsJson = False) -> None:
    """Say what is installed, what works on this machine, and what to run where something does not."""
    from dataclasses import asdict

    from .doctor.diagnosis import diagnose, render

    findings = diagnose()
    emit([asdict(finding) for finding in findings], as_json, render(findings))
    if any(finding.state == "missing" for finding in findings):
        raise typer.Exit(2)


app.command()(compare)
app.command()(train)
app.add_typer(builders_app)
app.add_typer(degradations_app)
app.add_typer(metrics_app, name="metrics")
app.add_typer(models_app, name="models")
app.add_typer(records_app, name="records")
app.add_typer(samples_app)
app.add_typer(study_app, name="study")
app.add_typer(submission_app, name="submission")
app.add_typer(weights_app)
