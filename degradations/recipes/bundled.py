"""The bundled recipes as declared objects; for the sweep ``severity-LEVEL`` see `severity`."""

from __future__ import annotations

from ..operations.colours import ORDERS
from ..operations.distributions import Choice, Uniform
from .classical import classical_steps
from .recipe import Recipe
from .second_order import second_order_steps
from .steps import Step

REFLDM = "Hsiao et al. 2024, ReF-LDM: A Latent Diffusion Model for Reference-based Face Image Restoration"
GFPGAN = "Wang et al. 2021, Towards Real-World Blind Face Restoration with Generative Facial Prior"
CODEFORMER = "Zhou et al. 2022, Towards Robust Blind Face Restoration with Codebook Lookup Transformer"
REALESRGAN = (
    "Wang et al. 2021, Real-ESRGAN: Training Real-World Blind Super-Resolution with Pure Synthetic Data"
)

REFLDM_TRAIN = Recipe(
    "refldm-train",
    1,
    classical_steps(sigma=(0, 16), by=(1, 32), noise=(0, 20), quality=(30, 100)),
    title="what ReF-LDM is trained on",
    source=REFLDM,
)
REFLDM_MODERATE = Recipe(
    "refldm-moderate",
    1,
    classical_steps(sigma=(0, 8), by=(1, 8), noise=(0, 15), quality=(60, 100)),
    title="the moderate test set of FFHQ-Ref",
    source=REFLDM,
)
REFLDM_SEVERE = Recipe(
    "refldm-severe",
    1,
    classical_steps(sigma=(8, 16), by=(8, 32), noise=(0, 20), quality=(30, 100)),
    title="the severe test set of FFHQ-Ref",
    source=REFLDM,
)
REFLDM_TRAIN_128, REFLDM_MODERATE_128, REFLDM_SEVERE_128 = (
    Recipe(
        f"{name}-128",
        1,
        classical_steps(sigma=sigma, by=by, noise=noise, quality=quality, kernel=11),
        title=f"{name} for images of 128 pixels: blur and shrinking are a quarter",
        source=REFLDM,
    )
    for name, sigma, by, noise, quality in (
        ("refldm-train", (0, 4), (1, 8), (0, 20), (30, 100)),
        ("refldm-moderate", (0, 2), (1, 2), (0, 15), (60, 100)),
        ("refldm-severe", (2, 4), (2, 8), (0, 20), (30, 100)),
    )
)
GFPGAN_V1 = Recipe(
    "gfpgan-v1",
    1,
    (
        *classical_steps(sigma=(0.1, 10), by=(0.8, 8), noise=(0, 20), quality=(60, 100)),
        Step("colour_shift", {name: Uniform(-20, 20) for name in ("red", "green", "blue")}, probability=0.3),
        Step("grey", probability=0.01),
        Step(
            "colour_jitter",
            {
                "brightness": Uniform(0.5, 1.5),
                "contrast": Uniform(0.5, 1.5),
                "saturation": Uniform(0, 1.5),
                "hue": Uniform(-0.1, 0.1),
                "order": Choice(ORDERS),
            },
            probability=0.3,
        ),
    ),
    title="what GFPGAN v1 is trained on, colour changes included",
    source=GFPGAN,
)
CODEFORMER_RECIPE = Recipe(
    "codeformer",
    1,
    classical_steps(sigma=(1, 15), by=(1, 30), noise=(0, 20), quality=(30, 90)),
    title="what CodeFormer is trained on, as in its paper",
    source=CODEFORMER,
)
REALESRGAN_SECOND_ORDER_1 = Recipe(
    "realesrgan-2nd-order",
    1,
    second_order_steps(("bilinear", "area", "bicubic")),
    title="two rounds of blur, resizing, noise and JPEG, with ringing, at a scale of 4",
    source=REALESRGAN,
)
REALESRGAN_SECOND_ORDER = Recipe(
    "realesrgan-2nd-order",
    2,
    (Step("unsharp_mask"), *second_order_steps(("torch-area", "bilinear", "bicubic"))),
    title="sharpening, then two rounds of blur, resizing, noise and JPEG, with ringing, at a scale of 4",
    source=REALESRGAN,
)

OLD_VERSIONS: dict[str, Recipe] = {REALESRGAN_SECOND_ORDER_1.id: REALESRGAN_SECOND_ORDER_1}
"""Earlier versions of bundled recipes by id, such as ``realesrgan-2nd-order@1``: the same bytes as before."""

RECIPES: dict[str, Recipe] = {
    recipe.name: recipe
    for recipe in (
        REFLDM_TRAIN,
        REFLDM_MODERATE,
        REFLDM_SEVERE,
        REFLDM_TRAIN_128,
        REFLDM_MODERATE_128,
        REFLDM_SEVERE_128,
        GFPGAN_V1,
        CODEFORMER_RECIPE,
        REALESRGAN_SECOND_ORDER,
    )
}
