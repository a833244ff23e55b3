"""`refbench doctor`: what is installed, what works on this machine, and the command that fixes the rest."""

from __future__ import annotations

import typer

from ..command_line.arguments import AsJson, emit
from ..command_line.commands import HOUSEKEEPING, command

app = typer.Typer()


@command(app, "doctor", panel=HOUSEKEEPING, example="refbench doctor")
def doctor(as_json: AsJson = False) -> None:
    """Say what is installed, what works on this machine, and what to run where something does not."""
    from dataclasses import asdict

    from .diagnosis import diagnose, render

    findings = diagnose()
    emit([asdict(finding) for finding in findings], as_json, render(findings))
    if any(finding.state == "missing" for finding in findings):
        raise typer.Exit(2)
