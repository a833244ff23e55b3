"""Diagnosis of the installation (`refbench doctor`): runs every check and formats the findings.

Heavy packages are imported in a process of their own (`probe`), so that a package which crashes the
interpreter is a finding like any other.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from importlib import metadata
from typing import Any

from packaging.requirements import Requirement

from ..extras import EXTRAS
from ..weights import weight_files
from . import checks
from .checks import Finding

__all__ = ["Finding", "diagnose", "render"]

PROBE_SECONDS = 180


def diagnose() -> list[Finding]:
    """Run every check. Nothing is raised: a check that fails is a finding with the reason."""
    probe = look()
    torch, opencv = probe.get("torch", {}), probe.get("opencv", {})
    plan: list[tuple[str, Callable[[], Iterator[Finding]]]] = [
        ("python", checks.python),
        ("packages", lambda: checks.packages(installed(), required(), probe)),
        ("extras", lambda: checks.extras(installed(), optional(), probe)),
        ("device", lambda: checks.device(torch, shutil.which("nvidia-smi") is not None)),
        ("opencv", lambda: checks.opencv(installed(), opencv)),
        ("pkg_resources", lambda: checks.pkg_resources(installed())),
        ("onnxruntime", lambda: checks.onnxruntime(installed(), probe)),
        ("weights", checks.weight_groups),
        ("weights folder", lambda: checks.weights_folder(weight_files.folder())),
    ]
    return [finding for topic, check in plan for finding in _guarded(topic, check)]


def render(findings: Sequence[Finding]) -> str:
    """The findings as lines for people: state, topic, detail, and under it the command that fixes it."""
    width = max((len(finding.topic) for finding in findings), default=0)
    lines = []
    for finding in findings:
        lines.append(f"{finding.state:<7}  {finding.topic:<{width}}  {finding.detail}")
        if finding.fix:
            lines.append(f"{'':<{width + 11}}fix: {finding.fix}")
    return "\n".join(lines)


def look() -> dict[str, dict[str, Any]]:
    """What `probe` reported, by package; one that crashed the process has an ``error``."""
    command = [sys.executable, "-W", "ignore", "-m", f"{__package__}.probe"]
    try:
        done = subprocess.run(command, capture_output=True, timeout=PROBE_SECONDS)
        output, ending = done.stdout, f"importing it ends the process with code {done.returncode}"
    except subprocess.TimeoutExpired as error:
        output, ending = error.stdout or b"", f"importing it takes more than {PROBE_SECONDS} s"
    except OSError as error:
        return {"torch": {"error": str(error)}}
    seen: dict[str, dict[str, Any]] = {}
    for line in output.decode("utf-8", "replace").splitlines():
        try:
            told = json.loads(line)
        except ValueError:
            continue
        name = told.get("begin") or told["end"]
        seen[name] = told if "end" in told else {"error": ending}
    return seen


def installed() -> dict[str, str]:
    """Version by name (lower case, dashes) of every installed distribution."""
    named = ((dist.metadata["Name"], dist.version) for dist in metadata.distributions())
    return {_plain(name): version for name, version in named if name}


def required() -> dict[str, str]:
    """What this package needs without extras: name to version range, such as ``>=2.4``."""
    wanted = [Requirement(line) for line in metadata.requires("refbench") or []]
    return {_plain(one.name): str(one.specifier) for one in wanted if one.marker is None}


def optional() -> dict[str, tuple[str, str]]:
    """What the extras bring: name to version range and the extra."""
    wanted = [Requirement(line) for line in metadata.requires("refbench") or []]
    return {
        _plain(one.name): (str(one.specifier), extra)
        for extra in dict.fromkeys(EXTRAS.values())
        for one in wanted
        if one.marker is not None and one.marker.evaluate({"extra": extra})
    }


def _plain(name: str) -> str:
    return name.lower().replace("_", "-")


def _guarded(topic: str, check: Callable[[], Iterator[Finding]]) -> Iterator[Finding]:
    try:
        yield from check()
    except Exception as error:
        yield Finding(topic, "warning", f"could not be checked ({type(error).__name__}: {error})")
