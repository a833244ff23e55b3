"""Composite context: identity embedding and vision tower tokens of a reference as one token sequence.

A frozen face recogniser gives one identity embedding, a vision tower gives appearance tokens. Both are
projected linearly to one width and concatenated; docs/models.md lists what the paper leaves open.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal

import torch
from pydantic import BaseModel, ConfigDict, model_validator
from torch import Tensor, nn

from .vision_tower import VisionTowerConfig


class ContextConfig(BaseModel):
    """Composition of the context.

    Attributes:
        identity: whether it contains the recogniser's embedding.
        appearance: whether it contains the vision tower's tokens.
        recogniser: name in `faces.recognisers.registry`.
        identity_channels: length of the recogniser's embedding.
        tower: sizes of the vision tower.
        tower_source: ``farl`` loads the published tower, frozen; ``own`` trains one with the model.
        layers: layers of the tower that are used, ascending, counted from 1.
        join: layers are summed, each after its own projection, or concatenated along the tokens.
        channels: width of the context.
        positions: positional encoding of the tokens.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    identity: bool = True
    appearance: bool = True
    recogniser: str = "webface-r50-five-point"
    identity_channels: int = 512
    tower: VisionTowerConfig = VisionTowerConfig()
    tower_source: Literal["farl", "own"] = "farl"
    layers: tuple[int, ...] = (12,)
    join: Literal["sum", "concatenate"] = "sum"
    channels: int = 768
    positions: Literal["sinusoidal", "learned", "none"] = "sinusoidal"

    @model_validator(mode="after")
    def _holds_something(self) -> ContextConfig:
        if not (self.identity or self.appearance):
            raise ValueError("the context needs identity, appearance or both")
        fits = list(self.layers) == sorted(set(self.layers)) and self.layers
        if not fits or not 1 <= self.layers[0] <= self.layers[-1] <= self.tower.layers:
            raise ValueError(f"layers must be ascending numbers from 1 to {self.tower.layers}")
        return self

    @property
    def tokens(self) -> int:
        """Number of tokens."""
        repeated = len(self.layers) if self.join == "concatenate" else 1
        return int(self.identity) + int(self.appearance) * repeated * self.tower.tokens


class ContextEncoder(nn.Module):
    """Projects the identity embedding and the appearance tokens to one width and concatenates them."""

    def __init__(self, config: ContextConfig) -> None:
        super().__init__()
        self.config = config
        if config.identity:
            self.identity = nn.Linear(config.identity_channels, config.channels)
        if config.appearance:
            projections = [nn.Linear(config.tower.channels, config.channels) for _ in config.layers]
            self.appearance = nn.ModuleList(projections)
        if config.positions == "learned":
            self.positions = nn.Parameter(torch.zeros(config.tokens, config.channels))
        elif config.positions == "sinusoidal":
            table = sinusoidal_positions(config.tokens, config.channels)
            self.register_buffer("positions", table, persistent=False)

    def forward(self, identity: Tensor | None, appearance: Sequence[Tensor]) -> Tensor:
        """The context of a batch of references.

        Args:
            identity: unit vectors (B, identity_channels); None where the context has no identity.
            appearance: for each layer (B, tokens, tower channels); empty where it has no appearance.

        Returns:
            (B, tokens, channels).
        """
        parts = []
        if self.config.identity and identity is not None:
            parts.append(self.identity(identity * math.sqrt(self.config.identity_channels))[:, None])
        if self.config.appearance:
            layers = [project(given) for project, given in zip(self.appearance, appearance, strict=True)]
            parts += [torch.stack(layers).sum(0)] if self.config.join == "sum" else layers
        context = torch.cat(parts, 1)
        return context if self.config.positions == "none" else context + self.positions


def sinusoidal_positions(tokens: int, channels: int) -> Tensor:
    """Sines in the even and cosines in the odd channels (Vaswani et al., 2017): (tokens, channels)."""
    places = torch.arange(tokens, device="cpu")[:, None]
    rates = torch.exp(torch.arange(0, channels, 2, device="cpu") * (-math.log(10000) / channels))
    table = torch.zeros(tokens, channels, device="cpu")
    table[:, 0::2] = (places * rates).sin()
    table[:, 1::2] = (places * rates).cos()[:, : channels // 2]
    return table
