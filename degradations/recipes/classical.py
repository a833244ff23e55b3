"""Blur, shrink, add noise, JPEG, back to full size: the chain of GFPGAN, CodeFormer and ReF-LDM."""

from __future__ import annotations

from typing import TypeAlias

from ..operations.distributions import Choice, Fixed, Uniform
from .steps import Step

Range: TypeAlias = tuple[float, float]


def classical_steps(
    sigma: Range, by: Range, noise: Range, *, quality: Range, kernel: int = 41
) -> tuple[Step, ...]:
    """The five steps; every number is drawn uniformly, isotropic and anisotropic kernels are equally likely.

    Args:
        sigma: of the Gaussian, in pixels.
        by: what the size is divided by.
        noise: standard deviation, in levels.
        quality: of the JPEG.
        kernel: side of the Gaussian's kernel, in pixels, odd.
    """
    return (
        Step(
            "blur",
            {
                "kernel": Choice(("isotropic", "anisotropic")),
                "size": Fixed(kernel),
                "sigma_x": Uniform(*sigma),
                "sigma_y": Uniform(*sigma),
                "rotation": Uniform(-180, 180),
            },
        ),
        Step("downscale", {"by": Uniform(*by), "method": Fixed("bilinear")}),
        Step("gaussian_noise", {"sigma": Uniform(*noise)}),
        Step("jpeg", {"quality": Uniform(*quality)}),
        Step("full_size", {"method": Fixed("bilinear")}),
    )
