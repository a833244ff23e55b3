"""Registry of training tasks: the task of a training configuration."""

from __future__ import annotations

import torch

from ..config import AnyRun, AutoencoderRun, IdentityRun, RefLdmRun
from ..data import hashed_seed
from .autoencoder import AutoencoderTask
from .diffusion import CompositeTask, RefLdmTask
from .identity import IdentityTask
from .task import Task


def make_task(run: AnyRun, device: str = "cpu") -> Task:
    """Make the training task of a configuration, with random weights from the run's seed.

    Raises:
        RefbenchError: weights that are absent or of other sizes.
    """
    place = torch.device(device)
    with torch.random.fork_rng():
        torch.manual_seed(hashed_seed(run.seed, "weights"))
        if isinstance(run, AutoencoderRun):
            return AutoencoderTask(run, place)
        if isinstance(run, IdentityRun):
            return IdentityTask(run, place)
        return RefLdmTask(run, place) if isinstance(run, RefLdmRun) else CompositeTask(run, place)
