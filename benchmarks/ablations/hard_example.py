"""Composite context: the hard example identity loss at lambda 0 (HQ), 0.5 and 1 (reference), and none.

python benchmarks/ablations/hard_example.py [SET] [--quick] [--json] [--steps 200]
"""

from __future__ import annotations

from common import Direction, Study, Variant, run_study

KINDS = {
    "no identity loss": {"weight": 0.0},
    "lambda 0": {"reference_share": 0.0},
    "lambda 0.5": {"reference_share": 0.5},
    "lambda 1": {"reference_share": 1.0},
}

if __name__ == "__main__":
    run_study(
        Study(
            "Hard example identity loss",
            "composite-context-mini",
            [Variant(name, {"identity": settings}) for name, settings in KINDS.items()],
            [
                Direction("lambda 0.5", "no identity loss"),
                Direction("lambda 0.5", "lambda 0"),
                Direction("lambda 0.5", "lambda 1"),
            ],
            "a loss to both, HQ and reference, is better than to either alone, and any better than none.",
        )
    )
