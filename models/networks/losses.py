"""Losses of ReF-LDM, composite context and VQGAN as pure functions of tensors.

Each returns one value per image (B,) unless stated otherwise. An *embedder* maps images (B, 3, H, W) in [0,
1] to unit vectors (B, D) with gradients, for instance `face_embedder.aligned_embedder`.
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
    """Noise prediction loss (B,): mean square (``l2``, ReF-LDM's code) or absolute (``l1``, its paper)."""
    off = predicted - noise
    return (off.square() if kind == "l2" else off.abs()).flatten(1).mean(1)


def identity_loss(restored: Tensor, target: Tensor) -> Tensor:
    """Identity loss: 1 - cosine of unit embeddings (B, D); (B,) in [0, 2]. Inputs must be unit vectors."""
    return 1 - (restored * target).sum(-1)


def hard_example_identity_loss(restored: Tensor, hq: Tensor, reference: Tensor, *, share: float) -> Tensor:
    """Hard example identity loss of the composite-context paper; (B,) in [0, 2].

    (1 - share) identity_loss(restored, hq) + share identity_loss(restored, reference). The reference is
    another photo of the person, so that gradients remain where the restored image is close to the HQ image
    already.

    Args:
        restored, hq, reference: unit embeddings (B, D).
        share: lambda of the paper, in [0, 1].

    Raises:
        RefbenchError: ``share`` outside [0, 1].
    """
    if not 0 <= share <= 1:
        raise RefbenchError(f"the share of the reference must be 0 to 1; got {share}")
    return (1 - share) * identity_loss(restored, hq) + share * identity_loss(restored, reference)


def identity_scale(alphas_cumprod: Tensor, timesteps: Tensor, kind: IdentityScale) -> Tensor:
    """Weight (B,) in [0, 1] of the identity loss at ``timesteps`` (B,): ReF-LDM, tables 3 and 4.

    At high noise the one-step estimate of the image is a blur without identity. ``sqrt_alpha_bar`` is the
    timestep-scaled identity loss of the paper; ``unscaled`` is 1 at all timesteps; ``below_N`` is 1 below
    timestep N and 0 above; ``none`` is 0.
    """
    if kind == "sqrt_alpha_bar":
        return alphas_cumprod.to(timesteps.device)[timesteps].sqrt()
    limits = {"none": 0, "unscaled": len(alphas_cumprod), "below_500": 500, "below_100": 100}
    return (timesteps < limits[kind]).to(alphas_cumprod.dtype)


def codebook_loss(latents: Tensor, quantised: Tensor, commitment: float = 0.25) -> Tensor:
    """Codebook loss (B,) of VQ-VAE (van den Oord et al., 2017, equation 3) of latents (B, C, h, w).

    ``commitment`` is the weight beta of the commitment loss.
    """
    towards_latents = (quantised - latents.detach()).square()
    towards_vectors = (quantised.detach() - latents).square()
    return (towards_latents + commitment * towards_vectors).flatten(1).mean(1)


def reconstruction_loss(restored: Tensor, target: Tensor) -> Tensor:
    """Mean absolute difference (B,) of images (B, 3, H, W)."""
    return (restored - target).abs().flatten(1).mean(1)


def discriminator_loss(real: Tensor, fake: Tensor) -> Tensor:
    """Hinge loss of a discriminator, a scalar, from its logits of real and of restored images."""
    return (torch.relu(1 - real).mean() + torch.relu(1 + fake).mean()) / 2


def adversarial_loss(fake: Tensor) -> Tensor:
    """Hinge loss of the generator, a scalar, from the discriminator's logits of restored images."""
    return -fake.mean()
