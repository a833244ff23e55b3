"""The restorers that come with the package, by name, and the door through which any restorer is loaded."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType

from ..errors import RefbenchError
from .baselines import Classical, LqCopy, ReferenceCopy
from .outside import CommandRestorer, FolderRestorer, OnnxRestorer, load_entry_point
from .restorer import AnyRestorer, RestorerCard


@dataclass(frozen=True, slots=True)
class Bundled:
    """A restorer of the package.

    Attributes:
        name: what a user types.
        summary: one line for lists.
        load: makes it from a preset's name (None for the default) and a device such as ``cpu``.
        presets: what each preset is, by name; the first is the default.
        weights: names in the weights table that it needs.
    """

    name: str
    summary: str
    load: Callable[[str | None, str], AnyRestorer]
    presets: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    weights: tuple[str, ...] = ()


def _refldm(preset: str | None, device: str) -> AnyRestorer:
    from .. import weights
    from .checkpoints import load_refldm
    from .refldm_restorer import PRESETS, RefLdmRestorer

    sampling = PRESETS[preset or next(iter(PRESETS))]
    model = load_refldm(weights.path("refldm"))
    entry = weights.TABLE["refldm"]
    card = RestorerCard(
        model="ReF-LDM",
        version="released",
        references_used=sampling.references,
        parameters=sum(parameter.numel() for parameter in model.parameters()),
        licence=entry.licence,
        training_data="FFHQ-Ref and FFHQ",
        paper="https://arxiv.org/abs/2412.05043",
        notes=sampling.describe(),
    )
    return RefLdmRestorer(model, sampling, card, device)


BUNDLED: Mapping[str, Bundled] = MappingProxyType(
    {
        declared.name: declared
        for declared in (
            Bundled("lq-copy", "gives back the LQ image: the floor", lambda preset, device: LqCopy()),
            Bundled(
                "classical",
                "denoising and deconvolution without learning",
                lambda preset, device: Classical(),
            ),
            Bundled(
                "reference-copy",
                "gives back the first reference: a negative control",
                lambda preset, device: ReferenceCopy(),
            ),
            Bundled(
                "refldm",
                "ReF-LDM with the released weights, for non-commercial research",
                _refldm,
                MappingProxyType(
                    {
                        "paper": "the published evaluation: 100 uniform steps, one noise for all images",
                        "demo": "the authors' demo: 50 trailing steps",
                        "fast": "20 steps of DPM-Solver++",
                        "null": "50 trailing steps with null references: what the model does without them",
                    }
                ),
                ("refldm",),
            ),
        )
    }
)


def load_restorer(spec: str, preset: str | None = None, device: str = "cpu") -> AnyRestorer:
    """Load any restorer.

    ``spec`` is a bundled name, ``package.module:Class``, ``file.onnx``, weights that were trained here
    (``file.safetensors``), a command that holds ``{lq}`` and ``{out}``, or a folder of finished images named
    by key.

    Raises:
        RefbenchError: ``spec`` is none of these, or the restorer cannot be loaded.
    """
    if spec in BUNDLED:
        declared = BUNDLED[spec]
        if preset is not None and preset not in declared.presets:
            known = ", ".join(declared.presets) or "it has none"
            raise RefbenchError(f"{spec} has no preset {preset!r}; known: {known}")
        return declared.load(preset, device)
    if "{lq}" in spec or "{out}" in spec:
        return CommandRestorer(spec)
    path = Path(spec)
    if path.is_dir():
        return FolderRestorer(path)
    if path.suffix.lower() in (".onnx", ".safetensors"):
        if not path.is_file():
            raise RefbenchError(f"{path}: no such file")
        return _from_file(path, preset, device)
    if ":" in spec:
        return load_entry_point(spec, preset, device)
    kinds = (
        "package.module:Class, a file (.onnx, .safetensors), a folder of images, a command with {lq}, {out}"
    )
    raise RefbenchError(f"{spec!r} is not a restorer; bundled: {', '.join(BUNDLED)}; else {kinds}")


def _from_file(path: Path, preset: str | None, device: str) -> AnyRestorer:
    if path.suffix.lower() == ".onnx":
        return OnnxRestorer(path, preset, device)
    from .trained import load_trained

    return load_trained(path, preset, device)
