"""Layers of settings (presets, YAML, words of the command line) into one configuration, and what differs."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import yaml
from pydantic import TypeAdapter, ValidationError

from ...errors import FaultListError, RefbenchError
from .config import AnyRun, TrainConfig

HARMLESS = (
    "log_every",
    "save_every",
    "sheet_every",
    "tensorboard",
    "checkpointing",
    "data.workers",
    "data.reference_set",
    "autoencoder",
    "start",
)


def make_config(*layers: Mapping[str, Any]) -> AnyRun:
    """A configuration from layers of settings, later ones first in rank, nested ones merged by name.

    Raises:
        FaultListError: unknown names or values that do not fit, all at once.
    """
    merged: dict[str, Any] = {}
    for layer in layers:
        merged = _merged(merged, layer)
    adapter: TypeAdapter[AnyRun] = TypeAdapter(TrainConfig)
    try:
        return adapter.validate_python(merged)
    except ValidationError as error:
        faults = [
            f"{'.'.join(map(str, fault['loc'][1:])) or 'run'}: {fault['msg']}" for fault in error.errors()
        ]
        raise FaultListError("training settings", faults) from None


def read_settings(path: Path) -> Mapping[str, Any]:
    """Settings from a YAML file.

    Raises:
        RefbenchError: the file cannot be read or is no mapping.
    """
    try:
        content = yaml.safe_load(path.read_text("utf-8"))
    except (OSError, yaml.YAMLError) as error:
        raise RefbenchError(f"{path} cannot be read: {error}") from None
    if not isinstance(content, dict):
        raise RefbenchError(f"{path} must hold settings by name")
    return content


def parse_assignments(assignments: list[str]) -> Mapping[str, Any]:
    """Settings from words such as ``optimiser.rate=1e-4`` or ``model.unet.channels=64``.

    Raises:
        RefbenchError: a word without ``=``.
    """
    merged: dict[str, Any] = {}
    for word in assignments:
        name, sign, value = word.partition("=")
        if not sign or not name:
            raise RefbenchError(f"settings are given as name=value; got {word!r}")
        nested: Any = yaml.safe_load(value)
        if isinstance(nested, str):
            with suppress(ValueError):
                nested = float(nested)
        for part in reversed(name.split(".")):
            nested = {part: nested}
        merged = _merged(merged, nested)
    return merged


def differences(left: AnyRun, right: AnyRun) -> list[str]:
    """Settings that differ, as ``name: one, other``; those that do not change the result are left out."""
    ours, theirs = _flat(left.model_dump(mode="json")), _flat(right.model_dump(mode="json"))
    harmless = set(HARMLESS)
    if left.optimiser.schedule == right.optimiser.schedule == "constant":
        harmless.add("steps")
    names = [
        name for name in {**ours, **theirs} if name not in harmless and not name.startswith("validation.")
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
