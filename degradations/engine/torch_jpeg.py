"""JPEG compression in torch: a batch of images encoded and decoded on any device, as libjpeg does by default.

ITU-T T.81 with the example quantisation tables of its annex K scaled by quality, JFIF colour, 4:2:0 with
box-filtered chroma and triangular upsampling. The cosine transform and the colour conversion are computed as
libjpeg does by default, in fixed-point numbers with its roundings (the transform is that of Loeffler,
Ligtenberg and Moschytz 1989, whose products are summed before they are rounded, so that it is a matrix of
integers). The integers are held in float64; the decoded levels equal libjpeg's.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from .padded import PaddedBatch, replicated

BLOCK = 8
LUMA_TABLE = (
    (16, 11, 10, 16, 24, 40, 51, 61),
    (12, 12, 14, 19, 26, 58, 60, 55),
    (14, 13, 16, 24, 40, 57, 69, 56),
    (14, 17, 22, 29, 51, 87, 80, 62),
    (18, 22, 37, 56, 68, 109, 103, 77),
    (24, 35, 55, 64, 81, 104, 113, 92),
    (49, 64, 78, 87, 103, 121, 120, 101),
    (72, 92, 95, 98, 112, 100, 103, 99),
)
CHROMA_TABLE = (
    (17, 18, 24, 47, 99, 99, 99, 99),
    (18, 21, 26, 66, 99, 99, 99, 99),
    (24, 26, 56, 99, 99, 99, 99, 99),
    (47, 66, 99, 99, 99, 99, 99, 99),
    *((99,) * 8,) * 4,
)
CONSTANTS = (
    *(0.298631336, 0.390180644, 0.541196100, 0.765366865, 0.899976223, 1.175875602),
    *(1.501321110, 1.847759065, 1.961570560, 2.053119869, 2.562915447, 3.072711026),
)


def encode_decode(batch: PaddedBatch, qualities: Sequence[int]) -> PaddedBatch:
    """Encode BGR images, levels 0 to 255, as JPEG of the given qualities (1 to 100) and decode them."""
    device = batch.pixels.device
    levels = PaddedBatch(batch.pixels.double().round().clamp(0, 255), batch.sizes)
    height, width = (16 * math.ceil(max(lengths) / 16) for lengths in zip(*batch.sizes, strict=True))
    colours = _to_ycc(levels.extended(0, (height, width), replicated))
    luma, chroma = colours[:, :1], _subsample(colours[:, 1:], batch)
    luma = _quantise(luma, _tables(LUMA_TABLE, qualities, device))
    chroma = _quantise(chroma, _tables(CHROMA_TABLE, qualities, device))
    halves = tuple(((h + 1) // 2, (w + 1) // 2) for h, w in batch.sizes)
    return PaddedBatch(
        _to_bgr(torch.cat([luma, _upsample(PaddedBatch(chroma, halves))], 1)).to(batch.pixels), batch.sizes
    )


def _tables(base: tuple[tuple[int, ...], ...], qualities: Sequence[int], device: torch.device) -> Tensor:
    """Tables (B, 1, 1, 1, 8, 8): the base times 5000 / q percent below quality 50, else 200 - 2 q percent."""
    percent = torch.tensor([5000 // q if q < 50 else 200 - 2 * q for q in qualities])
    table = (torch.tensor(base)[None] * percent[:, None, None] + 50).div(100, rounding_mode="floor")
    return table.clamp(1, 255)[:, None, None, None].to(device, torch.float64)


def _to_ycc(bgr: Tensor) -> Tensor:
    blue, green, red = bgr.unbind(1)
    luma = _rounded_shift(19595 * red + 38470 * green + 7471 * blue, 16)
    towards_blue = torch.floor((32768 * blue - 11059 * red - 21709 * green + 32767) / 65536) + 128
    towards_red = torch.floor((32768 * red - 27439 * green - 5329 * blue + 32767) / 65536) + 128
    return torch.stack([luma, towards_blue, towards_red], 1)


def _to_bgr(ycc: Tensor) -> Tensor:
    luma, towards_blue, towards_red = ycc.unbind(1)
    towards_blue, towards_red = towards_blue - 128, towards_red - 128
    red = luma + _rounded_shift(91881 * towards_red, 16)
    green = luma + _rounded_shift(-22554 * towards_blue - 46802 * towards_red, 16)
    blue = luma + _rounded_shift(116130 * towards_blue, 16)
    return torch.stack([blue, green, red], 1).clamp(0, 255)


def _subsample(chroma: Tensor, batch: PaddedBatch) -> Tensor:
    """Mean of 2 x 2 pixels, rounded down and up in alternating columns; the last row is repeated below."""
    sums = 4 * F.avg_pool2d(chroma, 2)
    bias = 1 + torch.arange(sums.shape[3], device=sums.device) % 2
    means = torch.floor((sums + bias) / 4)
    width = means.shape[3]
    rows = tuple(((height + 1) // 2, width) for height, _ in batch.sizes)
    return PaddedBatch(means, rows).extended(0, (means.shape[2], width), replicated)


def _quantise(plane: Tensor, tables: Tensor) -> Tensor:
    """Transform blocks of 8 x 8, quantise the coefficients by the table, and transform back to levels."""
    batch, channels, height, width = plane.shape
    blocks = plane.reshape(batch, channels, height // BLOCK, BLOCK, width // BLOCK, BLOCK).transpose(3, 4)
    transform = COSINES.to(plane.device)
    frequencies = _rounded_shift(transform @ _rounded_shift((blocks - 128) @ transform.T, 11), 15)
    steps = torch.floor((frequencies.abs() + 4 * tables) / (8 * tables)) * frequencies.sign()
    blocks = _rounded_shift(_rounded_shift(transform.T @ (steps * tables), 11) @ transform, 18)
    return (blocks.transpose(3, 4).reshape(plane.shape) + 128).clamp(0, 255)


def _rounded_shift(numbers: Tensor, bits: int) -> Tensor:
    """Divide by 2^bits and round to the nearest integer, halves upwards."""
    return torch.floor((numbers + 2.0 ** (bits - 1)) / 2.0**bits)


def _cosine_matrix() -> Tensor:
    """The cosine transform times 2^13 sqrt(8), in float64, from the algorithm's rounded constants."""
    a, b, c, d, e, f, g, h, i, j, k, m = (round(constant * 2**13) for constant in CONSTANTS)
    one = 2**13
    halves = [
        [one, one, one, one],
        [g - e - b + f, f, f - b, f - e],
        [c + d, c, -c, -c - d],
        [f, m - k - i + f, f - k, f - i],
        [one, -one, -one, one],
        [f - b, f - k, j - k - b + f, f],
        [c, c - h, h - c, -c],
        [f - e, f - i, f, a - e - i + f],
    ]
    left = torch.tensor(halves, dtype=torch.float64)
    signs = torch.tensor([1.0, -1.0] * 4, dtype=torch.float64)[:, None]
    return torch.cat([left, signs * left.flip(1)], 1)


COSINES = _cosine_matrix()


def _upsample(chroma: PaddedBatch) -> Tensor:
    """Triangular upsampling by 2: 3/4 of the nearer and 1/4 of the farther sample, along each axis.

    Samples of images of at most four pixels across are repeated instead.
    """
    height, width = chroma.pixels.shape[2:]
    around = chroma.extended(1, (height + 2, width + 2), replicated)
    inside = around[:, :, 1:-1]
    upper, lower = 3 * inside + around[:, :, :-2], 3 * inside + around[:, :, 2:]
    rows = torch.stack([upper, lower], 3).reshape(*inside.shape[:2], 2 * height, width + 2)
    centre = rows[..., 1:-1]
    left = torch.floor((3 * centre + rows[..., :-2] + 8) / 16)
    right = torch.floor((3 * centre + rows[..., 2:] + 7) / 16)
    doubled = torch.stack([left, right], 4).reshape(*inside.shape[:2], 2 * height, 2 * width)
    narrow = torch.tensor([width <= 2 for _, width in chroma.sizes], device=doubled.device)
    plain = chroma.pixels.repeat_interleave(2, 2).repeat_interleave(2, 3)
    return torch.where(narrow[:, None, None, None], plain, doubled)
