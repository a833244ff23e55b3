"""Merging of training settings (preset, YAML file, NAME=VALUE arguments) into one configuration."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, get_args

from pydantic import BaseModel, TypeAdapter, ValidationError

from ...errors import FaultListError, RefbenchError, UnreadableTextError
from ...files import StrPath
from ...text_files import parse_yaml, read_yaml
from ...validation import listed_faults
from .config import AnyRun, RefLdmRun, TrainConfig

RESULT_NEUTRAL = (
    "log_every",
    "save_every",
    "sheet_every",
    "tensorboard",
    "gradient_checkpointing",
    "data.workers",
    "data.reference_set",
    "autoencoder",
    "start",
)


def make_config(*layers: Mapping[str, Any]) -> AnyRun:
    """Make a training configuration from layers of settings, merged by name; later layers win.

    Args:
        layers: mappings of names to values, such as ``training_preset("refldm-mini")``, a YAML file's
            content, or ``{"data": {"reference_set": "set"}, "steps": 1000}``. ``kind`` says which model is
            trained.

    Raises:
        FaultListError: unknown names and values out of range, all at once.
    """
    merged: dict[str, Any] = {}
    for layer in layers:
        merged = _merged(merged, layer)
    adapter: TypeAdapter[AnyRun] = TypeAdapter(TrainConfig)
    try:
        return adapter.validate_python(merged)
    except ValidationError as error:
        found = [{**fault, "loc": fault["loc"][1:]} for fault in error.errors()]
        runs: dict[str, type[BaseModel]] = {
            kind: run for run in get_args(AnyRun) for kind in get_args(run.model_fields["kind"].annotation)
        }
        faults = listed_faults(found, runs.get(str(merged.get("kind")), RefLdmRun), "setting")
        raise FaultListError("training settings", faults) from None


def read_settings(path: StrPath) -> Mapping[str, Any]:
    """Read settings from a YAML file, for `make_config`.

    Raises:
        RefbenchError: the file cannot be read or is no mapping.
    """
    path = Path(path)
    try:
        content = read_yaml(path)
    except UnreadableTextError as error:
        raise RefbenchError(f"{path} cannot be read as training settings: {error.reason}") from None
    if not isinstance(content, dict):
        raise RefbenchError(f"{path} must hold settings as NAME: VALUE lines")
    return content


def parse_assignments(assignments: list[str]) -> Mapping[str, Any]:
    """Parse ``NAME=VALUE`` arguments such as ``optimiser.rate=1e-4``; values are read as YAML.

    Raises:
        RefbenchError: an argument without ``=``.
    """
    merged: dict[str, Any] = {}
    for word in assignments:
        name, sign, value = word.partition("=")
        if not sign or not name:
            raise RefbenchError(f"settings are given as name=value; got {word!r}")
        nested: Any = parse_yaml(value, word)
        if isinstance(nested, str):
            with suppress(ValueError):
                nested = float(nested)
        for part in reversed(name.split(".")):
            nested = {part: nested}
        merged = _merged(merged, nested)
    return merged


def differences(left: AnyRun, right: AnyRun) -> list[str]:
    """List settings that differ, as ``name: left, right``, except those that do not change the result."""
    ours, theirs = _flat(left.model_dump(mode="json")), _flat(right.model_dump(mode="json"))
    neutral = set(RESULT_NEUTRAL)
    if left.optimiser.schedule == right.optimiser.schedule == "constant":
        neutral.add("steps")
    names = [
        name for name in {**ours, **theirs} if name not in neutral and not name.startswith("validation.")
    ]
    return [f"{n}: {ours.get(n)}, {theirs.get(n)}" for n in names if ours.get(n) != theirs.get(n)]


def _merged(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(below)
    for name, value in above.items():
        both = isinstance(value, Mapping) and isinstance(merged.get(name), Mapping)
        merged[name] = _merged(merged[name], value) if both else value
    return merged


def _flat(nested: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for name, value in nested.items():
        if isinstance(value, Mapping):
            flat |= _flat(value, f"{prefix}{name}.")
        else:
            flat[f"{prefix}{name}"] = value
    return flat
