"""Blur: correlation of each channel with a kernel, the border mirrored about its outermost pixels."""

from __future__ import annotations

import math
from typing import cast

import cv2

from ..errors import FaultyInput, RefbenchError
from . import kernels
from .kernels import Kernel
from .operation import Operation, Parameter, Pixels, Setting, Values

ROUND = frozenset({"isotropic", "generalised-isotropic", "plateau-isotropic"})
SHAPED = frozenset(
    {"generalised-isotropic", "generalised-anisotropic", "plateau-isotropic", "plateau-anisotropic"}
)
GAUSSIAN_KERNELS = ("isotropic", "anisotropic")
KERNELS = (*GAUSSIAN_KERNELS, *sorted(SHAPED))


def correlate(pixels: Pixels, kernel: Kernel) -> Pixels:
    """Correlate with ``kernel`` under the reflect-101 border (edge pixels are not repeated); same dtype.

    Raises:
        FaultyInput: the picture has fewer pixels a side than half the kernel, so that it cannot be mirrored.
    """
    require_room(pixels, kernel.shape[0])
    blurred = cv2.filter2D(pixels, -1, kernel, borderType=cv2.BORDER_REFLECT_101)
    return cast(Pixels, blurred)


def require_room(pixels: Pixels, kernel_size: int) -> None:
    """Refuse pictures that are too small to be mirrored at the border of a kernel."""
    height, width = pixels.shape[:2]
    needed = kernel_size // 2 + 1
    if min(height, width) < needed:
        size = f"{width}x{height} pixels"
        raise FaultyInput(f"{size} is too small for a kernel of {kernel_size}: it needs {needed} a side")


def blur_kernel(values: Values) -> Kernel:
    """The kernel of the operation ``blur`` for drawn values (angles in degrees)."""
    name, size = values["kernel"], int(values["size"])
    sigma_x = values["sigma_x"]
    sigma_y = sigma_x if name in ROUND else values["sigma_y"]
    rotation = 0.0 if name in ROUND else math.radians(values["rotation"])
    if name in GAUSSIAN_KERNELS:
        return kernels.gaussian(size, sigma_x, sigma_y, rotation)
    if name.startswith("generalised"):
        return kernels.generalised_gaussian(size, sigma_x, sigma_y, rotation, values["shape"])
    if name.startswith("plateau"):
        return kernels.plateau(size, sigma_x, sigma_y, rotation, values["shape"])
    raise RefbenchError(f"no kernel is called {name!r}; there are {', '.join(KERNELS)}")


def _blur(pixels: Pixels, values: Values, setting: Setting) -> Pixels:
    return correlate(pixels, blur_kernel(values))


def _unused_by_kernel(values: Values) -> frozenset[str]:
    unused = {"sigma_y", "rotation"} if values["kernel"] in ROUND else set()
    return frozenset(unused | (set() if values["kernel"] in SHAPED else {"shape"}))


def _sinc(pixels: Pixels, values: Values, setting: Setting) -> Pixels:
    return correlate(pixels, kernels.sinc(int(values["size"]), values["cutoff"]))


def _motion(pixels: Pixels, values: Values, setting: Setting) -> Pixels:
    size = 2 * math.ceil(values["length"] / 2.0) + 1
    return correlate(pixels, kernels.motion(size, values["length"], math.radians(values["angle"])))


def _defocus(pixels: Pixels, values: Values, setting: Setting) -> Pixels:
    size = 2 * math.ceil(values["radius"]) + 1
    return correlate(pixels, kernels.defocus(size, values["radius"]))


SIZE = Parameter("pixels a side, odd", options=tuple(range(3, 102, 2)), default=41)
BLUR = Operation(
    "blur",
    "Gaussian blur, or its generalised or plateau-shaped kin.",
    {
        "kernel": Parameter("which kernel", options=KERNELS, default="isotropic"),
        "size": SIZE,
        "sigma_x": Parameter("standard deviation in pixels", 0, 100),
        "sigma_y": Parameter("across, if not isotropic; pixels", 0, 100, default=1.0),
        "rotation": Parameter("of an anisotropic kernel, degrees", -360, 360, default=0.0),
        "shape": Parameter("exponent of a generalised or plateau kernel", 0.1, 10, default=1.0),
    },
    _blur,
    _unused_by_kernel,
)
SINC = Operation(
    "sinc",
    "Ideal low-pass filter, which rings.",
    {"size": SIZE, "cutoff": Parameter("radians per pixel", 0.01, math.pi)},
    _sinc,
)
MOTION_BLUR = Operation(
    "motion_blur",
    "Blur along a straight line.",
    {
        "length": Parameter("pixels", 1, 100),
        "angle": Parameter("degrees", -360, 360, default=0.0),
    },
    _motion,
)
DEFOCUS = Operation(
    "defocus",
    "Blur by a disc, as of a lens out of focus.",
    {"radius": Parameter("pixels", 0, 50)},
    _defocus,
)
