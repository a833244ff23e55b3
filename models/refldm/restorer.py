"""ReF-LDM restorer: sampling presets, guidance, and CacheKV of references cached by content."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType

import torch
from torch import Tensor

from ...records.card import RestorerCard
from ..diffusion.ddim import Denoise
from ..networks.attention import CacheKV
from ..restorers.latent_restorer import ContentCache, LatentRestorer
from ..restorers.sampling import Sampling
from .model import RefLdm

NULL_REFERENCES = 5


class RefLdmSampling(Sampling):
    """Sampling settings of ReF-LDM.

    Attributes:
        guidance: classifier-free guidance scale: 0 for null references, 1 for the real ones, above 1 to
            amplify their difference.
    """

    guidance: float = 1.5


PRESETS: Mapping[str, RefLdmSampling] = MappingProxyType(
    {
        "paper": RefLdmSampling(steps=100, spacing="uniform", noise="shared"),
        "demo": RefLdmSampling(),
        "fast": RefLdmSampling(steps=20, solver="dpm++"),
        "null": RefLdmSampling(references=0),
    }
)


class RefLdmRestorer(LatentRestorer[RefLdm]):
    """Restores faces with ReF-LDM.

    CacheKV of references is cached by content and reused for other targets of the same person, other seeds
    and other guidance scales.

    Args:
        model: the network; moved to ``device``.
        sampling: sampling settings; ``PRESETS`` has those of the presets.
        card: description for the submission card.
        device: PyTorch device.
        cache_bytes: most memory of cached keys and values, in bytes.
    """

    def __init__(
        self,
        model: RefLdm,
        sampling: RefLdmSampling,
        card: RestorerCard,
        *,
        device: str = "cpu",
        cache_bytes: int = 2**30,
    ) -> None:
        placed = model.to(device).to(memory_format=torch.channels_last).eval()
        super().__init__(placed, sampling, card, device=device)
        self.guidance = sampling.guidance
        self.caches = ContentCache[CacheKV](cache_bytes, lambda cache: cache.nbytes)

    def _denoiser(self, lq_latents: Tensor, references: Sequence[Tensor]) -> Denoise:
        if self.model.config.reference_mechanism == "none":
            return lambda x_t, timesteps: self.model.eps(x_t, timesteps, lq_latents)
        count = len(references[0])
        null = self._null((lq_latents.shape[2], lq_latents.shape[3])).times(count or NULL_REFERENCES)
        if count == 0:
            return self.model.guided_eps(lq_latents, null, null, scale=0.0)
        cache = CacheKV.stack([self._cache(own) for own in references])
        return self.model.guided_eps(lq_latents, cache, null, scale=self.guidance)

    def _cache(self, references: Tensor) -> CacheKV:
        """CacheKV of the references (N, 3, H, W) of one image."""
        if self.model.config.reference_encoding == "separate":
            return CacheKV.join([self._cache_together(reference[None]) for reference in references])
        return self._cache_together(references)

    def _cache_together(self, references: Tensor) -> CacheKV:
        def compute() -> CacheKV:
            with self._bfloat16(self.sampling.precision != "float32"):
                latents = self.model.encode_references(references[None].to(self.device))
            return self.model.cache_references(latents.float())

        return self.caches.get(references, compute)

    def _null(self, latent_size: tuple[int, int]) -> CacheKV:
        return self.caches.get(torch.empty(0, *latent_size), lambda: self.model.cache_null(latent_size, 1))
