"""Composite context: guidance by 1 to N references, without further training.

python benchmarks/ablations/guidance.py [SET] [--quick] [--json] [--least 3]
"""

from __future__ import annotations

from functools import partial

from common import Direction, Study, Variant, run_study, sample_images

NAMES = ("1 reference", "2 references", "3 references")

if __name__ == "__main__":
    run_study(
        Study(
            "Guidance by several references",
            "composite-context-mini",
            [Variant(name, restore=partial(sample_images, references=n)) for n, name in enumerate(NAMES, 1)],
            [Direction(name, NAMES[0]) for name in NAMES[1:]],
            "identity similarity to HQ grows with the number of references.",
            steps=0,
            start="composite-context",
        )
    )
