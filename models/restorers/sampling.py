"""Sampling settings of latent diffusion models, and parsing of presets such as ``demo,steps=20``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, field_validator

from ...devices import Precision, spell_precision
from ...errors import RefbenchError
from ...files import canonical_json
from ..diffusion.ddim import Spacing
from ..diffusion.tiles import OVERLAP

Settings = TypeVar("Settings", bound="Sampling")


class Sampling(BaseModel):
    """Sampling settings of a latent diffusion model.

    Attributes:
        steps: number of sampling steps.
        spacing: spacing of the timesteps; see `ddim.spaced_timesteps`.
        solver: ``ddim``, or ``dpm++`` for DPM-Solver++ of second order.
        references: most references used; 0 restores without any.
        noise: ``image`` draws every image's starting noise from its own seed; ``shared`` gives all images
            the noise of one seed, as the evaluation of ReF-LDM does.
        precision: ``bfloat16`` computes in bfloat16, except where errors matter most: the
            encoding of the LQ image, the U-Net's first and last convolution, the solver and the codebook.
            ``mixed`` encodes references and decodes in bfloat16, and keeps nearly all codebook indices.
        decoder_tile: decode in overlapping tiles with this side in latent pixels, more than 8: less memory,
            a slightly different image; 0 decodes the whole latent at once.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    steps: int = Field(default=50, ge=1)
    spacing: Spacing = "uniform_trailing"
    solver: Literal["ddim", "dpm++"] = "ddim"
    references: int = Field(default=5, ge=0)
    noise: Literal["image", "shared"] = "image"
    precision: Annotated[Precision, BeforeValidator(spell_precision)] = "float32"
    decoder_tile: int = Field(default=0, ge=0)

    @field_validator("decoder_tile")
    @classmethod
    def _beyond_overlap(cls, tile: int) -> int:
        if 0 < tile <= OVERLAP:
            raise ValueError(f"a tile must be larger than the overlap of {OVERLAP}; 0 decodes the whole")
        return tile

    def describe(self) -> str:
        """All settings in one line, for a card."""
        return canonical_json(self.model_dump(mode="json"))


def choose_sampling(presets: Mapping[str, Settings], preset: str | None, of: str) -> Settings:
    """The sampling that ``--preset`` asks for: a preset's name, settings, or both, such as
    ``demo,steps=20,solver=dpm++``; settings change the named preset, or the first.

    Raises:
        RefbenchError: no such preset or setting, or a value that does not fit; ``of`` names the model.
    """
    words = [word.strip() for word in (preset or "").split(",") if word.strip()]
    names = [word for word in words if "=" not in word] or [next(iter(presets))]
    if len(names) > 1 or names[0] not in presets:
        known = f"{', '.join(presets)}; settings follow a comma, such as {next(iter(presets))},steps=20"
        raise RefbenchError(f"{of} has no preset {','.join(names)!r}; known: {known}")
    chosen = presets[names[0]]
    settings = dict(word.split("=", 1) for word in words if "=" in word)
    try:
        return type(chosen).model_validate(chosen.model_dump() | settings)
    except ValidationError as error:
        faults = "; ".join(f"{'.'.join(map(str, fault['loc']))}: {fault['msg']}" for fault in error.errors())
        fields = ", ".join(type(chosen).model_fields)
        raise RefbenchError(f"--preset {preset}: {faults}; the settings of {of} are {fields}") from None


def version_with(version: str, presets: Mapping[str, Settings], sampling: Settings) -> str:
    """The version of a model with its sampling settings: ``released``, ``released+fast``,
    ``released+fast+steps-10``; two ways to write the same settings give the same version.

    Args:
        version: of the model itself, which stands alone for the first preset.
        presets: the model's presets by name.
        sampling: the settings chosen.
    """

    def changes(name: str) -> dict[str, object]:
        ours, theirs = sampling.model_dump(mode="json"), presets[name].model_dump(mode="json")
        return {field: ours[field] for field in sorted(ours) if ours[field] != theirs[field]}

    first = next(iter(presets))
    nearest = min(presets, key=lambda name: len(changes(name)))
    words = [f"{field}-{value}" for field, value in changes(nearest).items()]
    return "+".join([version, *([] if nearest == first else [nearest]), *words])
