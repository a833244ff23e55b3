"""Batched degradation in torch, on any device, for training that synthesises LQ while it runs.

The draws, noise included, are those of `degrade_image` for the same (recipe id, seed, key), and JPEG gives
the same levels (`torch_jpeg`). In float64 the images equal those of `degrade_image`. In float32 a value near
a half may round the other way before JPEG: 99.9 % of the values lie within one level and the mean difference
is below 0.01 of a level (after two rounds of JPEG 97 %, and 0.2). Operations without an implementation in
torch (webp, colour_jitter, poisson_noise, albumentations) run on the CPU, image by image.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

import numpy as np
import torch
from torch import Tensor

from ...errors import RefbenchError
from ...files import names_of
from ..operations.blurring import require_larger_than_kernel
from ..operations.colours import luma
from ..operations.kernels import Kernel
from ..operations.noises import standard_normal
from ..operations.operation import Setting, Size
from ..operations.resampling import Taps, taps
from ..operations.resizing import require_nonempty
from ..recipes.plan import DrawnStep, make_plan
from ..recipes.recipe import Recipe
from . import torch_jpeg
from .padded import PaddedBatch, matrices, reflected

Generators: TypeAlias = Sequence[np.random.Generator]


def degrade_batch(
    hq: Tensor,
    recipe: Recipe,
    seed: int,
    *,
    keys: Sequence[str] | str,
    precision: torch.dtype = torch.float32,
) -> Tensor:
    """Degrade a batch of HQ images.

    Args:
        hq: (B, 3, H, W) RGB in [0, 1], floating point, on any device; multiples of 1/255 for equality with
            `degrade`.
        recipe: steps and the distributions of their parameters.
        seed: of the draws.
        keys: B keys, one per image.
        precision: float32, or float64 for equality with `degrade`.

    Returns:
        (B, 3, H, W) RGB float32 in [0, 1], multiples of 1/255, on the device of ``hq``.

    Raises:
        RefbenchError: wrong shape, dtype or number of keys; a recipe whose last step does not return to the
            size of HQ.
    """
    keys = names_of(keys)
    if hq.ndim != 4 or hq.shape[1] != 3 or not hq.is_floating_point() or len(keys) != len(hq):
        got = f"{hq.dtype} {tuple(hq.shape)} and {len(keys)} keys"
        raise RefbenchError(f"HQ is floating point (B, 3, H, W) in [0, 1] with B keys; got {got}")
    if not len(keys):
        return hq.float()
    size = (hq.shape[2], hq.shape[3])
    plans = [make_plan(recipe, seed, key) for key in keys]
    images = list((hq.flip(1).to(precision) * 255.0).unbind(0))
    steps = [{step.label: step for step in plan.steps} for plan in plans]
    for label in recipe.labels:
        members = [number for number, item in enumerate(steps) if label in item]
        if members:
            drawn = [steps[number][label] for number in members]
            generators = [plans[number].draw.generator(label) for number in members]
            batch = PaddedBatch.of([images[number] for number in members])
            changed = _apply_step(batch, drawn, generators, hq=size).images()
            for number, image in zip(members, changed, strict=True):
                images[number] = image
    ended = {(image.shape[1], image.shape[2]) for image in images} - {size}
    if ended:
        raise RefbenchError(
            f"the recipe ends at (height, width) {ended.pop()}, HQ has {size}; end it with full_size"
        )
    levels = torch.stack(images)
    return levels.round().clamp(0, 255).float().div(255.0).flip(1)


def _apply_step(
    batch: PaddedBatch, drawn: Sequence[DrawnStep], generators: Generators, *, hq: Size
) -> PaddedBatch:
    operation = drawn[0].operation
    values = [step.values for step in drawn]
    if operation.kernel is not None:
        return _correlate(batch, [operation.kernel(item) for item in values])
    if operation.size is not None:
        sizes = [operation.size(have, item, hq) for have, item in zip(batch.sizes, values, strict=True)]
        return _resize_batch(batch, sizes, [item["method"] for item in values])
    if operation.name in BATCHED:
        return BATCHED[operation.name](batch, values, generators)
    return _apply_on_cpu(batch, drawn, generators, hq=hq)


def _correlate(batch: PaddedBatch, kernels: Sequence[Kernel]) -> PaddedBatch:
    for have, kernel in zip(batch.sizes, kernels, strict=True):
        require_larger_than_kernel(have, kernel)
    size = max(len(kernel) for kernel in kernels)
    half = size // 2
    height, width = batch.pixels.shape[2:]
    wide = batch.extended(half, (height + size - 1, width + size - 1), reflected)
    spread = np.zeros((len(kernels), size, size))
    for place, kernel in zip(spread, kernels, strict=True):
        inset = half - len(kernel) // 2
        place[inset : size - inset, inset : size - inset] = kernel
    frame = wide.shape[2:]
    spectrum = torch.fft.rfft2(torch.from_numpy(spread).to(wide), s=frame)[:, None]
    blurred = torch.fft.irfft2(torch.fft.rfft2(wide) * spectrum.conj(), s=frame)
    return PaddedBatch(blurred[:, :, :height, :width], batch.sizes)


def _resize_batch(batch: PaddedBatch, sizes: Sequence[Size], methods: Sequence[str]) -> PaddedBatch:
    both: list[list[Taps]] = [[], []]
    for have, size, method in zip(batch.sizes, sizes, methods, strict=True):
        require_nonempty(have, size)
        for axis in (0, 1):
            both[axis].append(taps(have[axis], size[axis], method))
    height, width = batch.pixels.shape[2:]
    rows, columns = (
        matrices(item, n).to(batch.pixels)[:, None] for item, n in zip(both, (height, width), strict=True)
    )
    totals = torch.tensor([one.total * other.total for one, other in zip(*both, strict=True)])
    sums = rows @ batch.pixels @ columns.transpose(2, 3)
    return PaddedBatch(sums / totals.to(batch.pixels)[:, None, None, None], tuple(sizes))


def _add_noise(batch: PaddedBatch, noise: Sequence[Tensor]) -> PaddedBatch:
    """Add noise (C or 1, h, w) to each image and clip to 0 to 255."""
    changed = [image + item.to(image) for image, item in zip(batch.images(), noise, strict=True)]
    return PaddedBatch.of([image.clamp(0, 255) for image in changed])


def _normal(size: Size, values: dict[str, Any], generator: np.random.Generator) -> Tensor:
    normal = standard_normal(size, values.get("grey", False), generator)
    return torch.from_numpy(normal).permute(2, 0, 1).double()


def _gaussian_noise(
    batch: PaddedBatch, values: Sequence[dict[str, Any]], generators: Generators
) -> PaddedBatch:
    drawn = zip(batch.sizes, values, generators, strict=True)
    return _add_noise(
        batch, [_normal(size, item, generator) * item["sigma"] for size, item, generator in drawn]
    )


def _speckle_noise(
    batch: PaddedBatch, values: Sequence[dict[str, Any]], generators: Generators
) -> PaddedBatch:
    drawn = zip(batch.images(), batch.sizes, values, generators, strict=True)
    return _add_noise(
        batch,
        [_normal(s, item, g).to(image) * image * (item["sigma"] / 255) for image, s, item, g in drawn],
    )


def _sensor_noise(
    batch: PaddedBatch, values: Sequence[dict[str, Any]], generators: Generators
) -> PaddedBatch:
    noise = []
    for image, size, item, generator in zip(batch.images(), batch.sizes, values, generators, strict=True):
        variance = item["shot"] * image.clamp(0, 255) + item["read"] ** 2
        noise.append(_normal(size, item, generator).to(image) * variance.sqrt())
    return _add_noise(batch, noise)


def _jpeg(batch: PaddedBatch, values: Sequence[dict[str, Any]], generators: Generators) -> PaddedBatch:
    return torch_jpeg.encode_decode(batch, [int(item["quality"]) for item in values])


def _colour_shift(
    batch: PaddedBatch, values: Sequence[dict[str, Any]], generators: Generators
) -> PaddedBatch:
    shifts = torch.tensor([[item["blue"], item["green"], item["red"]] for item in values])
    return PaddedBatch((batch.pixels + shifts.to(batch.pixels)[:, :, None, None]).clamp(0, 255), batch.sizes)


def _grey(batch: PaddedBatch, values: Sequence[dict[str, Any]], generators: Generators) -> PaddedBatch:
    plane: Tensor = luma(*batch.pixels.unbind(1))
    return PaddedBatch(plane[:, None].expand_as(batch.pixels), batch.sizes)


BATCHED: dict[str, Callable[[PaddedBatch, Sequence[dict[str, Any]], Generators], PaddedBatch]] = {
    "gaussian_noise": _gaussian_noise,
    "speckle_noise": _speckle_noise,
    "sensor_noise": _sensor_noise,
    "jpeg": _jpeg,
    "colour_shift": _colour_shift,
    "grey": _grey,
}


def _apply_on_cpu(
    batch: PaddedBatch, drawn: Sequence[DrawnStep], generators: Generators, *, hq: Size
) -> PaddedBatch:
    images = []
    for image, step, generator in zip(batch.images(), drawn, generators, strict=True):
        pixels = np.ascontiguousarray(image.permute(1, 2, 0).double().cpu().numpy())
        changed = step.operation.apply(pixels, step.values, Setting(generator, hq))
        images.append(torch.from_numpy(changed).permute(2, 0, 1).to(image))
    return PaddedBatch.of(images)
