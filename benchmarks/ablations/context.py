"""Composite context: the recogniser's token alone, the vision tower's tokens alone, or both.

python benchmarks/ablations/context.py [SET] [--quick] [--json] [--steps 200]
"""

from __future__ import annotations

from common import Direction, Study, Variant, run_study

KINDS = {
    "identity token only": {"context": {"appearance": False}, "unet": {"context_grid": 0}},
    "appearance tokens only": {"context": {"identity": False}},
    "both": {},
}

if __name__ == "__main__":
    run_study(
        Study(
            "What the context is made of",
            "composite-context-mini",
            [Variant(name, {"model": model}) for name, model in KINDS.items()],
            [Direction("both", "identity token only"), Direction("both", "appearance tokens only")],
            "both together give the highest identity similarity.",
        )
    )
