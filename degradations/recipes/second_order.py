"""The second-order degradation of Real-ESRGAN (Wang et al. 2021): two rounds with sinc filters."""

from __future__ import annotations

import math
from collections.abc import Sequence

from ..operations.distributions import Choice, Distribution, Fixed, Uniform
from .classical import Range
from .steps import Branch, Node, OneOf, Step

SMALL_SIZES = (7, 9, 11)
LARGE_SIZES = (13, 15, 17, 19, 21)
SIZES = (*SMALL_SIZES, *LARGE_SIZES)


def second_order_steps(methods: Sequence[str]) -> tuple[Node, ...]:
    """Two rounds and the final sinc filter, at a scale of 4, then bicubic upscaling to full size.

    Args:
        methods: of resizing, each as likely.
    """
    any_method = Choice(tuple(methods))
    return (
        _blur((0.2, 3.0)),
        _first_resize(any_method),
        _noise((1, 30), (0.05, 3.0)),
        _jpeg(),
        OneOf((Branch(0.8, (_blur((0.2, 1.5)),)), Branch(0.2))),
        _second_resize(any_method),
        _noise((1, 25), (0.05, 2.5)),
        OneOf(
            (
                Branch(0.5, (*_downscale_and_sinc(any_method), _jpeg())),
                Branch(0.5, (_jpeg(), *_downscale_and_sinc(any_method))),
            )
        ),
        Step("full_size", {"method": Fixed("bicubic")}),
    )


def _blur(sigma: Range) -> OneOf:
    return OneOf(
        (
            Branch(0.0375, (_sinc(SMALL_SIZES, math.pi / 3),)),
            Branch(0.0625, (_sinc(LARGE_SIZES, math.pi / 5),)),
            Branch(0.63, (_gaussian(sigma),)),
            Branch(0.0675, (_shaped("generalised", sigma, (0.5, 1.0)),)),
            Branch(0.0675, (_shaped("generalised", sigma, (1.0, 4.0)),)),
            Branch(0.0675, (_shaped("plateau", sigma, (1.0, 1.0)),)),
            Branch(0.0675, (_shaped("plateau", sigma, (1.0, 2.0)),)),
        )
    )


def _gaussian(sigma: Range) -> Step:
    kernel = Choice(("isotropic", "anisotropic"), (0.45, 0.25))
    return Step("blur", {"kernel": kernel, **_kernel_numbers(sigma)})


def _shaped(kind: str, sigma: Range, shape: Range) -> Step:
    kernel = Choice((f"{kind}-isotropic", f"{kind}-anisotropic"), (0.12, 0.03))
    return Step("blur", {"kernel": kernel, **_kernel_numbers(sigma), "shape": Uniform(*shape)})


def _kernel_numbers(sigma: Range) -> dict[str, Distribution]:
    return {
        "size": Choice(SIZES),
        "sigma_x": Uniform(*sigma),
        "sigma_y": Uniform(*sigma),
        "rotation": Uniform(-180, 180),
    }


def _sinc(sizes: tuple[int, ...], lowest_cutoff: float) -> Step:
    return Step("sinc", {"size": Choice(sizes), "cutoff": Uniform(lowest_cutoff, math.pi)})


def _first_resize(any_method: Choice) -> OneOf:
    up, down = (Step("rescale", {"by": Uniform(*by), "method": any_method}) for by in ((1, 1.5), (0.15, 1)))
    return OneOf((Branch(0.2, (up,)), Branch(0.7, (down,)), Branch(0.1)))


def _second_resize(any_method: Choice) -> OneOf:
    quarter: dict[str, Distribution] = {"divided_by": Fixed(4), "method": any_method}
    up = Step("full_size", {**quarter, "by": Uniform(1, 1.2)})
    down = Step("full_size", {**quarter, "by": Uniform(0.3, 1)})
    return OneOf((Branch(0.3, (up,)), Branch(0.4, (down,)), Branch(0.3, (Step("full_size", quarter),))))


def _noise(sigma: Range, poisson: Range) -> OneOf:
    grey = Choice((False, True), (0.6, 0.4))
    gaussian_noise = Step("gaussian_noise", {"sigma": Uniform(*sigma), "grey": grey})
    poisson_noise = Step("poisson_noise", {"scale": Uniform(*poisson), "grey": grey})
    return OneOf((Branch(0.5, (gaussian_noise,)), Branch(0.5, (poisson_noise,))))


def _jpeg() -> Step:
    return Step("jpeg", {"quality": Uniform(30, 95)})


def _downscale_and_sinc(any_method: Choice) -> tuple[Step, Step]:
    shrink = Step("full_size", {"divided_by": Fixed(4), "method": any_method})
    cutoff = Uniform(math.pi / 3, math.pi)
    return shrink, Step("sinc", {"size": Choice(SIZES), "cutoff": cutoff}, probability=0.8)
