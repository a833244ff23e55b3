"""Registry of the package's restorers by name, and loading of any restorer by its specification."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any

from ...deprecated import warn
from ...errors import RefbenchError
from ..restorers.baselines import Classical, LqCopy, ReferenceCopy
from ..restorers.restorer import AnyRestorer
from ..restorers.user_restorers import CommandRestorer, FolderRestorer, OnnxRestorer, load_entry_point

WEIGHTS = (".safetensors", ".ckpt", ".pt", ".pth")


@dataclass(frozen=True, slots=True)
class RegisteredRestorer:
    """A restorer of the package.

    Attributes:
        name: name on the command line.
        summary: one line for lists.
        load: builds it from a preset (None for the default) and a device such as ``cpu``.
        presets: one line on each preset, by name; the first is the default.
        weights: names in the weights table of the weights it needs.
    """

    name: str
    summary: str
    load: Callable[[str | None, str], AnyRestorer]
    presets: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    weights: tuple[str, ...] = ()


def _refldm(preset: str | None, device: str) -> AnyRestorer:
    from ...weights import weight_files
    from .external import load_released_refldm

    return load_released_refldm(weight_files.path("refldm"), preset, device)


def _composite_context(preset: str | None, device: str) -> AnyRestorer:
    from .external import load_composite_context

    return load_composite_context(preset, device)


MINIS = MappingProxyType(
    {
        "autoencoder": (
            "autoencoder-mini",
            "encodes and decodes the LQ image: upper bound of the mini models",
        ),
        "ldm": ("ldm-mini", "a small LDM for 128 pixels, without references"),
        "refldm": ("refldm-mini", "a small ReF-LDM for 128 pixels"),
        "composite-context": ("composite-context-mini", "a small composite-context model for 128 pixels"),
    }
)
MINI_FOLDER = Path(__file__).with_name("minis")


def _minis() -> Iterator[RegisteredRestorer]:
    """The mini models whose weights are in the package."""
    for file, (name, summary) in MINIS.items():
        if (MINI_FOLDER / f"{file}.safetensors").is_file():
            yield _mini(file, name, summary)


def _mini(file: str, name: str, summary: str) -> RegisteredRestorer:
    def load(preset: str | None, device: str) -> AnyRestorer:
        from .minis import load_mini

        return load_mini(file, preset, device)

    guided = {
        "mini": "4 steps, up to five references",
        "null": "4 steps, none",
        "demo": "50 steps, up to five",
    }
    composite = {
        "single": "4 steps, the first reference",
        "multi": "4 steps, up to five references",
        "null": "4 steps, none",
    }
    presets = {"autoencoder": {}, "ldm": {"mini": "4 steps", "demo": "50 steps"}, "refldm": guided}
    needed = ("mobilefacenet",) if file == "composite-context" else ()
    return RegisteredRestorer(name, summary, load, MappingProxyType(presets.get(file, composite)), needed)


RESTORERS: Mapping[str, RegisteredRestorer] = MappingProxyType(
    {
        declared.name: declared
        for declared in (
            RegisteredRestorer(
                "lq-copy", "returns the LQ image unchanged: the lower bound", lambda preset, device: LqCopy()
            ),
            RegisteredRestorer(
                "classical",
                "denoising and deconvolution without learning",
                lambda preset, device: Classical(),
            ),
            RegisteredRestorer(
                "reference-copy",
                "returns the first reference unchanged: a negative control",
                lambda preset, device: ReferenceCopy(),
            ),
            RegisteredRestorer(
                "refldm",
                "ReF-LDM with the released weights, for non-commercial research",
                _refldm,
                MappingProxyType(
                    {
                        "paper": "the published evaluation: 100 uniform steps, one noise for all images",
                        "demo": "the authors' demo: 50 trailing steps",
                        "fast": "20 steps of DPM-Solver++",
                        "null": "50 trailing steps with null references: the model without references",
                    }
                ),
                ("refldm",),
            ),
            RegisteredRestorer(
                "composite-context",
                "the composite-context model with your own weights (none are published)",
                _composite_context,
                MappingProxyType(
                    {
                        "single": "50 trailing steps with the first reference, as the paper tests",
                        "multi": "the same, guided by up to five references",
                        "null": "the same without references",
                    }
                ),
                ("webface-r50", "farl-b16"),
            ),
            *_minis(),
        )
    }
)


def load_restorer(spec: str, preset: str | None = None, device: str = "cpu") -> AnyRestorer:
    """Load any restorer by its specification.

    Args:
        spec: a name of `RESTORERS`, ``package.module:Class``, ``file.onnx``, weights (``.safetensors``,
            ``.ckpt``, ``.pt``, ``.pth``), a command with ``{lq}`` and ``{out}``, or a folder of finished
            images named by key.
        preset: preset of the restorer, for diffusion models with settings: ``demo,steps=20``; None for its
            default.
        device: PyTorch device such as ``cpu`` or ``cuda``.

    Returns:
        A `Restorer`, or a `FileRestorer` for commands and folders.

    Raises:
        RefbenchError: another specification, an unknown preset, absent weights, or a restorer that cannot be
        built.
    """
    if spec in RESTORERS:
        declared = RESTORERS[spec]
        names = [word for word in (preset or "").split(",") if word and "=" not in word]
        if preset is not None and not (declared.presets and declared.presets.keys() >= set(names)):
            known = ", ".join(declared.presets) or "it has none"
            raise RefbenchError(f"{spec} has no preset {preset!r}; known: {known}")
        return declared.load(preset, device)
    if "{lq}" in spec or "{out}" in spec:
        return CommandRestorer(spec)
    path = Path(spec)
    if path.is_dir():
        return FolderRestorer(path)
    if path.suffix.lower() in (".onnx", *WEIGHTS):
        if not path.is_file():
            raise RefbenchError(f"{path}: no such file")
        return _from_file(path, preset, device)
    if ":" in spec:
        return load_entry_point(spec, preset, device)
    files = ", ".join((".onnx", *WEIGHTS))
    kinds = f"package.module:Class, a file ({files}), a folder of images, a command with {{lq}}, {{out}}"
    raise RefbenchError(f"{spec!r} is not a restorer; registered: {', '.join(RESTORERS)}; else {kinds}")


def _from_file(path: Path, preset: str | None, device: str) -> AnyRestorer:
    if path.suffix.lower() == ".onnx":
        return OnnxRestorer(path, preset, device)
    from .external import load_external

    return load_external(path, preset, device)


def __getattr__(name: str) -> Any:
    """`RegisteredRestorer` and `RESTORERS` by their names in 0.1."""
    new = {"Bundled": "RegisteredRestorer", "BUNDLED": "RESTORERS"}.get(name)
    if new is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    warn(f"{__name__}.{name}", f"{__name__}.{new}")
    return globals()[new]
