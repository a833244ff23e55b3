"""Devices that networks run on, and the precision of their arithmetic."""

from __future__ import annotations

from typing import Literal, get_args

from .errors import RefbenchError

Precision = Literal["float32", "mixed", "bfloat16"]
"""Arithmetic inside networks: float32; bfloat16; or mixed, bfloat16 where an error weighs least."""

PRECISIONS: tuple[str, ...] = get_args(Precision)
OLD_PRECISIONS = {"bf16": "bfloat16"}
"""Spellings of earlier versions, which are still read."""


def spell_precision(value: object) -> object:
    """A precision under its name of today; anything that is no old spelling is returned as it is."""
    return OLD_PRECISIONS.get(value, value) if isinstance(value, str) else value


def pick_device(name: str = "auto") -> str:
    """The device to use: ``auto`` takes CUDA, then Apple's MPS, then the CPU.

    Every index of a CPU, as in ``cpu:1``, is the same processor.

    Raises:
        RefbenchError: a device that this machine does not have, or a name that no device has.
    """
    import torch

    if name == "auto":
        if torch.cuda.is_available():
            return "cuda"
        return "mps" if torch.backends.mps.is_available() else "cpu"
    kind, _, index = name.partition(":")
    here = {"cpu": 1, "cuda": torch.cuda.device_count(), "mps": int(torch.backends.mps.is_available())}
    if kind not in here or (index and not index.isdecimal()):
        raise RefbenchError(f"{name!r} is not a device; use auto, cpu, cuda, cuda:1 ... or mps")
    if kind != "cpu" and int(index or 0) >= here[kind]:
        raise RefbenchError(f"this machine has no device {name!r}; leave --device out, or use cpu")
    return name
