from .checkpoints.checkpoints import load_autoencoder as load_autoencoder
from .checkpoints.checkpoints import load_refldm as load_refldm
from .checkpoints.checkpoints import read_tensors as read_tensors
from .checkpoints.checkpoints import save_weights as save_weights
from .checkpoints.external import convert_release as convert_release
from .checkpoints.registry import RESTORERS as RESTORERS
from .checkpoints.registry import RegisteredRestorer as RegisteredRestorer
from .checkpoints.registry import load_restorer as load_restorer
from .composite_context.model import CompositeContext as CompositeContext
from .composite_context.model import CompositeContextConfig as CompositeContextConfig
from .composite_context.model import Towers as Towers
from .composite_context.restorer import CompositeContextRestorer as CompositeContextRestorer
from .composite_context.restorer import CompositeSampling as CompositeSampling
from .diffusion.ddim import ddim as ddim
from .diffusion.ddim import spaced_timesteps as spaced_timesteps
from .diffusion.dpm_solver import dpm_solver as dpm_solver
from .diffusion.schedule import DiffusionConfig as DiffusionConfig
from .diffusion.schedule import Schedule as Schedule
from .networks.attention import CacheKV as CacheKV
from .networks.autoencoder import Autoencoder as Autoencoder
from .networks.autoencoder import AutoencoderConfig as AutoencoderConfig
from .networks.face_embedder import aligned_embedder as aligned_embedder
from .networks.identity_network import angular_margin_logits as angular_margin_logits
from .networks.losses import adversarial_loss as adversarial_loss
from .networks.losses import codebook_loss as codebook_loss
from .networks.losses import discriminator_loss as discriminator_loss
from .networks.losses import hard_example_identity_loss as hard_example_identity_loss
from .networks.losses import identity_loss as identity_loss
from .networks.losses import identity_scale as identity_scale
from .networks.losses import noise_loss as noise_loss
from .networks.losses import reconstruction_loss as reconstruction_loss
from .networks.unet import UNet as UNet
from .networks.unet import UNetConfig as UNetConfig
from .refldm.model import RefLdm as RefLdm
from .refldm.model import RefLdmConfig as RefLdmConfig
from .refldm.restorer import RefLdmRestorer as RefLdmRestorer
from .refldm.restorer import RefLdmSampling as RefLdmSampling
from .restorers.options import RestoreOptions as RestoreOptions
from .restorers.restore import RestoreReport as RestoreReport
from .restorers.restore import restore_images as restore_images
from .restorers.restorer import FileRestorer as FileRestorer
from .restorers.restorer import Job as Job
from .restorers.restorer import Restorer as Restorer
from .restorers.restorer import RestorerCard as RestorerCard
from .training.config import AutoencoderRun as AutoencoderRun
from .training.config import CompositeRun as CompositeRun
from .training.config import IdentityRun as IdentityRun
from .training.config import RefLdmRun as RefLdmRun
from .training.config import TrainConfig as TrainConfig
from .training.presets import TRAINING_PRESETS as TRAINING_PRESETS
from .training.presets import training_preset as training_preset
from .training.settings import make_config as make_config
from .training.settings import read_settings as read_settings
from .training.train import TrainReport as TrainReport
from .training.train import train as train

__all__ = [
    "RESTORERS",
    "TRAINING_PRESETS",
    "Autoencoder",
    "AutoencoderConfig",
    "AutoencoderRun",
    "CacheKV",
    "CompositeContext",
    "CompositeContextConfig",
    "CompositeContextRestorer",
    "CompositeRun",
    "CompositeSampling",
    "DiffusionConfig",
    "FileRestorer",
    "IdentityRun",
    "Job",
    "RefLdm",
    "RefLdmConfig",
    "RefLdmRestorer",
    "RefLdmRun",
    "RefLdmSampling",
    "RegisteredRestorer",
    "RestoreOptions",
    "RestoreReport",
    "Restorer",
    "RestorerCard",
    "Schedule",
    "Towers",
    "TrainConfig",
    "TrainReport",
    "UNet",
    "UNetConfig",
    "adversarial_loss",
    "aligned_embedder",
    "angular_margin_logits",
    "codebook_loss",
    "convert_release",
    "ddim",
    "discriminator_loss",
    "dpm_solver",
    "hard_example_identity_loss",
    "identity_loss",
    "identity_scale",
    "load_autoencoder",
    "load_refldm",
    "load_restorer",
    "make_config",
    "noise_loss",
    "read_settings",
    "read_tensors",
    "reconstruction_loss",
    "restore_images",
    "save_weights",
    "spaced_timesteps",
    "train",
    "training_preset",
]
