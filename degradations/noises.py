"""Noise: of the sensor and of the light. Every function clips to [0, 1] and does not round.

Strengths are given on the scale of 255 levels. Random arrays are drawn in float32, row by row, blue before
red; grey noise is one number for all three channels.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from .operation import Operation, Parameter, Pixels, Setting, Values

LUMA = np.array([0.299, 0.587, 0.114])  # ITU-R BT.601, RGB


def standard_normal(generator: np.random.Generator, pixels: Pixels, grey: bool = False) -> Pixels:
    """Standard normal numbers, float32, for an RGB picture; for grey noise one channel that broadcasts."""
    height, width = pixels.shape[:2]
    numbers = generator.standard_normal((height, width, 1 if grey else 3), dtype=np.float32)
    return numbers[..., ::-1]


def add_noise(pixels: Pixels, noise: npt.NDArray[np.floating]) -> Pixels:
    """Add and clip to [0, 1]."""
    noisy: Pixels = np.clip(pixels + noise, 0.0, 1.0)
    return noisy


def poisson(pixels: Pixels, scale: float, grey: bool, generator: np.random.Generator) -> Pixels:
    """Shot noise as in Real-ESRGAN: the counts of one picture's distinct levels, amplified by ``scale``.

    The picture is rounded to 8 bits; with v the number of distinct levels rounded up to a power of two,
    the noise is scale * (Poisson(v x) / v - x).
    """
    levels = np.rint(np.clip(pixels, 0.0, 1.0) * 255.0)
    if grey:
        levels = np.rint(levels @ LUMA)[..., None]
    counts = 2.0 ** np.ceil(np.log2(len(np.unique(levels))))
    light = levels[..., ::-1] / 255.0
    noise = (generator.poisson(light * counts) / counts - light)[..., ::-1]
    return add_noise(pixels, noise * scale)


def _gaussian(pixels: Pixels, values: Values, setting: Setting) -> Pixels:
    normal = standard_normal(setting.generator, pixels, values["grey"])
    return add_noise(pixels, normal * values["sigma"] / 255.0)


def _poisson(pixels: Pixels, values: Values, setting: Setting) -> Pixels:
    return poisson(pixels, values["scale"], values["grey"], setting.generator)


def _speckle(pixels: Pixels, values: Values, setting: Setting) -> Pixels:
    normal = standard_normal(setting.generator, pixels, values["grey"])
    return add_noise(pixels, pixels * normal * values["sigma"] / 255.0)


def _sensor(pixels: Pixels, values: Values, setting: Setting) -> Pixels:
    normal = standard_normal(setting.generator, pixels)
    variance = values["shot"] * np.clip(pixels, 0.0, 1.0) * 255.0 + values["read"] ** 2
    return add_noise(pixels, normal * np.sqrt(variance) / 255.0)


GREY = Parameter("one number for all channels", options=(False, True), default=False)
GAUSSIAN_NOISE = Operation(
    "gaussian_noise",
    "Add normal noise of one strength.",
    {"sigma": Parameter("standard deviation, of 255", 0, 255), "grey": GREY},
    _gaussian,
)
POISSON_NOISE = Operation(
    "poisson_noise",
    "Add shot noise as in Real-ESRGAN.",
    {"scale": Parameter("amplification", 0, 20), "grey": GREY},
    _poisson,
)
SPECKLE_NOISE = Operation(
    "speckle_noise",
    "Add normal noise in proportion to the brightness.",
    {"sigma": Parameter("standard deviation at white, of 255", 0, 255), "grey": GREY},
    _speckle,
)
SENSOR_NOISE = Operation(
    "sensor_noise",
    "Add normal noise of variance shot * level + read^2 (Foi et al. 2008, equation 1, levels of 255).",
    {
        "shot": Parameter("variance per level", 0, 100),
        "read": Parameter("standard deviation in the dark, of 255", 0, 255, default=0.0),
    },
    _sensor,
)
