"""The exact search for all pairs against its peers: a float32 blocked product in torch, and FAISS.

    python benchmarks/pairs.py [--count 70000] [--planted 0.01] [--threads 2] [--quick] [--json]
    python benchmarks/pairs.py --count 1000000 --alone --journal FOLDER     # may be killed and run again

Vectors are synthetic people, unit vectors about random centres; ``--planted`` is the share that is there
twice. Every method finds all pairs under cosine distance 0.4, and the pairs are compared. *Memory* is what
the process holds at most beyond what it held before, the vectors not counted. Wall time says what a user
waits, processor time what the work costs; on a machine that others use, compare the latter.

*FAISS proposes* is `approximate.find_pairs_by_faiss`, for more than about a million faces: its share of the
exact pairs stands beside the share that it states of itself.

Exit code 1 when a goal falls short: the same pairs but within 1e-6 of the threshold; at 70,000 and more, 15
times as fast as FAISS and twice as fast as torch; at 70,000, under 1 GiB.
"""

from __future__ import annotations

import argparse
import resource
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from refbench.builders.identities.cosine_distance import paired_distances
from refbench.builders.identities.faiss_search import find_pairs_by_faiss
from refbench.builders.identities.pair_search import Pairs, find_pairs
from refbench.builders.identities.prefilter import quantise
from report import Report, main

Vectors = npt.NDArray[np.float32]
THRESHOLD = 0.4
FULL = 70_000
GOALS = {"torch float32 blocks": 2.0, "FAISS range_search": 15.0}
NEAR = 1e-6
GIB = 2**30


@dataclass(frozen=True)
class Run:
    """One method on the whole task: seconds, seconds of all threads, GiB beyond the vectors, pairs found."""

    wall: float
    processor: float
    memory: float
    found: Pairs


def people(count: int, depth: int, planted: float, *, each: int = 7, noise: float = 0.75) -> Vectors:
    random = np.random.default_rng(0)
    centres = random.standard_normal((max(1, count // each), depth), dtype=np.float32)
    vectors = np.empty((count, depth), dtype=np.float32)
    for start in range(0, count, 50_000):
        rows = vectors[start : start + 50_000]
        rows[:] = centres[random.integers(0, len(centres), len(rows))]
        rows += noise * random.standard_normal(rows.shape, dtype=np.float32)
        rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    twice = random.permutation(count)[: 2 * round(planted * count)]
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
            parts.append(Pairs(first, second, paired_distances(vectors, first, second)))
    return Pairs.joined(parts)


def faiss_range(vectors: Vectors, threads: int) -> Pairs:
    """All against all by ``IndexFlatIP.range_search``."""
    import faiss

    faiss.omp_set_num_threads(threads)
    index = faiss.IndexFlatIP(vectors.shape[1])
    index.add(vectors)
    ends, _, second = index.range_search(vectors, 1.0 - THRESHOLD)
    first = np.repeat(np.arange(len(vectors)), np.diff(ends.astype(np.int64)))
    kept = first < second
    first, second = first[kept], second[kept].astype(np.int64)
    return Pairs.joined([Pairs(first, second, paired_distances(vectors, first, second))])


def timed(work: Callable[[], Pairs]) -> Run:
    before = forget_peak()
    wall, processor = time.perf_counter(), time.process_time()
    found = work()
    wall, processor = time.perf_counter() - wall, time.process_time() - processor
    return Run(wall, processor, (peak() - before) / GIB, found)


def forget_peak() -> int:
    """Bytes that are held now; the peak counts from here, where the system lets it (Linux)."""
    try:
        Path("/proc/self/clear_refs").write_text("5")
        return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()
    except OSError:
        return peak()


def peak() -> int:
    """Bytes held at most."""
    try:
        status = Path("/proc/self/status").read_text()
        return int(status.partition("VmHWM:")[2].split()[0]) * 1024
    except (OSError, IndexError):
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def farthest(mine: Pairs, others: Pairs) -> float:
    """How far from the threshold the pairs are that only one of two methods found, at most."""
    distances, sets = {}, []
    for pairs in (mine, others):
        keys = list(zip(pairs.first.tolist(), pairs.second.tolist(), strict=True))
        distances |= dict(zip(keys, pairs.distance.tolist(), strict=True))
        sets.append(set(keys))
    return max((abs(distances[key] - THRESHOLD) for key in sets[0] ^ sets[1]), default=0.0)


def measure(given: argparse.Namespace, report: Report) -> None:
    """Search the same vectors by every method."""
    torch.set_num_threads(given.threads)
    count = 12_000 if given.quick else given.count
    vectors = people(count, given.depth, given.planted)
    find_pairs(vectors[:5000], THRESHOLD)
    length = quantise(vectors[:: max(1, len(vectors) // 20_000)], THRESHOLD).values.shape[1]
    report.workload |= {"vectors": count, "planted": given.planted, "prefilter entries": length}
    ours = timed(lambda: find_pairs(vectors, THRESHOLD, given.journal))
    report.workload["pairs"] = len(ours.found)
    if count <= FULL:
        report.add("memory above the vectors", unit="GiB", ours=ours.memory, goal="ours <= 1")
    if given.alone:
        report.add("search, wall", unit="s", ours=ours.wall)
        report.add("search, processor", unit="s", ours=ours.processor)
        return
    peers: dict[str, Callable[[], Pairs]] = {
        "torch float32 blocks": lambda: torch_blocks(vectors),
        "FAISS range_search": lambda: faiss_range(vectors, given.threads),
    }
    for name, work in peers.items():
        goal = f"ratio >= {GOALS[name]:g}" if given.quick or count >= FULL else None
        with report.skipping(f"search, wall, against {name}", unit="s", goal=goal):
            theirs = timed(work)
            apart, against = farthest(ours.found, theirs.found), f"against {name}"
            report.add(
                f"search, wall, {against}",
                unit="s",
                ours=ours.wall,
                peer=theirs.wall,
                goal=goal,
                judged_when_quick=False,
            )
            report.add(f"search, processor, {against}", unit="s", ours=ours.processor, peer=theirs.processor)
            report.add(f"memory, {against}", unit="GiB", ours=ours.memory, peer=theirs.memory)
            title = f"other pairs than {name}, distance from the threshold"
            report.add(title, unit="cosine distance", ours=apart, goal=f"ours <= {NEAR}")
    with report.skipping("FAISS proposes, recall", unit="share"):
        start = time.perf_counter()
        proposed = find_pairs_by_faiss(vectors, THRESHOLD)
        report.add("FAISS proposes, wall", unit="s", ours=time.perf_counter() - start, peer=ours.wall)
        report.add("FAISS proposes, recall", unit="share", ours=len(proposed.pairs) / len(ours.found))
        report.add("FAISS proposes, recall that it states", unit="share", ours=proposed.recall)


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--count", type=int, default=70_000, help="vectors; 12,000 with --quick")
    parser.add_argument("--depth", type=int, default=512)
    parser.add_argument("--planted", type=float, default=0.01, help="share that stands there twice")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--alone", action="store_true", help="the exact search alone, no peers")
    parser.add_argument("--journal", type=Path, help="keep finished stripes here; run again to go on")


if __name__ == "__main__":
    sys.exit(main(measure, __doc__, arguments))
