"""ReF-LDM, table 5: how many references are given at sampling time.

python benchmarks/ablations/references.py [SET] [--quick] [--json] [--least 3]
"""

from __future__ import annotations

from functools import partial
from itertools import pairwise

from common import Direction, Study, Variant, run_study, sample_images

NAMES = ("none", "1 reference", "2 references", "3 references")

if __name__ == "__main__":
    run_study(
        Study(
            "Number of references of ReF-LDM",
            "refldm-mini",
            [
                Variant(name, restore=partial(sample_images, references=count))
                for count, name in enumerate(NAMES)
            ],
            [Direction(more, fewer) for fewer, more in pairwise(NAMES)] + [Direction(NAMES[-1], NAMES[1])],
            "identity similarity grows with every reference, by less each time.",
            steps=0,
            start="refldm",
        )
    )
