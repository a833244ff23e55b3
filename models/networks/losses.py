"""The losses of both papers, as pure functions of tensors: one value per image, unless said otherwise.

Images are (B, 3, H, W) in [0, 1]. An *embedder* turns them into unit vectors (B, D) with gradients, for
instance `identity.aligned_embedder`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import torch
from torch import Tensor

from ...errors import RefbenchError

Embedder = Callable[[Tensor], Tensor]
NoiseLoss = Literal["l2", "l1"]
IdentityScale = Literal["none", "unscaled", "sqrt_alpha_bar", "below_500", "below_100"]

IDENTITY_WEIGHT = 0.1


def noise_loss(predicted: Tensor, noise: Tensor, kind: NoiseLoss = "l2") -> Tensor:
    """How far the predicted noise is off: mean square (the released code) or mean absolute (the paper)."""
    off = predicted - noise
    return (off.square() if kind == "l2" else off.abs()).flatten(1).mean(1)


def identity_loss(restored: Tensor, target: Tensor) -> Tensor:
    """1 - cosine between unit vectors (B, D) of faces; 0 to 2."""
    return 1 - (restored * target).sum(-1)


def hard_example_identity_loss(restored: Tensor, hq: Tensor, reference: Tensor, *, share: float) -> Tensor:
    """(1 - share) of the identity loss to the HQ image and ``share`` of that to the reference.

    The reference is another photo of the person: the loss still teaches when the restored image is near
    the HQ image already (composite context, hard example identity loss; ``share`` is its lambda).

    Raises:
        RefbenchError: ``share`` outside [0, 1].
    """
    if not 0 <= share <= 1:
        raise RefbenchError(f"the share of the reference must be 0 to 1; got {share}")
    return (1 - share) * identity_loss(restored, hq) + share * identity_loss(restored, reference)


def identity_scale(alphas_cumprod: Tensor, timesteps: Tensor, kind: IdentityScale) -> Tensor:
    """How much the identity loss counts at ``timesteps`` (B,): ReF-LDM's choice and its ablations.

    At high noise the one-step estimate of the image is a blur whose identity means little.
    ``sqrt_alpha_bar`` is the timestep-scaled identity loss; ``unscaled`` counts all times alike;
    ``below_N`` counts times under N only; ``none`` counts nothing.
    """
    if kind == "sqrt_alpha_bar":
        return alphas_cumprod.to(timesteps.device)[timesteps].sqrt()
    limits = {"none": 0, "unscaled": len(alphas_cumprod), "below_500": 500, "below_100": 100}
    return (timesteps < limits[kind]).to(alphas_cumprod.dtype)


def codebook_loss(latents: Tensor, quantised: Tensor, commitment: float = 0.25) -> Tensor:
    """Pulls the codebook's vectors to the latents and, ``commitment`` times as hard, the latents to them."""
    towards_latents = (quantised - latents.detach()).square()
    towards_vectors = (quantised.detach() - latents).square()
    return (towards_latents + commitment * towards_vectors).flatten(1).mean(1)


def reconstruction_loss(restored: Tensor, target: Tensor) -> Tensor:
    """Mean absolute difference."""
    return (restored - target).abs().flatten(1).mean(1)


def discriminator_loss(real: Tensor, fake: Tensor) -> Tensor:
    """Hinge loss of a discriminator from its answers to real and to restored images: one number."""
    return (torch.relu(1 - real).mean() + torch.relu(1 + fake).mean()) / 2


def adversarial_loss(fake: Tensor) -> Tensor:
    """Hinge loss of what wants to be taken for real: one number."""
    return -fake.mean()
