"""ReF-LDM, tables 3 and 4: the identity loss: none, unscaled, times sqrt(alpha_bar), or below t = 500.

python benchmarks/ablations/identity_loss.py [SET] [--quick] [--json] [--steps 200]
"""

from __future__ import annotations

from common import Direction, Study, Variant, run_study

KINDS = {
    "none": {"weight": 0.0},
    "unscaled": {"scale": "unscaled"},
    "t < 500": {"scale": "below_500"},
    "sqrt(alpha_bar)": {"scale": "sqrt_alpha_bar"},
}
PUBLISHED = (
    Direction("sqrt(alpha_bar)", "none"),
    Direction("t < 500", "none"),
    Direction("unscaled", "none"),
    Direction("sqrt(alpha_bar)", "unscaled", "lpips"),
)

if __name__ == "__main__":
    run_study(
        Study(
            "Identity loss of ReF-LDM",
            "refldm-mini",
            [Variant(name, {"identity": settings}) for name, settings in KINDS.items()],
            PUBLISHED,
            "every identity loss raises identity similarity; unscaled it costs image quality, scaled by "
            "sqrt(alpha_bar) it does not.",
        )
    )
