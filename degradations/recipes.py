"""The bundled recipes, declared."""

from __future__ import annotations

import math

from .distributions import Choice, Fixed, Uniform
from .recipe import Recipe
from .steps import Step

REFLDM = (
    "Hsiao et al., ReF-LDM: A Latent Diffusion Model for Reference-based Face Image Restoration, NeurIPS 2024"
)
SEVERITY_PREFIX = "severity-"

Range = tuple[float, float]


def classical_steps(sigma: Range, by: Range, noise: Range, quality: Range) -> tuple[Step, ...]:
    """Blur, shrink, add noise, JPEG, return to full size: the order of GFPGAN, CodeFormer and ReF-LDM."""
    return (
        Step(
            "blur",
            {
                "kernel": Choice(("isotropic", "anisotropic")),
                "size": Fixed(41),
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


REFLDM_TRAIN = Recipe(
    "refldm-train",
    1,
    classical_steps((0, 16), (1, 32), (0, 20), (30, 100)),
    title="what ReF-LDM is trained on",
    source=REFLDM,
)
REFLDM_MODERATE = Recipe(
    "refldm-moderate",
    1,
    classical_steps((0, 8), (1, 8), (0, 15), (60, 100)),
    title="the moderate test set of FFHQ-Ref",
    source=REFLDM,
)
REFLDM_SEVERE = Recipe(
    "refldm-severe",
    1,
    classical_steps((8, 16), (8, 32), (0, 20), (30, 100)),
    title="the severe test set of FFHQ-Ref",
    source=REFLDM,
)


def severity(level: float) -> Recipe:
    """A recipe of one sweep from 0 (nothing but JPEG 100) through 0.5 (moderate) to 1 (severe).

    Both ends of each range move linearly; all levels share their draws, so that along the sweep an image
    keeps its noise, its kernel's direction and its place within each range.
    """
    if not 0 <= level <= 1:
        raise ValueError(f"severity lies from 0 to 1; got {level}")
    return Recipe(
        f"{SEVERITY_PREFIX}{level:g}",
        1,
        classical_steps(*(_between(stops, level) for stops in SEVERITY_STOPS)),
        title=f"level {level:g} of the sweep through moderate (0.5) and severe (1)",
        source="the ranges of ReF-LDM, interpolated",
        sweep="severity",
    )


SEVERITY_STOPS: tuple[tuple[Range, Range, Range], ...] = (
    ((0, 0), (0, 8), (8, 16)),
    ((1, 1), (1, 8), (8, 32)),
    ((0, 0), (0, 15), (0, 20)),
    ((100, 100), (60, 100), (30, 100)),
)


def severity_named(name: str) -> Recipe | None:
    """The level of the sweep that ``name`` (``severity-0.4``) asks for; None for other names."""
    try:
        level = float(name.removeprefix(SEVERITY_PREFIX)) if name.startswith(SEVERITY_PREFIX) else math.nan
    except ValueError:
        return None
    return severity(level) if 0 <= level <= 1 else None


def _between(stops: tuple[Range, Range, Range], level: float) -> Range:
    first = int(level >= 0.5)
    share = 2 * level - first
    (low_0, high_0), (low_1, high_1) = stops[first], stops[first + 1]
    return low_0 + (low_1 - low_0) * share, high_0 + (high_1 - high_0) * share


RECIPES: dict[str, Recipe] = {
    recipe.name: recipe for recipe in (REFLDM_TRAIN, REFLDM_MODERATE, REFLDM_SEVERE)
}
