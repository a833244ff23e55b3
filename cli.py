"""The command line: the commands of every room under one name, and how errors end them.

Results go to stdout, progress and warnings to stderr. Exit codes: 0 done; 1 the input was judged and found
faulty; 2 wrong use or an environment that cannot do the job; 130 interrupted, 143 terminated.
"""

from __future__ import annotations

import errno
import os
import sys
from io import TextIOWrapper
from typing import Annotated

import typer

from .builders.commands import app as builders_app
from .command_line.commands import Group, epilog
from .degradations.commands import app as degradations_app
from .doctor.commands import app as doctor_app
from .errors import RefbenchError
from .leaderboard.commands import app as leaderboard_app
from .leaderboard.organise_commands import app as organise_app
from .leaderboard.study.commands import study as study_app
from .metrics.commands import app as metrics_app
from .models.commands import app as models_app
from .progress import say
from .samples.commands import app as samples_app
from .verbs_commands import app as verbs_app
from .version import __version__
from .weights.commands import app as weights_app

app = typer.Typer(
    name="refbench",
    cls=Group,
    help="Datasets, scores and leaderboards for reference-based face restoration.",
    epilog=epilog("refbench demo"),
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
for _room in (builders_app, degradations_app, models_app, metrics_app, verbs_app, leaderboard_app):
    app.add_typer(_room)
for _room in (study_app, organise_app, doctor_app, weights_app, samples_app):
    app.add_typer(_room)


def main() -> None:
    """Run the command line; every expected fault ends as one clear message and its exit code."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):  # signs that a log or terminal cannot hold are escaped
            stream.reconfigure(errors="backslashreplace")
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
