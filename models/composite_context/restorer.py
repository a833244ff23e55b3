"""Composite-context restorer: sampling presets, guidance, and contexts of references cached by content."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType

import torch
from torch import Tensor

from ...records.card import RestorerCard
from ..diffusion.ddim import Denoise
from ..restorers.latent_restorer import ContentCache, LatentRestorer
from ..restorers.sampling import Sampling
from .model import CompositeContext


class CompositeSampling(Sampling):
    """Sampling settings of the composite-context model.

    Attributes:
        references: most references used; 0 restores without any.
        image_scale, context_scale: guidance scales of the LQ image and of the references, see
            `CompositeContext.guided_eps`; 1 is no guidance.
    """

    references: int = 1
    image_scale: float = 1.2
    context_scale: float = 1.2


PRESETS: Mapping[str, CompositeSampling] = MappingProxyType(
    {
        "single": CompositeSampling(),
        "multi": CompositeSampling(references=5),
        "null": CompositeSampling(references=0),
    }
)


class CompositeContextRestorer(LatentRestorer[CompositeContext]):
    """Restores faces with the composite-context model; contexts of references are cached by content.

    Args:
        model: the network; moved to ``device``.
        sampling: sampling settings; ``PRESETS`` has those of the presets.
        card: description for the submission card.
        device: PyTorch device.
        cache_bytes: most memory of cached contexts, in bytes.
    """

    def __init__(
        self,
        model: CompositeContext,
        sampling: CompositeSampling,
        card: RestorerCard,
        *,
        device: str = "cpu",
        cache_bytes: int = 2**28,
    ) -> None:
        placed = model.to(device).to(memory_format=torch.channels_last).eval()
        super().__init__(placed, sampling, card, device=device)
        self.image_scale, self.context_scale = sampling.image_scale, sampling.context_scale
        self.contexts = ContentCache[Tensor](cache_bytes, lambda context: context.nbytes)

    def _denoiser(self, lq_latents: Tensor, references: Sequence[Tensor]) -> Denoise:
        if len(references[0]) == 0:
            contexts = self.model.null_context(len(references))[:, None][:, :0]
        else:
            contexts = torch.stack([torch.cat([self._context(one) for one in own]) for own in references])
        return self.model.guided_eps(
            lq_latents, contexts, image_scale=self.image_scale, context_scale=self.context_scale
        )

    def _context(self, reference: Tensor) -> Tensor:
        return self.contexts.get(
            reference, lambda: self.model.encode_context(reference[None].to(self.device)).float()
        )
