"""The classical chain of GFPGAN, CodeFormer and ReF-LDM: blur, downscale, noise, JPEG, full size."""

from __future__ import annotations

from typing import TypeAlias

from ..operations.distributions import Choice, Fixed, Uniform
from .steps import Step

Range: TypeAlias = tuple[float, float]


def classical_steps(
    *, sigma: Range, by: Range, noise: Range, quality: Range, kernel: int = 41
) -> tuple[Step, ...]:
    """The five steps; numbers are uniform, isotropic and anisotropic kernels equally likely.

    Args:
        sigma: range of the Gaussian's standard deviation, in pixels.
        by: range of the divisor of the size.
        noise: range of the standard deviation of the noise, in levels.
        quality: range of the JPEG quality, 1 to 100.
        kernel: side of the Gaussian's kernel in pixels, odd.
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
