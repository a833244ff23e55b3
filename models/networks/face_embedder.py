"""Recognisers as parts of losses and contexts: aligned faces in, unit vectors out, gradients through."""

from __future__ import annotations

import numpy as np
from torch import Tensor

from ...faces.align import FFHQ_512, template_at
from ...faces.recognisers.recognise import Recogniser
from .losses import Embedder


def aligned_embedder(recogniser: Recogniser) -> Embedder:
    """Embeds images (B, 3, S, S) that are aligned as FFHQ is: their landmarks are those of the template.

    A landmark detector would fail on blurred faces and leave holes in a loss.
    """

    def embed(images: Tensor) -> Tensor:
        five = template_at(FFHQ_512, images.shape[-1], 512)
        return recogniser.embed_tensor(images, np.broadcast_to(five, (len(images), *five.shape)))

    return embed
