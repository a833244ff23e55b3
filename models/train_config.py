"""What a training run is: one typed configuration, the same in YAML, on the command line and in Python."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError, model_validator

from ..errors import FaultList, RefbenchError
from .autoencoder import AutoencoderConfig
from .composite_context import CompositeContextConfig
from .losses import IDENTITY_WEIGHT, IdentityScale, NoiseLoss
from .refldm import RefLdmConfig


class Settings(BaseModel):
    """Frozen settings that refuse unknown names."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class DataSettings(Settings):
    """Where the images come from.

    Attributes:
        reference_set: folder of the set.
        split: whose images.
        recipe: of the LQ images: a bundled name or a YAML file.
        references: per image; fewer are repeated in turn.
        workers: processes that read and degrade; 0 reads in the training process.
        shared_identities: allow people that are also in another split.
    """

    reference_set: Path
    split: str = "train"
    recipe: str = "refldm-train"
    references: int = Field(default=5, ge=1)
    workers: int = Field(default=1, ge=0)
    shared_identities: bool = False


class OptimiserSettings(Settings):
    """AdamW with a linear warm-up, then constant or along a cosine to ``final_share`` of the rate."""

    rate: float = Field(default=1e-4, gt=0)
    warmup: int = Field(default=0, ge=0)
    schedule: Literal["constant", "cosine"] = "constant"
    final_share: float = Field(default=0.01, ge=0, le=1)
    weight_decay: float = Field(default=0.01, ge=0)
    betas: tuple[float, float] = (0.9, 0.999)
    clip: float | None = Field(default=None, gt=0)


class IdentitySettings(Settings):
    """The identity loss.

    Attributes:
        weight: beside the noise loss; 0 for none.
        scale: how it counts over time.
        reference_share: lambda of the hard example identity loss; 0 compares with the HQ image alone.
        target: the HQ image as the autoencoder gives it back (the released code), or itself (the paper).
        recogniser: its name in `faces.recognise.RECOGNISERS`; score with another one.
        images: of each batch, at most so many: it is the dearest part of a step.
    """

    weight: float = Field(default=IDENTITY_WEIGHT, ge=0)
    scale: IdentityScale = "sqrt_alpha_bar"
    reference_share: float = Field(default=0.0, ge=0, le=1)
    target: Literal["reconstruction", "hq"] = "reconstruction"
    recogniser: str = "webface-r50"
    images: int = Field(default=1000, ge=1)


class RunSettings(Settings):
    """What every run has.

    Attributes:
        steps: of the optimiser.
        batch: images per step and process.
        accumulate: parts that a batch is split into, one after another, to save memory.
        precision: of the forward pass; weights and optimiser stay float32.
        ema_decay: of the averaged weights, which are what a run is for.
        seed: of weights, order, degradations and noise.
        log_every, save_every, sheet_every: steps between lines of the log, checkpoints, sample sheets.
    """

    data: DataSettings
    optimiser: OptimiserSettings = OptimiserSettings()
    steps: int = Field(ge=1)
    batch: int = Field(default=8, ge=1)
    accumulate: int = Field(default=1, ge=1)
    precision: Literal["float32", "bfloat16"] = "float32"
    ema_decay: float = Field(default=0.9999, ge=0, lt=1)
    seed: int = 0
    log_every: int = Field(default=50, ge=1)
    save_every: int = Field(default=1000, ge=1)
    sheet_every: int = Field(default=1000, ge=1)

    @model_validator(mode="after")
    def _parts_fit(self) -> RunSettings:
        if self.batch % self.accumulate:
            raise ValueError(f"a batch of {self.batch} cannot be split into {self.accumulate} equal parts")
        return self


class AutoencoderRun(RunSettings):
    """Trains an autoencoder: reconstruction, LPIPS, codebook, and a discriminator once it is good enough."""

    kind: Literal["autoencoder"] = "autoencoder"
    model: AutoencoderConfig = AutoencoderConfig()
    image_size: int = 512
    perceptual: Literal["vgg", "alex", "none"] = "vgg"
    perceptual_weight: float = 1.0
    codebook_weight: float = 1.0
    adversarial_weight: float = 0.8
    adversarial_from: int = 30_001


class DiffusionRun(RunSettings):
    """What runs of diffusion models share.

    Attributes:
        autoencoder: safetensors of a trained autoencoder; it stays as it is.
        start: weights to begin from, by name; what they lack begins afresh.
        lq_dropout, reference_dropout: how often the LQ image, and the references as a whole, are left out.
    """

    autoencoder: Path
    start: Path | None = None
    noise: NoiseLoss = "l2"
    lq_dropout: float = Field(default=0.1, ge=0, le=1)
    reference_dropout: float = Field(default=0.1, ge=0, le=1)
    identity: IdentitySettings = IdentitySettings()


class RefLdmRun(DiffusionRun):
    """Trains ReF-LDM, or with ``ldm`` the same network without references."""

    kind: Literal["ldm", "refldm"] = "refldm"
    model: RefLdmConfig = RefLdmConfig()


class CompositeRun(DiffusionRun):
    """Trains the composite-context model with one reference."""

    kind: Literal["composite-context"] = "composite-context"
    model: CompositeContextConfig = CompositeContextConfig()
    identity: IdentitySettings = IdentitySettings(reference_share=0.5, recogniser="webface-r50-five-point")


TrainConfig = Annotated[AutoencoderRun | RefLdmRun | CompositeRun, Field(discriminator="kind")]
AnyRun = AutoencoderRun | RefLdmRun | CompositeRun
KINDS = ("autoencoder", "ldm", "refldm", "composite-context")

PAPER_LDM: dict[str, Any] = {
    "steps": 500_000,
    "batch": 40,
    "optimiser": {"rate": 5e-5, "warmup": 10_000},
    "reference_dropout": 0.0,
    "identity": {"weight": 0.0},
}
PAPER_REFLDM: dict[str, Any] = {
    "steps": 150_000,
    "batch": 8,
    "optimiser": {"rate": 5e-5, "warmup": 10_000},
}
PRESETS: Mapping[str, Mapping[str, Any]] = {
    "autoencoder-paper": {
        "kind": "autoencoder",
        "steps": 200_000,
        "batch": 32,
        "optimiser": {"rate": 1e-4, "warmup": 10_000, "schedule": "cosine", "final_share": 0.01},
    },
    "ldm-paper": {"kind": "ldm"} | PAPER_LDM,
    "refldm-paper": {"kind": "refldm"} | PAPER_REFLDM,
    "composite-context-paper": {"kind": "composite-context"} | PAPER_REFLDM | {"data": {"references": 1}},
}


def make_config(*layers: Mapping[str, Any]) -> AnyRun:
    """A configuration from layers of settings, later ones first in rank, nested ones merged by name.

    Raises:
        FaultList: unknown names or values that do not fit, all at once.
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
        raise FaultList("training settings", faults) from None


def preset(name: str) -> Mapping[str, Any]:
    """The settings of a preset.

    Raises:
        RefbenchError: no such preset.
    """
    if name not in PRESETS:
        raise RefbenchError(f"no preset {name!r}; known: {', '.join(PRESETS)}")
    return PRESETS[name]


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
    harmless = (
        "log_every",
        "save_every",
        "sheet_every",
        "data.workers",
        "data.reference_set",
        "autoencoder",
        "start",
    )
    ours, theirs = _flat(left.model_dump(mode="json")), _flat(right.model_dump(mode="json"))
    names = [name for name in {**ours, **theirs} if name not in harmless]
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
