"""Identities against true names, over thresholds: pairwise and B-cubed precision, recall and F1.

    python benchmarks/identities.py --set SET            # the folder of each photo names its person
    python benchmarks/identities.py --embeddings F.npz   # arrays "embeddings" (N, D) and "labels" (N,)

For a set, only the largest face of every photo counts: others are not named.
"""

from __future__ import annotations

import argparse
from pathlib import Path, PurePosixPath

import numpy as np
import numpy.typing as npt
from refbench.builders.judge import judge_thresholds
from refbench.builders.manifest import ReferenceSet

THRESHOLDS = (0.3, 0.35, 0.4, 0.425, 0.45, 0.475, 0.5, 0.525, 0.55, 0.6)


def labelled(root: Path) -> tuple[npt.NDArray[np.float32], list[str]]:
    found = ReferenceSet.read(root)
    rows = [row for row, target in enumerate(found.targets) if "~" not in target.key]
    names = [PurePosixPath(found.targets[row].source).parent.as_posix() for row in rows]
    vectors: npt.NDArray[np.float32] = np.load(root / "embeddings.npy")
    return vectors[rows], names


def main() -> None:
    form = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=form)
    parser.add_argument("--set", type=Path)
    parser.add_argument("--embeddings", type=Path)
    parser.add_argument("--thresholds", type=float, nargs="+", default=THRESHOLDS)
    chosen = parser.parse_args()
    if chosen.embeddings:
        with np.load(chosen.embeddings) as stored:
            vectors, names = stored["embeddings"], stored["labels"].tolist()
        vectors = (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)
    elif chosen.set:
        vectors, names = labelled(chosen.set)
    else:
        parser.error("name a --set or --embeddings")
    print(judge_thresholds(vectors, names, chosen.thresholds).round(4).to_string(index=False))


if __name__ == "__main__":
    main()
