"""Where the networks run."""

from __future__ import annotations

from .errors import RefbenchError


def pick_device(name: str = "auto") -> str:
    """The device to use: ``auto`` takes CUDA, then Apple's MPS, then the CPU.

    Raises:
        RefbenchError: a device that is not here, or a name that no device has.
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
    if int(index or 0) >= here[kind]:
        raise RefbenchError(f"this machine has no device {name!r}; leave --device out, or use cpu")
    return name
