"""Blur: correlation of each channel with a kernel under a reflect-101 border."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import cast

import cv2
import numpy as np
from scipy.ndimage import correlate1d

from ...errors import InvalidInputError
from ...images import RGB
from . import kernels
from .kernels import Kernel
from .operation import Operation, Parameter, Pixels, Setting, Size, Values, as_pixels, round_levels


@dataclass(frozen=True, slots=True)
class BlurKernel:
    """A kernel of the operation ``blur``.

    Attributes:
        isotropic: ``sigma_x`` counts for both axes, and there is no rotation.
        shaped: function with the parameter ``shape``; None for the plain Gaussian.
    """

    isotropic: bool
    shaped: Callable[..., Kernel] | None = None

    def build(self, values: Values) -> Kernel:
        """The kernel of drawn values; ``rotation`` in degrees."""
        size, sigma_x = values["size"], values["sigma_x"]
        sigma_y = sigma_x if self.isotropic else values["sigma_y"]
        rotation = 0.0 if self.isotropic else math.radians(values["rotation"])
        if self.shaped is None:
            return kernels.gaussian(size, sigma_x, sigma_y, rotation=rotation)
        return self.shaped(size, sigma_x, sigma_y, rotation=rotation, shape=values["shape"])

    @property
    def unused(self) -> frozenset[str]:
        """Names of the parameters of ``blur`` without effect on this kernel."""
        axes = {"sigma_y", "rotation"} if self.isotropic else set()
        return frozenset(axes if self.shaped else axes | {"shape"})


KERNELS = {
    "isotropic": BlurKernel(True),
    "anisotropic": BlurKernel(False),
    "generalised-anisotropic": BlurKernel(False, kernels.generalised_gaussian),
    "generalised-isotropic": BlurKernel(True, kernels.generalised_gaussian),
    "plateau-anisotropic": BlurKernel(False, kernels.plateau),
    "plateau-isotropic": BlurKernel(True, kernels.plateau),
}


def correlate(pixels: Pixels, kernel: Kernel) -> Pixels:
    """Correlate each channel with ``kernel`` under a reflect-101 border (edge pixels are not repeated).

    Raises:
        InvalidInputError: the image is too small for the border of this kernel.
    """
    require_larger_than_kernel(pixels.shape[:2], kernel)
    used = kernels.trimmed(kernel)
    if len(used) == 1:
        return pixels * float(used[0, 0])
    return cast(Pixels, cv2.filter2D(pixels, -1, used, borderType=cv2.BORDER_REFLECT_101))


def require_larger_than_kernel(size: Size, kernel: Kernel) -> None:
    """Check that each side is longer than half the kernel.

    Raises:
        InvalidInputError: it is not.
    """
    needed = len(kernel) // 2 + 1
    if min(size) < needed:
        have = f"{size[1]}x{size[0]} pixels"
        raise InvalidInputError(
            f"{have} is too small for a kernel {len(kernel)} wide: it needs {needed} pixels a side"
        )


def blur_kernel(values: Values) -> Kernel:
    """The kernel of the operation ``blur`` for drawn values; ``rotation`` in degrees."""
    return KERNELS[values["kernel"]].build(values)


def _unused_by_blur(values: Values) -> frozenset[str]:
    return KERNELS[values["kernel"]].unused


def _sinc_kernel(values: Values) -> Kernel:
    return kernels.sinc(values["size"], values["cutoff"])


def _motion_kernel(values: Values) -> Kernel:
    length = values["length"]
    return kernels.motion(2 * math.ceil(length / 2.0) + 1, length, math.radians(values["angle"]))


def _defocus_kernel(values: Values) -> Kernel:
    return kernels.defocus(2 * math.ceil(values["radius"]) + 1, values["radius"])


def _correlation(
    name: str,
    meaning: str,
    kernel: Callable[[Values], Kernel],
    *,
    parameters: Mapping[str, Parameter],
    unused: Callable[[Values], frozenset[str]] | None = None,
) -> Operation:
    def apply(pixels: Pixels, values: Values, setting: Setting) -> Pixels:
        return correlate(pixels, kernel(values))

    return Operation(name, meaning, parameters, apply, unused, kernel)


SIZE = Parameter("pixels a side, odd", options=tuple(range(3, 102, 2)), default=41)
BLUR = _correlation(
    "blur",
    "Blur by a Gaussian, generalised Gaussian or plateau-shaped kernel.",
    blur_kernel,
    parameters={
        "kernel": Parameter("which kernel", options=tuple(KERNELS), default="isotropic"),
        "size": SIZE,
        "sigma_x": Parameter("standard deviation in pixels", 0, 100),
        "sigma_y": Parameter(
            "standard deviation along the second axis of an anisotropic kernel, in pixels",
            0,
            100,
            default=1.0,
        ),
        "rotation": Parameter("of an anisotropic kernel, degrees", -360, 360, default=0.0),
        "shape": Parameter("exponent of a generalised or plateau kernel", 0.1, 10, default=1.0),
    },
    unused=_unused_by_blur,
)
SINC = _correlation(
    "sinc",
    "Ideal circular low-pass filter (sinc), which causes ringing.",
    _sinc_kernel,
    parameters={"size": SIZE, "cutoff": Parameter("radians per pixel", 0.01, math.pi)},
)
MOTION_BLUR = _correlation(
    "motion_blur",
    "Blur along a straight line.",
    _motion_kernel,
    parameters={"length": Parameter("pixels", 1, 100), "angle": Parameter("degrees", -360, 360, default=0.0)},
)
DEFOCUS = _correlation(
    "defocus",
    "Blur by a disc, as of a defocused lens.",
    _defocus_kernel,
    parameters={"radius": Parameter("pixels", 0, 50)},
)


def unsharp_mask(pixels: Pixels, values: Values) -> Pixels:
    """Sharpen where an image differs from its blurred version, and nowhere else.

    As in Real-ESRGAN (Wang et al. 2021, section 3.4): ``amount`` times the difference from a Gaussian blur is
    added and clipped to 0 to 255; the places are those where the difference is beyond ``threshold`` levels,
    blurred by the same Gaussian.

    Args:
        pixels: levels 0 to 255, float64 (H, W, C).
        values: ``radius`` in pixels (the kernel has 2 (radius // 2) + 1), ``amount`` and ``threshold``.
    """
    size = 2 * (values["radius"] // 2) + 1
    sigma = 0.3 * ((size - 1) * 0.5 - 1) + 0.8  # OpenCV's choice for a kernel of that size
    distance = np.arange(size) - size // 2
    kernel = np.exp(-(distance**2) / (2 * sigma**2))
    kernel /= kernel.sum()

    def blurred(plane: Pixels) -> Pixels:
        rows = correlate1d(plane, kernel, axis=0, mode="mirror")
        return np.asarray(correlate1d(rows, kernel, axis=1, mode="mirror"))

    difference = pixels - blurred(pixels)
    places = blurred((np.abs(difference) > values["threshold"]).astype(np.float64))
    sharp = np.clip(pixels + values["amount"] * difference, 0, 255)
    masked: Pixels = places * sharp + (1 - places) * pixels
    return masked


def _unsharp_mask(pixels: Pixels, values: Values, setting: Setting) -> Pixels:
    return unsharp_mask(pixels, values)


UNSHARP_MASK = Operation(
    "unsharp_mask",
    "Sharpen HQ before it is degraded; the truth of scores stays the set's HQ image.",
    {
        "radius": Parameter("extent of the blur, in pixels", options=(10, 20, 30, 40, 50, 60), default=50),
        "amount": Parameter("share of the difference that is added", 0, 4, default=0.5),
        "threshold": Parameter("difference from which on it counts, in levels", 0, 255, default=10.0),
    },
    _unsharp_mask,
)


def sharpened(image: RGB) -> RGB:
    """An image, RGB uint8 (H, W, 3), sharpened by `UNSHARP_MASK` with its default values."""
    defaults = {name: parameter.default for name, parameter in UNSHARP_MASK.parameters.items()}
    return round_levels(unsharp_mask(as_pixels(image), defaults))
