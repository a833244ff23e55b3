"""The task of each kind of run."""

from __future__ import annotations

import torch

from ..config import AnyRun, AutoencoderRun, IdentityRun, RefLdmRun
from ..data import seed_of
from .autoencoder import AutoencoderTask
from .diffusion import CompositeTask, RefLdmTask
from .identity import IdentityTask
from .task import Task


def make_task(run: AnyRun, device: str = "cpu") -> Task:
    """The task of a run, its weights drawn from the run's seed.

    Raises:
        RefbenchError: weights that are absent or do not fit.
    """
    place = torch.device(device)
    with torch.random.fork_rng():
        torch.manual_seed(seed_of(run.seed, "weights"))
        if isinstance(run, AutoencoderRun):
            return AutoencoderTask(run, place)
        if isinstance(run, IdentityRun):
            return IdentityTask(run, place)
        return RefLdmTask(run, place) if isinstance(run, RefLdmRun) else CompositeTask(run, place)
