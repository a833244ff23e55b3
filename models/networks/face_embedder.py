"""Differentiable face embeddings of aligned images, for identity losses and the composite context."""

from __future__ import annotations

import numpy as np
from torch import Tensor

from ...faces.align import FFHQ_512, template_at
from ...faces.recognisers.recognise import Recogniser
from .losses import Embedder


def aligned_embedder(recogniser: Recogniser) -> Embedder:
    """Differentiable embedder of FFHQ-aligned images (B, 3, S, S) in [0, 1]: unit vectors (B, D).

    Crops use the five landmarks of the alignment template: a landmark detector would fail on blurred faces.
    """

    def embed(images: Tensor) -> Tensor:
        five = template_at(FFHQ_512, images.shape[-1], 512)
        return recogniser.embed_tensor(images, np.broadcast_to(five, (len(images), *five.shape)))

    return embed
