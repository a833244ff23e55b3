"""Blur: correlation of each channel with a kernel, the border mirrored about its outermost pixels."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import cast

import cv2

from ...errors import InvalidInputError
from . import kernels
from .kernels import Kernel
from .operation import Operation, Parameter, Pixels, Setting, Size, Values

ROUND = frozenset({"isotropic", "generalised-isotropic", "plateau-isotropic"})
SHAPED = frozenset(
    {"generalised-isotropic", "generalised-anisotropic", "plateau-isotropic", "plateau-anisotropic"}
)
KERNELS = ("isotropic", "anisotropic", *sorted(SHAPED))


def correlate(pixels: Pixels, kernel: Kernel) -> Pixels:
    """Correlate with ``kernel`` under the reflect-101 border (edge pixels are not repeated).

    Raises:
        InvalidInputError: the picture is too small to be mirrored at its border.
    """
    require_room(pixels.shape[:2], kernel)
    used = kernels.trimmed(kernel)
    if len(used) == 1:
        return pixels * float(used[0, 0])
    return cast(Pixels, cv2.filter2D(pixels, -1, used, borderType=cv2.BORDER_REFLECT_101))


def require_room(size: Size, kernel: Kernel) -> None:
    """Refuse a picture with no more pixels a side than half the kernel."""
    needed = len(kernel) // 2 + 1
    if min(size) < needed:
        have = f"{size[1]}x{size[0]} pixels"
        raise InvalidInputError(
            f"{have} is too small for a kernel {len(kernel)} wide: it needs {needed} a side"
        )


def blur_kernel(values: Values) -> Kernel:
    """The kernel of the operation ``blur`` for drawn values (angles in degrees)."""
    name, size = values["kernel"], values["size"]
    sigma_x = values["sigma_x"]
    sigma_y = sigma_x if name in ROUND else values["sigma_y"]
    rotation = 0.0 if name in ROUND else math.radians(values["rotation"])
    if name not in SHAPED:
        return kernels.gaussian(size, sigma_x, sigma_y, rotation=rotation)
    shaped = kernels.generalised_gaussian if name.startswith("generalised") else kernels.plateau
    return shaped(size, sigma_x, sigma_y, rotation=rotation, shape=values["shape"])


def _unused_by_blur(values: Values) -> frozenset[str]:
    round_ = {"sigma_y", "rotation"} if values["kernel"] in ROUND else set()
    plain = set() if values["kernel"] in SHAPED else {"shape"}
    return frozenset(round_ | plain)


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
    "Gaussian blur, or its generalised or plateau-shaped kin.",
    blur_kernel,
    parameters={
        "kernel": Parameter("which kernel", options=KERNELS, default="isotropic"),
        "size": SIZE,
        "sigma_x": Parameter("standard deviation in pixels", 0, 100),
        "sigma_y": Parameter("across, if not isotropic; pixels", 0, 100, default=1.0),
        "rotation": Parameter("of an anisotropic kernel, degrees", -360, 360, default=0.0),
        "shape": Parameter("exponent of a generalised or plateau kernel", 0.1, 10, default=1.0),
    },
    unused=_unused_by_blur,
)
SINC = _correlation(
    "sinc",
    "Ideal low-pass filter, which rings.",
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
    "Blur by a disc, as of a lens out of focus.",
    _defocus_kernel,
    parameters={"radius": Parameter("pixels", 0, 50)},
)
