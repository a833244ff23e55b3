"""Tiled decoding of latents with overlapping, blended tiles, to save memory."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

OVERLAP = 8


def decode_in_tiles(
    decode: Callable[[Tensor], Tensor], latents: Tensor, *, tile: int, factor: int, overlap: int = OVERLAP
) -> Tensor:
    """Decode latents (B, C, h, w) tile by tile; overlaps are blended linearly.

    The result is near that of ``decode(latents)`` but not the same: normalisation and attention see one
    tile at a time. Peak memory falls with the tile's area.

    Args:
        decode: latents to images ``factor`` times their size.
        latents: latents to decode.
        tile: side of a tile in latent pixels, more than ``overlap``.
        factor: image pixels per latent pixel.
        overlap: overlap of neighbouring tiles, in latent pixels.

    Raises:
        ValueError: ``tile`` is not larger than ``overlap``.
    """
    if tile <= overlap:
        raise ValueError(f"a tile of {tile} must be larger than the overlap of {overlap}")
    height, width = latents.shape[2:]
    if tile >= max(height, width):
        return decode(latents)
    image = latents.new_zeros(len(latents), 3, height * factor, width * factor)
    total = latents.new_zeros(1, 1, height * factor, width * factor)
    for top in _starts(height, tile, overlap):
        for left in _starts(width, tile, overlap):
            piece = latents[..., top : top + tile, left : left + tile]
            decoded = decode(piece)
            rows, columns = (_ramp(side * factor, overlap * factor).to(decoded) for side in piece.shape[2:])
            weight = rows[:, None] * columns
            place = (
                ...,
                slice(top * factor, (top + tile) * factor),
                slice(left * factor, (left + tile) * factor),
            )
            image[place] += decoded * weight
            total[place] += weight
    return image / total


def _starts(length: int, tile: int, overlap: int) -> list[int]:
    if length <= tile:
        return [0]
    step = tile - overlap
    return [*range(0, length - tile, step), length - tile]


def _ramp(length: int, overlap: int) -> Tensor:
    """Blending weights along a side: rising over the overlap, falling at the end, never zero."""
    places = torch.arange(1, length + 1, dtype=torch.float32)
    return torch.minimum(places, places.flip(0)).clamp(max=max(1, overlap)) / max(1, overlap)
