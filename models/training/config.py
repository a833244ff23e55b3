"""What a training run is: one typed configuration, the same in YAML, on the command line and in Python."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from ...degradations.training.augment import Augmentation
from ..composite_context.model import CompositeContextConfig
from ..networks.autoencoder import AutoencoderConfig
from ..networks.identity_network import IdentityNetworkConfig
from ..networks.losses import IDENTITY_WEIGHT, IdentityScale, NoiseLoss
from ..refldm.model import RefLdmConfig


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
        augmentation: of the references; ReF-LDM's.
        own_share: probability that the target itself, augmented, takes a reference's place.
        workers: processes that read and degrade; 0 reads in the training process.
        shared_identities: allow people that are also in another split.
    """

    reference_set: Path
    split: str = "train"
    recipe: str = "refldm-train"
    references: int = Field(default=5, ge=1)
    augmentation: Augmentation = Augmentation()
    own_share: float = Field(default=0.0, ge=0, le=1)
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


class ValidationSettings(Settings):
    """Scores of the averaged weights on people who are not trained on: PSNR, LPIPS, identity similarity.

    Attributes:
        every: steps between them; 0 for never.
        images: how many, the first of the split.
        split: whose.
        recogniser: for identity similarity; one that is not in the loss.
    """

    every: int = Field(default=0, ge=0)
    images: int = Field(default=16, ge=1)
    split: str = "val"
    recogniser: str = "dlib-resnet"


class RunSettings(Settings):
    """What every run has.

    Attributes:
        steps: of the optimiser.
        batch: images per step and process.
        accumulate: parts that a batch is split into, one after another, to save memory.
        precision: of the forward pass; weights and optimiser stay float32.
        ema_decay: of the averaged weights, which are what a run is for.
        checkpointing: forget what blocks computed, and compute it again for the gradients: less memory, a
            third more work, the same result.
        seed: of weights, order, degradations and noise.
        tensorboard: write the log for TensorBoard too, if it is installed.
        log_every, save_every, sheet_every: steps between lines of the log, checkpoints, sample sheets.
    """

    data: DataSettings
    optimiser: OptimiserSettings = OptimiserSettings()
    steps: int = Field(ge=1)
    batch: int = Field(default=8, ge=1)
    accumulate: int = Field(default=1, ge=1)
    precision: Literal["float32", "bfloat16"] = "float32"
    checkpointing: bool = False
    ema_decay: float = Field(default=0.9999, ge=0, lt=1)
    seed: int = 0
    tensorboard: bool = True
    validation: ValidationSettings = ValidationSettings()
    log_every: int = Field(default=50, ge=1)
    save_every: int = Field(default=1000, ge=1)
    sheet_every: int = Field(default=1000, ge=1)

    @model_validator(mode="after")
    def _parts_fit(self) -> RunSettings:
        if self.batch % self.accumulate:
            raise ValueError(f"a batch of {self.batch} cannot be split into {self.accumulate} equal parts")
        return self


class AutoencoderRun(RunSettings):
    """Trains an autoencoder: reconstruction, LPIPS, codebook, and a discriminator once it is good enough.

    ``latent_noise`` is added before decoding, as a share of the latents' deviation: for an autoencoder
    without codebook, so that what is near in the latents is near in the image. ``start`` are weights to
    begin from; with ``decoder_only`` the encoder stays as they have it, and so do the latents that a
    diffusion model was trained in.
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


class IdentityRun(RunSettings):
    """Trains a recogniser with ArcFace (Deng et al., 2019): a recogniser of one's own for losses and scores.

    Attributes:
        margin: added to the angle of the right person, in radians.
        scale: of the cosines.
        lq_share: of the images that are seen degraded, so that blur does not change who somebody is.
        image_size: of the set.
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
