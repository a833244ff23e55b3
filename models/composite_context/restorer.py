"""The composite-context model as a restorer: presets, and contexts kept over targets, seeds and scales."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType

import torch
from torch import Tensor

from ...records.run_manifest import RestorerCard
from ..diffusion.ddim import Denoise
from ..restorers.latent_restorer import KeptByContent, LatentRestorer
from ..restorers.sampling import Sampling
from .model import CompositeContext


class CompositeSampling(Sampling):
    """How an image is drawn: one reference or several, and the two scales of the guidance."""

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
    """Restores faces with the composite-context model; contexts of references are kept by content."""

    def __init__(
        self,
        model: CompositeContext,
        sampling: CompositeSampling,
        card: RestorerCard,
        *,
        device: str = "cpu",
        keep_bytes: int = 2**28,
    ) -> None:
        placed = model.to(device).to(memory_format=torch.channels_last).eval()
        super().__init__(placed, sampling, card, device=device)
        self.image_scale, self.context_scale = sampling.image_scale, sampling.context_scale
        self.contexts = KeptByContent[Tensor](keep_bytes, lambda context: context.nbytes)

    def _denoiser(self, lq_latents: Tensor, references: Sequence[Tensor]) -> Denoise:
        if len(references[0]) == 0:
            contexts = self.model.no_context(len(references))[:, None][:, :0]
        else:
            contexts = torch.stack([torch.cat([self._context(one) for one in own]) for own in references])
        return self.model.guided_eps(lq_latents, contexts, self.image_scale, context_scale=self.context_scale)

    def _context(self, reference: Tensor) -> Tensor:
        return self.contexts.get(
            reference, lambda: self.model.context_of(reference[None].to(self.device)).float()
        )
