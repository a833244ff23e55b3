"""Exact all-pairs search against its peers: a float32 blocked product in torch, and FAISS.

    python benchmarks/pairs.py --count 70000 --threads 2
    python benchmarks/pairs.py --count 1000000 --peers none --journal /tmp/journal

Vectors are synthetic people (unit vectors about random centres) with one in a hundred planted twice. Every
method finds all pairs under cosine distance 0.4; the pairs are compared. Wall time says what a user waits,
processor time what the work costs; on a machine that others use, compare the latter.
"""

from __future__ import annotations

import argparse
import resource
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from refbench.builders.coarse import coarsen
from refbench.builders.pairs import Pairs, exact_distances, find_pairs

Vectors = npt.NDArray[np.float32]
THRESHOLD = 0.4


def people(count: int, depth: int, each: int = 7, noise: float = 0.75, seed: int = 0) -> Vectors:
    random = np.random.default_rng(seed)
    centres = random.standard_normal((max(1, count // each), depth), dtype=np.float32)
    vectors = np.empty((count, depth), dtype=np.float32)
    for start in range(0, count, 50_000):
        rows = vectors[start : start + 50_000]
        rows[:] = centres[random.integers(0, len(centres), len(rows))]
        rows += noise * random.standard_normal(rows.shape, dtype=np.float32)
        rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    twice = random.permutation(count)[: count // 100 * 2]
    vectors[twice[::2]] = vectors[twice[1::2]]
    return vectors


def torch_blocks(vectors: Vectors, block: int = 8192) -> Pairs:
    """The plain way: upper triangle of blocks, float32."""
    whole, parts = torch.from_numpy(vectors), []
    for row in range(0, len(whole), block):
        for column in range(row, len(whole), block):
            products = whole[row : row + block] @ whole[column : column + block].T
            first, second = (products > 1.0 - THRESHOLD).nonzero(as_tuple=True)
            first, second = first.numpy() + row, second.numpy() + column
            kept = first < second
            first, second = first[kept], second[kept]
            parts.append(Pairs(first, second, exact_distances(vectors, first, second)))
    return Pairs.joined(parts)


def faiss_range(vectors: Vectors, rows: int) -> Pairs:
    """All against all by ``IndexFlatIP.range_search``, over the first ``rows`` queries."""
    import faiss

    index = faiss.IndexFlatIP(vectors.shape[1])
    index.add(vectors)
    ends, _, second = index.range_search(vectors[:rows], 1.0 - THRESHOLD)
    first = np.repeat(np.arange(rows), np.diff(ends.astype(np.int64)))
    kept = first < second
    first, second = first[kept], second[kept].astype(np.int64)
    return Pairs.joined([Pairs(first, second, exact_distances(vectors, first, second))])


def timed(name: str, work: Callable[[], Pairs], share: float = 1.0) -> Pairs:
    wall, processor = time.perf_counter(), time.process_time()
    found = work()
    wall, processor = (time.perf_counter() - wall) / share, (time.process_time() - processor) / share
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    print(f"{name:<24}{wall:>9.2f}{processor:>12.2f}{len(found):>12,}{peak:>11.2f}", flush=True)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--count", type=int, default=70_000)
    parser.add_argument("--depth", type=int, default=512)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--peers", choices=("all", "torch", "none"), default="all")
    parser.add_argument(
        "--faiss-share", type=float, default=1.0, help="run FAISS on this share of the queries"
    )
    parser.add_argument("--journal", type=Path, help="keep finished stripes here; run again to go on")
    chosen = parser.parse_args()
    torch.set_num_threads(chosen.threads)
    vectors = people(chosen.count, chosen.depth)
    find_pairs(vectors[:5000], THRESHOLD)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    length = coarsen(vectors[:: max(1, len(vectors) // 20_000)], THRESHOLD).numbers.shape[1]
    print(f"{len(vectors):,} x {vectors.shape[1]}, {chosen.threads} threads, first pass on {length} entries")
    print(f"peak memory before: {before:.2f} GiB, vectors {vectors.nbytes / 2**30:.2f} GiB\n")
    print(f"{'method':<24}{'wall s':>9}{'processor s':>12}{'pairs':>12}{'peak GiB':>11}")
    ours = timed("refbench", lambda: find_pairs(vectors, THRESHOLD, chosen.journal))
    if chosen.peers == "none":
        return
    theirs = timed("torch float32 blocks", lambda: torch_blocks(vectors))
    report("torch", ours, theirs)
    if chosen.peers == "all":
        import faiss

        faiss.omp_set_num_threads(chosen.threads)
        rows = max(1, round(len(vectors) * chosen.faiss_share))
        found = timed("FAISS range_search", lambda: faiss_range(vectors, rows), rows / len(vectors))
        kept = ours.first < rows
        report("FAISS", Pairs(ours.first[kept], ours.second[kept], ours.distance[kept]), found)


def report(name: str, ours: Pairs, theirs: Pairs) -> None:
    """Pairs that only one of two methods found, and how near the threshold they are."""
    sets = ({*zip(p.first.tolist(), p.second.tolist(), strict=True)} for p in (ours, theirs))
    mine, others = sets
    distances = {
        (i, j): d
        for p in (ours, theirs)
        for i, j, d in zip(p.first.tolist(), p.second.tolist(), p.distance.tolist(), strict=True)
    }
    apart = [abs(distances[pair] - THRESHOLD) for pair in mine ^ others]
    widest = f", at most {max(apart):.1e} from the threshold" if apart else ""
    print(f"  against {name}: {len(apart)} pairs differ{widest}")


if __name__ == "__main__":
    main()
