"""What restorers of latent diffusion models share: batches, noise, sampling, things kept by content."""

from __future__ import annotations

import copy
import hashlib
from abc import ABC, abstractmethod
from collections import OrderedDict
from collections.abc import Callable, Sequence
from threading import Lock
from typing import Generic, Protocol, TypeVar

import torch
from torch import Tensor

from ...errors import InvalidInputError
from ...records.run_manifest import RestorerCard
from ..diffusion.ddim import Denoise, ddim, spaced_timesteps
from ..diffusion.dpm_solver import dpm_solver
from ..diffusion.schedule import Schedule
from ..diffusion.tiles import decode_in_tiles
from ..networks.unet import UNet, round_weights
from .sampling import Sampling

SHARED_NOISE_SEED = 2024


class LatentModel(Protocol):
    """A network that restores in the latents of an autoencoder."""

    schedule: Schedule
    unet: UNet

    @property
    def latent_step(self) -> int:
        """Image pixels per latent pixel, along a side."""

    @property
    def side_step(self) -> int:
        """What the sides of an image must be multiples of."""

    def encode(self, images: Tensor) -> Tensor:
        """Latents of images in [0, 1]."""

    def decode(self, latents: Tensor) -> Tensor:
        """Images of latents, not clamped."""


Kept = TypeVar("Kept")
Model = TypeVar("Model", bound=LatentModel)


class LatentRestorer(ABC, Generic[Model]):
    """Restores faces by sampling from a latent diffusion model."""

    def __init__(self, model: Model, sampling: Sampling, card: RestorerCard, *, device: str = "cpu") -> None:
        self.model = model
        if sampling.precision == "bfloat16":
            self.model = copy.deepcopy(model)
            round_weights(self.model.unet)
        self.sampling = sampling
        self.device = torch.device(device)
        self._card = card

    @property
    def card(self) -> RestorerCard:
        """Facts for the submission card."""
        return self._card

    def restore(
        self, lq: Tensor, references: Sequence[Tensor], generators: Sequence[torch.Generator]
    ) -> Tensor:
        """Restore one batch; see `models.restorer.Restorer`.

        Raises:
            InvalidInputError: an image without references, or of a size that the model does not take.
        """
        height, width = lq.shape[-2:]
        if height % self.model.side_step or width % self.model.side_step:
            step = self.model.side_step
            raise InvalidInputError(f"the image is {width}x{height}; its sides must be multiples of {step}")
        if self.sampling.references and any(len(own) == 0 for own in references):
            raise InvalidInputError("the model needs at least one reference, and the image has none")
        restored = torch.empty_like(lq)
        with torch.inference_mode():
            for members in self._groups([min(len(own), self.sampling.references) for own in references]):
                group = [references[index][: self.sampling.references] for index in members]
                drawn = self._draw(lq[members], group, [generators[index] for index in members])
                restored[members] = drawn.to(restored)
        return restored

    def _groups(self, counts: Sequence[int]) -> list[list[int]]:
        """Which images go through the network together: those with equally many references.

        On a processor each goes alone: a batch is no faster there, and alone an image is the same to the
        last bit whatever its neighbours are.
        """
        if self.device.type == "cpu":
            return [[index] for index in range(len(counts))]
        return [[i for i, own in enumerate(counts) if own == count] for count in sorted(set(counts))]

    @abstractmethod
    def _denoiser(self, lq_latents: Tensor, references: Sequence[Tensor]) -> Denoise:
        """The guided noise as a function of (x_t, timesteps), for images with equally many references."""

    def _draw(
        self, lq: Tensor, references: Sequence[Tensor], generators: Sequence[torch.Generator]
    ) -> Tensor:
        lq_latents = torch.cat([self.model.encode(image[None].to(self.device)) for image in lq])
        noise = torch.stack([self._noise(lq_latents.shape[1:], generator) for generator in generators])
        steps = spaced_timesteps(self.sampling.steps, self.sampling.spacing, len(self.model.schedule))
        solve = ddim if self.sampling.solver == "ddim" else dpm_solver
        with self._bfloat16(self.sampling.precision == "bfloat16"):
            denoise = self._denoiser(lq_latents, references)
            latents = solve(denoise, noise.to(self.device), self.model.schedule, timesteps=steps)
        with self._bfloat16(self.sampling.precision != "float32"):
            return torch.cat([self._decode(latent[None]) for latent in latents]).float().clamp(0, 1)

    def _bfloat16(self, wanted: bool) -> torch.autocast:
        return torch.autocast(self.device.type, torch.bfloat16, enabled=wanted)

    def _decode(self, latents: Tensor) -> Tensor:
        tile = self.sampling.decoder_tile
        if not tile:
            return self.model.decode(latents)
        return decode_in_tiles(self.model.decode, latents, tile, factor=self.model.latent_step)

    def _noise(self, shape: torch.Size, generator: torch.Generator) -> Tensor:
        if self.sampling.noise == "shared":
            generator = torch.Generator().manual_seed(SHARED_NOISE_SEED)
        return torch.randn(shape, generator=generator)


class KeptByContent(Generic[Kept]):
    """Things computed from images, kept by content; above ``limit`` bytes the least lately used goes."""

    def __init__(self, limit: int, size: Callable[[Kept], int]) -> None:
        self.limit = limit
        self._size = size
        self._kept: OrderedDict[tuple[object, ...], Kept] = OrderedDict()
        self._lock = Lock()

    def get(self, images: Tensor, compute: Callable[[], Kept]) -> Kept:
        """What belongs to ``images``, computed if it is not kept."""
        content = images.cpu().contiguous().numpy().tobytes()
        key = (hashlib.sha256(content).hexdigest(), tuple(images.shape))
        with self._lock:
            if key in self._kept:
                self._kept.move_to_end(key)
                return self._kept[key]
        value = compute()
        with self._lock:
            self._kept[key] = value
            while len(self._kept) > 1 and sum(map(self._size, self._kept.values())) > self.limit:
                self._kept.popitem(last=False)
        return value
