"""Gradient checkpointing (Chen et al., 2016): activations of blocks are recomputed in the backward pass."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch import nn
from torch.utils.checkpoint import checkpoint

from . import autoencoder, unet, vision_tower

BLOCKS = (unet.ResidualBlock, unet.AttentionBlock, autoencoder.ResidualBlock, vision_tower.TransformerBlock)


def enable_gradient_checkpointing(network: nn.Module) -> None:
    """Recompute the activations of a network's blocks in the backward pass; gradients stay bit-identical."""
    for block in network.modules():
        if isinstance(block, BLOCKS):
            setattr(block, "forward", partial(_checkpointed, block.forward))  # noqa: B010


def _checkpointed(forward: Callable[..., Any], *given: Any) -> Any:
    if not torch.is_grad_enabled():
        return forward(*given)
    return checkpoint(forward, *given, use_reentrant=False)
