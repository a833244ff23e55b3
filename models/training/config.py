"""Training configuration: data, optimiser, losses, validation and model, typed and range-checked.

The same names are used in YAML files, on the command line and in Python.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from ...degradations.training.augment import Augmentation
from ...devices import Precision, spell_precision
from ..composite_context.model import CompositeContextConfig
from ..networks.autoencoder import AutoencoderConfig
from ..networks.identity_network import IdentityNetworkConfig
from ..networks.losses import IDENTITY_WEIGHT, IdentityScale, NoiseLoss
from ..refldm.model import RefLdmConfig


class Settings(BaseModel):
    """Base of settings: frozen, unknown names refused, names of version 0.1 (`OLD_NAMES`) still read."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    OLD_NAMES: ClassVar[Mapping[str, str]] = {}

    @model_validator(mode="before")
    @classmethod
    def _read_old_names(cls, values: Any) -> Any:
        if not isinstance(values, Mapping):
            return values
        renamed = {old: new for old, new in cls.OLD_NAMES.items() if new not in values}
        return {renamed.get(name, name): value for name, value in values.items()}


class DataSettings(Settings):
    """Training data.

    Attributes:
        reference_set: folder of the set.
        split: split whose images are used.
        recipe: degradation recipe of the LQ images: a bundled name or a YAML file.
        references: references per image; where an image has fewer, they are repeated.
        augmentation: augmentation of the references; ReF-LDM's by default.
        target_as_reference: probability that a reference is replaced by the target itself, augmented.
        workers: data loading processes; 0 loads in the training process.
        shared_identities: allow people who are also in another split.
    """

    OLD_NAMES = {"own_share": "target_as_reference"}

    reference_set: Path
    split: str = "train"
    recipe: str = "refldm-train"
    references: int = Field(default=5, ge=1)
    augmentation: Augmentation = Augmentation()
    target_as_reference: float = Field(default=0.0, ge=0, le=1)
    workers: int = Field(default=1, ge=0)
    shared_identities: bool = False


class OptimiserSettings(Settings):
    """AdamW (Loshchilov and Hutter, 2019) with linear warm-up, then a constant rate or a cosine decay.

    Attributes:
        rate: learning rate.
        warmup: steps of the linear warm-up.
        schedule: ``constant``, or ``cosine`` decay to ``final_share`` of the rate at the last step.
        final_share: see ``schedule``.
        weight_decay, betas: of AdamW.
        clip: largest norm of the gradient; None does not clip.
    """

    rate: float = Field(default=1e-4, gt=0)
    warmup: int = Field(default=0, ge=0)
    schedule: Literal["constant", "cosine"] = "constant"
    final_share: float = Field(default=0.01, ge=0, le=1)
    weight_decay: float = Field(default=0.01, ge=0)
    betas: tuple[float, float] = (0.9, 0.999)
    clip: float | None = Field(default=None, gt=0)


class IdentitySettings(Settings):
    """Identity loss of the one-step estimate of the image.

    Attributes:
        weight: weight relative to the noise loss; 0 disables the loss.
        scale: weight over the timesteps, see `identity_scale`.
        reference_share: lambda of the hard example identity loss; 0 compares with the HQ image only.
        target: compare with the HQ image after the autoencoder (``reconstruction``, as in ReF-LDM's released
            code) or before it (``hq``, as in the paper).
        recogniser: name in `faces.recognisers.registry`; evaluate with another one.
        images: most images of a batch the loss is computed for; it is the slowest part of a step.
    """

    weight: float = Field(default=IDENTITY_WEIGHT, ge=0)
    scale: IdentityScale = "sqrt_alpha_bar"
    reference_share: float = Field(default=0.0, ge=0, le=1)
    target: Literal["reconstruction", "hq"] = "reconstruction"
    recogniser: str = "webface-r50"
    images: int = Field(default=1000, ge=1)


class ValidationSettings(Settings):
    """Validation of the EMA weights on people outside the training split: PSNR, LPIPS, identity similarity.

    Attributes:
        every: steps between validations; 0 for never.
        images: number of images, the first of the split.
        split: split of the images.
        recogniser: recogniser of the identity similarity; must differ from that of the loss.
    """

    every: int = Field(default=0, ge=0)
    images: int = Field(default=16, ge=1)
    split: str = "val"
    recogniser: str = "dlib-resnet"


class RunSettings(Settings):
    """Settings of every training run.

    Attributes:
        data: training data.
        optimiser: AdamW and its learning rate schedule.
        steps: optimiser steps.
        batch: images per step and process.
        accumulate: gradient accumulation: number of equal parts of a batch, computed one after another.
        precision: ``float32``, or ``mixed`` for a forward pass in bfloat16 (autocast); weights and optimiser
            stay float32. ``bfloat16`` is read as ``mixed``.
        gradient_checkpointing: recompute activations in the backward pass (Chen et al., 2016): less memory,
            about a third more computation, the same result.
        ema_decay: decay of the averaged weights, which a run exports.
        seed: of initial weights, order, degradations and noise.
        tensorboard: write TensorBoard event files too, if the package is installed.
        validation: validation during training.
        log_every: steps between rows of the log.
        save_every: steps between checkpoints.
        sheet_every: steps between sample sheets, and one at the end; 0 for none.
    """

    OLD_NAMES = {"checkpointing": "gradient_checkpointing"}

    data: DataSettings
    optimiser: OptimiserSettings = OptimiserSettings()
    steps: int = Field(ge=1)
    batch: int = Field(default=8, ge=1)
    accumulate: int = Field(default=1, ge=1)
    precision: Precision = "float32"
    gradient_checkpointing: bool = False
    ema_decay: float = Field(default=0.9999, ge=0, lt=1)
    seed: int = 0
    tensorboard: bool = True
    validation: ValidationSettings = ValidationSettings()
    log_every: int = Field(default=50, ge=1)
    save_every: int = Field(default=1000, ge=1)
    sheet_every: int = Field(default=1000, ge=0)

    @field_validator("precision", mode="before")
    @classmethod
    def _autocast_is_mixed(cls, value: Any) -> Any:
        return "mixed" if spell_precision(value) == "bfloat16" else value

    @model_validator(mode="after")
    def _parts_fit(self) -> RunSettings:
        if self.batch % self.accumulate:
            raise ValueError(f"a batch of {self.batch} cannot be split into {self.accumulate} equal parts")
        return self


class AutoencoderRun(RunSettings):
    """Trains an autoencoder as VQGAN (Esser et al., 2021): reconstruction, LPIPS, codebook, adversarial loss.

    Attributes:
        model: sizes of the autoencoder.
        image_size: side of the images, in pixels.
        perceptual: backbone of the LPIPS loss, or ``none``.
        perceptual_weight, codebook_weight: weights of these losses relative to the reconstruction loss.
        latent_noise: noise added to the latents before decoding, as a share of their standard deviation. For
            an autoencoder without codebook: it makes the decoder smooth in the latents.
        start: weights to begin from; None for random ones.
        decoder_only: train the decoder only, so that the latents stay those of ``start`` and diffusion models
            trained in them keep working.
        adversarial_weight: weight of the adversarial loss, which is balanced first (VQGAN, equation 7).
        adversarial_from: first step, counted from 1, with the discriminator.
    """

    kind: Literal["autoencoder"] = "autoencoder"
    model: AutoencoderConfig = AutoencoderConfig()
    image_size: int = 512
    perceptual: Literal["vgg", "alex", "none"] = "vgg"
    perceptual_weight: float = 1.0
    codebook_weight: float = 1.0
    latent_noise: float = Field(default=0.0, ge=0)
    start: Path | None = None
    decoder_only: bool = False
    adversarial_weight: float = 0.8
    adversarial_from: int = 30_001

    @model_validator(mode="after")
    def _decoder_has_an_encoder(self) -> AutoencoderRun:
        if self.decoder_only and self.start is None:
            raise ValueError("decoder_only needs start: the weights whose encoder is kept")
        return self


class DiffusionRun(RunSettings):
    """Settings shared by the diffusion models.

    Attributes:
        autoencoder: weights of a trained autoencoder (safetensors); it is not trained further.
        start: weights to begin from, matched by name; layers that are not in the file begin with random
            weights.
        noise: noise prediction loss, see `noise_loss`.
        lq_dropout: probability that the LQ image is dropped, for classifier-free guidance.
        reference_dropout: probability that all references of an image are dropped.
        identity: identity loss.
    """

    autoencoder: Path
    start: Path | None = None
    noise: NoiseLoss = "l2"
    lq_dropout: float = Field(default=0.1, ge=0, le=1)
    reference_dropout: float = Field(default=0.1, ge=0, le=1)
    identity: IdentitySettings = IdentitySettings()


class RefLdmRun(DiffusionRun):
    """Trains ReF-LDM (``refldm``), or the same network without references (``ldm``)."""

    kind: Literal["ldm", "refldm"] = "refldm"
    model: RefLdmConfig = RefLdmConfig()


class CompositeRun(DiffusionRun):
    """Trains the composite-context model with one reference per image."""

    kind: Literal["composite-context"] = "composite-context"
    model: CompositeContextConfig = CompositeContextConfig()
    identity: IdentitySettings = IdentitySettings(reference_share=0.5, recogniser="webface-r50-five-point")


class IdentityRun(RunSettings):
    """Trains a face recogniser with the ArcFace loss (Deng et al., 2019, equation 3), for losses and metrics.

    Attributes:
        model: sizes of the recogniser.
        margin: added to the angle to the correct class, in radians.
        scale: factor of the cosines.
        lq_share: share of the images that are degraded, so that embeddings become robust to blur and noise.
        image_size: side of the images of the set, in pixels.
    """

    kind: Literal["identity"] = "identity"
    model: IdentityNetworkConfig = IdentityNetworkConfig()
    margin: float = Field(default=0.4, ge=0, le=1.5)
    scale: float = Field(default=32.0, gt=0)
    lq_share: float = Field(default=0.3, ge=0, le=1)
    image_size: int = 512


TrainConfig = Annotated[AutoencoderRun | RefLdmRun | CompositeRun | IdentityRun, Field(discriminator="kind")]
AnyRun = AutoencoderRun | RefLdmRun | CompositeRun | IdentityRun
KINDS = ("autoencoder", "ldm", "refldm", "composite-context", "identity")
