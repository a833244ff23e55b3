"""ReF-LDM as a restorer: presets, reference caches that last over targets, and batches."""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from threading import Lock
from types import MappingProxyType
from typing import Literal

import torch
from pydantic import BaseModel, ConfigDict, Field
from torch import Tensor

from ..errors import FaultyInput
from ..files import canonical_json
from .attention import CacheKV
from .ddim import Spacing, ddim, spaced_timesteps
from .refldm import RefLdm
from .restorer import RestorerCard

SHARED_NOISE_SEED = 2024


class Sampling(BaseModel):
    """How an image is drawn from the model.

    Attributes:
        steps: number of sampling steps.
        spacing: of the timesteps; see `ddim.spaced_timesteps`.
        guidance: scale from null references (0) to the references (1) and beyond.
        references: most references used; 0 restores with null references only, as many as 5.
        noise: ``image`` draws every image's starting noise from its own seed; ``shared`` gives all images
            the noise of one seed, as the authors' evaluation does.
        precision: of the network's arithmetic.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    steps: int = Field(default=50, ge=1)
    spacing: Spacing = "uniform_trailing"
    guidance: float = 1.5
    references: int = Field(default=5, ge=0)
    noise: Literal["image", "shared"] = "image"
    precision: Literal["float32", "bfloat16"] = "float32"


PRESETS: Mapping[str, Sampling] = MappingProxyType(
    {
        "paper": Sampling(steps=100, spacing="uniform", noise="shared"),
        "demo": Sampling(),
    }
)


class RefLdmRestorer:
    """Restores faces with ReF-LDM.

    Keys and values of references are kept by the references' content, up to ``keep_bytes``: another target
    of the same person, another seed or another guidance scale pays nothing for them.
    """

    def __init__(
        self,
        model: RefLdm,
        sampling: Sampling,
        card: RestorerCard,
        device: str = "cpu",
        keep_bytes: int = 2**30,
    ) -> None:
        self.model = model.to(device).eval()
        self.sampling = sampling
        self.device = torch.device(device)
        self.caches = KeptCaches(keep_bytes)
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
            FaultyInput: an image without references, or of a size that the model does not take.
        """
        self._check(lq, references)
        counts = [min(len(own), self.sampling.references) for own in references]
        restored = torch.empty_like(lq)
        with (
            torch.inference_mode(),
            torch.autocast(self.device.type, torch.bfloat16, enabled=self.sampling.precision == "bfloat16"),
        ):
            for count in sorted(set(counts)):
                members = [index for index, own in enumerate(counts) if own == count]
                group = [references[index][:count] for index in members]
                drawn = self._draw(lq[members], group, [generators[index] for index in members])
                restored[members] = drawn.to(restored)
        return restored

    def _draw(
        self, lq: Tensor, references: Sequence[Tensor], generators: Sequence[torch.Generator]
    ) -> Tensor:
        """Restore images that have equally many references."""
        latents = torch.cat([self.model.encode(image[None].to(self.device)) for image in lq])
        size = (latents.shape[2], latents.shape[3])
        count = len(references[0])
        null = self.caches.get(("null", *size), lambda: self.model.cache_null(size, 1))
        if count:
            cached = CacheKV.stack([self._cache(own) for own in references])
            scale = self.sampling.guidance
        else:
            cached, scale = null, 0.0
        eps = self.model.guided_eps(latents, cached, null.times(count or 5), scale)
        noise = torch.stack([self._noise(latents.shape[1:], generator) for generator in generators])
        steps = spaced_timesteps(self.sampling.steps, self.sampling.spacing, len(self.model.schedule))
        restored = ddim(eps, noise.to(latents), self.model.schedule, steps)
        return torch.cat([self.model.decode(latent[None]) for latent in restored]).clamp(0, 1)

    def _cache(self, references: Tensor) -> CacheKV:
        """CacheKV of the references (N, 3, H, W) of one image."""
        if self.model.config.reference_encoding == "separate":
            return CacheKV.join([self._cache_of(reference[None]) for reference in references])
        return self._cache_of(references)

    def _cache_of(self, references: Tensor) -> CacheKV:
        def compute() -> CacheKV:
            latents = self.model.encode_references(references[None].to(self.device))
            return self.model.cache_references(latents)

        return self.caches.get(_content(references), compute)

    def _noise(self, shape: torch.Size, generator: torch.Generator) -> Tensor:
        if self.sampling.noise == "shared":
            generator = torch.Generator().manual_seed(SHARED_NOISE_SEED)
        return torch.randn(shape, generator=generator)

    def _check(self, lq: Tensor, references: Sequence[Tensor]) -> None:
        config = self.model.config
        step = config.autoencoder.downsampling * config.unet.downsampling
        height, width = lq.shape[-2:]
        if height % step or width % step:
            raise FaultyInput(f"the image is {width}x{height}; its sides must be multiples of {step}")
        if self.sampling.references and any(len(own) == 0 for own in references):
            raise FaultyInput("the model needs at least one reference, and the image has none")


class KeptCaches:
    """Caches by key, the least recently used dropped when they take more than ``limit`` bytes."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self._kept: OrderedDict[tuple[object, ...], CacheKV] = OrderedDict()
        self._lock = Lock()

    def get(self, key: tuple[object, ...], compute: Callable[[], CacheKV]) -> CacheKV:
        """The cache of ``key``, computed if it is not kept."""
        with self._lock:
            if key in self._kept:
                self._kept.move_to_end(key)
                return self._kept[key]
        cache = compute()
        with self._lock:
            self._kept[key] = cache
            while len(self._kept) > 1 and sum(kept.nbytes for kept in self._kept.values()) > self.limit:
                self._kept.popitem(last=False)
        return cache


def describe(sampling: Sampling) -> str:
    """All settings of ``sampling`` in one line, for a card."""
    return canonical_json(sampling.model_dump(mode="json"))


def _content(images: Tensor) -> tuple[object, ...]:
    return (hashlib.sha256(images.cpu().contiguous().numpy().tobytes()).hexdigest(), tuple(images.shape))
