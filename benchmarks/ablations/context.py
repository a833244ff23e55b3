"""Composite context: the recogniser's token alone, the vision tower's tokens alone, or both.

python benchmarks/ablations/context.py SET --autoencoder AE --start LDM [--steps 500]
"""

from __future__ import annotations

from common import Direction, Variant, run_study

KINDS = {
    "identity token only": {"appearance": False},
    "appearance tokens only": {"identity": False},
    "both": {},
}

if __name__ == "__main__":
    run_study(
        "What the context is made of",
        "composite-context-mini",
        [
            Variant(name, {"model": {"context": context}, "identity": {"weight": 0.0}})
            for name, context in KINDS.items()
        ],
        [Direction("both", "identity token only"), Direction("both", "appearance tokens only")],
        "both together give the highest identity similarity.",
    )
