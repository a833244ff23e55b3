"""Base class of latent diffusion restorers: batching, starting noise, sampling, decoding, content cache."""

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
from ...records.card import RestorerCard
from ..diffusion.ddim import Denoise, ddim, spaced_timesteps
from ..diffusion.dpm_solver import dpm_solver
from ..diffusion.schedule import Schedule
from ..diffusion.tiles import decode_in_tiles
from ..networks.unet import UNet, cast_to_bfloat16
from .sampling import Sampling
from .threads import map_images

SHARED_NOISE_SEED = 2024


class LatentModel(Protocol):
    """Interface of a latent diffusion model: autoencoder, U-Net and noise schedule."""

    schedule: Schedule
    unet: UNet

    @property
    def latent_stride(self) -> int:
        """Downsampling factor of the autoencoder: image pixels per latent pixel, along a side."""

    @property
    def size_multiple(self) -> int:
        """Height and width of an image must be multiples of this, in pixels."""

    def encode(self, images: Tensor) -> Tensor:
        """Latents (B, C, h, w) of images (B, 3, H, W) in [0, 1]."""

    def decode(self, latents: Tensor) -> Tensor:
        """Images (B, 3, H, W) of latents (B, C, h, w); about [0, 1], not clamped."""


Value = TypeVar("Value")
Model = TypeVar("Model", bound=LatentModel)


class LatentRestorer(ABC, Generic[Model]):
    """Restores images by sampling from a latent diffusion model; base class of the models' own restorers."""

    def __init__(self, model: Model, sampling: Sampling, card: RestorerCard, *, device: str = "cpu") -> None:
        self.model = model
        if sampling.precision == "bfloat16":
            self.model = copy.deepcopy(model)
            cast_to_bfloat16(self.model.unet)
        self.sampling = sampling
        self.device = torch.device(device)
        self._card = card

    @property
    def card(self) -> RestorerCard:
        """Description of the restorer for the submission card."""
        return self._card

    def restore(
        self, lq: Tensor, references: Sequence[Tensor], generators: Sequence[torch.Generator]
    ) -> Tensor:
        """Restore one batch; see `Restorer.restore`.

        Raises:
            InvalidInputError: an image without references, or of a size that the model does not take.
        """
        height, width = lq.shape[-2:]
        if height % self.model.size_multiple or width % self.model.size_multiple:
            step = self.model.size_multiple
            raise InvalidInputError(f"the image is {width}x{height}; its sides must be multiples of {step}")
        if self.sampling.references and any(len(own) == 0 for own in references):
            raise InvalidInputError("the model needs at least one reference, and the image has none")
        restored = torch.empty_like(lq)

        def draw(members: Sequence[int]) -> Tensor:
            group = [references[index][: self.sampling.references] for index in members]
            return self._draw(lq[members], group, [generators[index] for index in members])

        groups = self._groups([min(len(own), self.sampling.references) for own in references])
        with torch.inference_mode():
            drawn = map_images(draw, groups) if self.device.type == "cpu" else map(draw, groups)
            for members, images in zip(groups, drawn, strict=True):
                restored[members] = images.to(restored)
        return restored

    def _groups(self, counts: Sequence[int]) -> list[list[int]]:
        """Indices of images that are batched together: those with the same number of references.

        On a CPU each image is a batch of its own, computed by one thread: batches are no faster there, and
        results are bit-identical for any batch size and any number of threads.
        """
        if self.device.type == "cpu":
            return [[index] for index in range(len(counts))]
        return [[i for i, own in enumerate(counts) if own == count] for count in sorted(set(counts))]

    @abstractmethod
    def _denoiser(self, lq_latents: Tensor, references: Sequence[Tensor]) -> Denoise:
        """Guided noise prediction as a function of (x_t, timesteps); all images have as many references."""

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
        return decode_in_tiles(self.model.decode, latents, tile=tile, factor=self.model.latent_stride)

    def _noise(self, shape: torch.Size, generator: torch.Generator) -> Tensor:
        if self.sampling.noise == "shared":
            generator = torch.Generator().manual_seed(SHARED_NOISE_SEED)
        return torch.randn(shape, generator=generator)


class ContentCache(Generic[Value]):
    """Thread-safe LRU cache of values computed from images, keyed by the images' content (SHA-256).

    Args:
        max_bytes: total size above which the least recently used values are dropped; the newest stays.
        size: bytes of a value.
    """

    def __init__(self, max_bytes: int, size: Callable[[Value], int]) -> None:
        self.max_bytes = max_bytes
        self._size = size
        self._values: OrderedDict[tuple[object, ...], Value] = OrderedDict()
        self._lock = Lock()

    def get(self, images: Tensor, compute: Callable[[], Value]) -> Value:
        """The value of ``images``, computed unless it is cached."""
        content = images.cpu().contiguous().numpy().tobytes()
        key = (hashlib.sha256(content).hexdigest(), tuple(images.shape))
        with self._lock:
            if key in self._values:
                self._values.move_to_end(key)
                return self._values[key]
        value = compute()
        with self._lock:
            self._values[key] = value
            while len(self._values) > 1 and sum(map(self._size, self._values.values())) > self.max_bytes:
                self._values.popitem(last=False)
        return value
