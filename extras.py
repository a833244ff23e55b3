"""Optional packages: which extra of the package brings each, and the error where one is absent."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib.util import find_spec
from types import MappingProxyType

from .errors import RefbenchError

# Module as it is imported: the extra that brings it.
EXTRAS: Mapping[str, str] = MappingProxyType(
    {
        "accelerate": "train",
        "albumentations": "augment",
        "datasets": "hub",
        "facexlib": "faces",
        "faiss": "faiss",
        "huggingface_hub": "hub",
        "insightface": "faces",
        "onnxruntime": "onnx",
        "pillow_heif": "heic",
        "pyiqa": "iqa",
        "torch_fidelity": "fidelity",
    }
)


class MissingPackageError(RefbenchError):
    """An optional package that is not installed; the message names the command that brings it."""

    def __init__(self, module: str, purpose: str = "") -> None:
        needs = f"{purpose} needs" if purpose else "this needs"
        super().__init__(
            f"{needs} the package {module}, which is not installed: pip install 'refbench[{EXTRAS[module]}]'"
        )
        self.module = module


@contextmanager
def optional(module: str, purpose: str = "") -> Iterator[None]:
    """Around the import of an optional package; ``purpose`` begins the message, like ``the metric niqe``.

    Raises:
        MissingPackageError: ``module`` is not installed.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] != module:
            raise
        raise MissingPackageError(module, purpose) from None


def is_installed(module: str) -> bool:
    """Whether an optional package is there; nothing is imported."""
    try:
        return find_spec(module) is not None
    except (ImportError, ValueError):
        return False
