"""Noise operations: Gaussian, Poisson, speckle and sensor noise. Results are clipped to 0 to 255, not
rounded.

Standard normals are float32, drawn row by row in the channel order BGR; grey noise is one number for all
channels.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from .colours import grey
from .operation import Operation, Parameter, Pixels, Setting, Size, Values


def add_noise(pixels: Pixels, noise: Pixels) -> Pixels:
    """Add noise in levels and clip to 0 to 255."""
    noisy = pixels + noise
    return np.clip(noisy, 0.0, 255.0, out=noisy)


def standard_normal(size: Size, is_grey: bool, generator: np.random.Generator) -> npt.NDArray[np.float32]:
    """Standard normal numbers for every pixel and channel, or (H, W, 1) for grey noise."""
    return generator.standard_normal((*size, 1 if is_grey else 3), dtype=np.float32)


def poisson_noise(pixels: Pixels, is_grey: bool, generator: np.random.Generator) -> Pixels:
    """Shot noise as in Real-ESRGAN (Wang et al. 2021), in levels.

    The image is rounded to 8 bits; with v the number of its distinct levels rounded up to a power of two and
    x = level / 255, the noise of a pixel is Poisson(v x) / v - x.
    """
    clipped = np.clip(pixels, 0.0, 255.0)
    light = np.rint(grey(clipped) if is_grey else clipped) / 255.0
    counts = 2.0 ** np.ceil(np.log2(len(np.unique(light))))
    noise: Pixels = (generator.poisson(light * counts) / counts - light) * 255.0
    return noise


def _normal(pixels: Pixels, is_grey: bool, setting: Setting) -> Pixels:
    return standard_normal(pixels.shape[:2], is_grey, setting.generator).astype(np.float64)


def _gaussian(pixels: Pixels, values: Values, setting: Setting) -> Pixels:
    normal = _normal(pixels, values["grey"], setting)
    return add_noise(pixels, normal * values["sigma"])


def _poisson(pixels: Pixels, values: Values, setting: Setting) -> Pixels:
    return add_noise(pixels, poisson_noise(pixels, values["grey"], setting.generator) * values["scale"])


def _speckle(pixels: Pixels, values: Values, setting: Setting) -> Pixels:
    normal = _normal(pixels, values["grey"], setting)
    return add_noise(pixels, normal * pixels * (values["sigma"] / 255.0))


def _sensor(pixels: Pixels, values: Values, setting: Setting) -> Pixels:
    variance = values["shot"] * np.clip(pixels, 0.0, 255.0) + values["read"] ** 2
    return add_noise(pixels, _normal(pixels, False, setting) * np.sqrt(variance))


GREY = Parameter("the same noise for all channels", options=(False, True), default=False)
GAUSSIAN_NOISE = Operation(
    "gaussian_noise",
    "Add Gaussian noise.",
    {"sigma": Parameter("standard deviation in levels", 0, 255), "grey": GREY},
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
    "Add Gaussian noise in proportion to the level.",
    {"sigma": Parameter("standard deviation at white, in levels", 0, 255), "grey": GREY},
    _speckle,
)
SENSOR_NOISE = Operation(
    "sensor_noise",
    "Add Gaussian noise of variance shot * level + read^2 (Foi et al. 2008).",
    {
        "shot": Parameter("variance per level", 0, 100),
        "read": Parameter("standard deviation at level 0, in levels", 0, 255, default=0.0),
    },
    _sensor,
)
