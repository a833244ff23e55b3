"""Gradient checkpointing: blocks forget what they computed and compute it again for the gradients."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch import nn
from torch.utils.checkpoint import checkpoint

from . import autoencoder, unet, vision_tower

BLOCKS = (unet.ResidualBlock, unet.AttentionBlock, autoencoder.ResidualBlock, vision_tower.TransformerBlock)


def forget_inside(network: nn.Module) -> None:
    """Let the blocks of a network keep only their inputs during training; the results stay the same."""
    for block in network.modules():
        if isinstance(block, BLOCKS):
            setattr(block, "forward", partial(_forgetting, block.forward))  # noqa: B010


def _forgetting(forward: Callable[..., Any], *given: Any) -> Any:
    if not torch.is_grad_enabled():
        return forward(*given)
    return checkpoint(forward, *given, use_reentrant=False)
