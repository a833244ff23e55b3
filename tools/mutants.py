"""Mutation testing by a fixed list: plant one fault at a time in a copy of the tree and run the tests named.

    python tools/mutants.py                  # all; two at a time
    python tools/mutants.py --only seed      # those whose file or text holds the word
    python tools/mutants.py --json

Each mutant says which text of which file becomes which other text, and which tests should notice. A mutant
that its tests do not notice has *survived*: a test is missing. Exit code 1 when one survives, 2 when the text
of one is no longer in its file (change the table) or the tests fail without any fault. The tree itself is
never written to.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Literal

ROOT = Path(__file__).resolve().parents[1]
LEFT_OUT = shutil.ignore_patterns(".git", "__pycache__", ".venv", "*.egg-info", ".*_cache", "node_modules")
TIMEOUT = 300

Verdict = Literal["noticed", "survived", "not planted"]


@dataclass(frozen=True, slots=True)
class Mutant:
    """One fault: in ``file``, the text ``before`` (which is there once) becomes ``after``."""

    file: str
    before: str
    after: str
    tests: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What the tests said of one mutant, in how many seconds."""

    mutant: Mutant
    verdict: Verdict
    seconds: float


def _mutant(file: str, before: str, after: str, *tests: str) -> Mutant:
    return Mutant(file, before, after, tuple(f"tests/{test}" for test in tests))


MUTANTS: tuple[Mutant, ...] = (
    # ground floor
    _mutant(
        "downloads.py",
        'etag if etag and not etag.startswith("W/") else None',
        "etag",
        "weights/test_downloads.py",
    ),
    _mutant("downloads.py", "_starts_at(response) != have", "False", "weights/test_downloads.py"),
    _mutant("downloads.py", "total is not None and total != size", "False", "weights/test_downloads.py"),
    _mutant("files.py", "        partial.replace(path)\n", "", "test_files.py"),
    _mutant("files.py", "sort_keys=True, separators", "sort_keys=False, separators", "test_files.py"),
    _mutant("files.py", "        partial.unlink(missing_ok=True)\n", "", "test_files.py"),
    # faces
    _mutant(
        "faces/verification.py", "(d < threshold) == s", "(d > threshold) == s", "faces/test_verification.py"
    ),
    _mutant(
        "faces/verification.py", "d[f != k], s[f != k]", "d[f == k], s[f == k]", "faces/test_verification.py"
    ),
    _mutant(
        "faces/align.py",
        "[cosine, -sine], [sine, cosine]",
        "[cosine, sine], [-sine, cosine]",
        "faces/test_align.py",
    ),
    _mutant("faces/align.py", "spread <= 1e-12", "spread < 0", "faces/test_align.py"),
    # degradations
    _mutant(
        "degradations/recipes/draws.py",
        "canonical_json([stream, seed, key])",
        "canonical_json([stream, 0, key])",
        "degradations/test_draws.py",
    ),
    _mutant(
        "degradations/recipes/draws.py",
        "canonical_json([stream, seed, key])",
        'canonical_json([stream, seed, ""])',
        "degradations/test_draws.py",
    ),
    _mutant(
        "degradations/recipes/severity.py",
        "level <= MODERATE",
        "level < MODERATE / 2",
        "degradations/test_recipes.py",
    ),
    _mutant(
        "degradations/operations/noises.py",
        '(values["sigma"] / 255.0)',
        'values["sigma"]',
        "degradations/test_operations.py",
    ),
    _mutant(
        "degradations/operations/noises.py", "1 if is_grey else 3", "3", "degradations/test_operations.py"
    ),
    _mutant(
        "degradations/lq/verify.py", "hq_sha256 != row.hq_sha256", "False", "degradations/test_folders.py"
    ),
    _mutant(
        "degradations/lq/verify.py",
        "pixels_sha256(lq) != row.pixels_sha256",
        "False",
        "degradations/test_folders.py",
    ),
    # builders
    _mutant(
        "builders/references/splits.py",
        'f"{seed}/{group}"',
        'f"{group}"',
        "builders/test_references_splits.py",
    ),
    _mutant(
        "builders/references/splits.py",
        "taken + weights[group] <= room",
        "taken + weights[group] < room",
        "builders/test_references_splits.py",
    ),
    _mutant(
        "builders/references/references.py",
        "np.minimum(gap, between[farthest])",
        "np.maximum(gap, between[farthest])",
        "builders/test_references_lists.py",
    ),
    _mutant(
        "builders/references/references.py",
        "np.argmin(between.sum(axis=1))",
        "np.argmax(between.sum(axis=1))",
        "builders/test_references_lists.py",
    ),
    _mutant(
        "builders/references/references.py",
        "reference.distance >= min_distance",
        "True",
        "builders/test_references_lists.py",
        "builders/test_build.py",
    ),
    _mutant(
        "builders/identities/pair_search.py",
        "distance < threshold",
        "distance <= 2 * threshold",
        "builders/test_identities_pair_search.py",
    ),
    _mutant(
        "builders/identities/pair_search.py",
        "1.0 - threshold - bound",
        "1.0 - threshold + bound",
        "builders/test_identities_pair_search.py",
    ),
    _mutant(
        "builders/photos/phash.py", "low > np.median(low)", "low > low.mean()", "builders/test_photos.py"
    ),
    _mutant(
        "builders/settings/quality_filters.py",
        "abs(quality[name]) > limit",
        "quality[name] > limit",
        "builders/test_settings_quality_filters.py",
    ),
    _mutant("builders/verify.py", "other.hq_sha256 == target.hq_sha256", "False", "builders/test_verify.py"),
    # metrics
    _mutant(
        "metrics/core/metric.py",
        "restored - lq if self.base.protocol.higher_is_better else lq - restored",
        "restored - lq",
        "metrics/test_score.py",
        "metrics/test_perceptual.py",
        "metrics/test_functional.py",
    ),
    _mutant(
        "metrics/protocols/pixel.py",
        "return -10.0 * torch.log10",
        "return 10.0 * torch.log10",
        "metrics/test_pixel.py",
    ),
    _mutant(
        "metrics/protocols/pixel.py",
        "65.481 * red + 128.553 * green",
        "128.553 * red + 65.481 * green",
        "metrics/test_pixel.py",
    ),
    _mutant("metrics/protocols/identity.py", "cosines.max()", "cosines.min()", "metrics/test_identity.py"),
    _mutant("metrics/protocols/identity.py", "cosines[0]", "cosines[-1]", "metrics/test_identity.py"),
    _mutant(
        "metrics/distances/kid.py",
        "matrix.sum() - np.trace(matrix)",
        "matrix.sum()",
        "metrics/test_frechet.py",
    ),
    _mutant(
        "metrics/distances/frechet.py",
        "- 2.0 * _root_trace(first, second)",
        "- _root_trace(first, second)",
        "metrics/test_frechet.py",
    ),
    _mutant(
        "metrics/scoring/recording.py",
        "images < metric.min_images",
        "images > metric.min_images",
        "metrics/test_score.py",
    ),
    _mutant(
        "metrics/scoring/distributed.py",
        "number % self.count == self.index",
        "number % self.count == 0",
        "metrics/test_score.py",
    ),
    _mutant(
        "metrics/scoring/pairing.py", "sorted(images.keys() - wanted.keys())", "[]", "metrics/test_pairing.py"
    ),
    # models
    _mutant(
        "models/diffusion/schedule.py",
        "roots.square()",
        "roots",
        "models/test_golden.py",
        "models/test_solvers.py",
    ),
    _mutant(
        "models/diffusion/ddim.py",
        "[total - 1 - start for",
        "[total - start for",
        "models/test_refldm.py",
        "models/test_solvers.py",
    ),
    _mutant(
        "models/diffusion/tiles.py",
        "    return image / total\n",
        "    return image\n",
        "models/test_refldm.py",
    ),
    _mutant(
        "models/training/ema.py", "share = 1 - self.decay_at", "share = self.decay_at", "models/training"
    ),
    _mutant(
        "models/networks/losses.py", "torch.relu(1 + fake)", "torch.relu(1 - fake)", "models/test_losses.py"
    ),
    _mutant("models/restorers/restore.py", 'f"{seed}:{key}"', 'f"{key}"', "models/test_restore.py"),
    # leaderboard
    _mutant(
        "leaderboard/submission/safe_extract.py",
        "self.unpacked += more",
        "self.unpacked = more",
        "leaderboard/test_submission_archives.py",
    ),
    _mutant(
        "leaderboard/submission/safe_extract.py",
        "self.entries > self.limits.entries",
        "self.entries > 2 * self.limits.entries",
        "leaderboard/test_submission_archives.py",
    ),
    _mutant(
        "leaderboard/submission/safe_extract.py",
        '".." in parts',
        "False",
        "leaderboard/test_submission_archives.py",
    ),
    _mutant(
        "leaderboard/statistics/permutation.py",
        "np.arange(len(order), 0, -1)",
        "np.arange(len(order) + 1, 1, -1)",
        "leaderboard/test_statistics.py",
    ),
    _mutant(
        "leaderboard/statistics/permutation.py",
        "default_rng([seed, groups, 1])",
        "default_rng([0, groups, 1])",
        "leaderboard/test_statistics.py",
    ),
    _mutant(
        "leaderboard/statistics/permutation.py",
        "(1 + hits) / (1 + tried)",
        "hits / tried",
        "leaderboard/test_statistics.py",
    ),
    _mutant(
        "leaderboard/statistics/cluster_robust.py",
        "(1.0 + level) / 2.0",
        "level",
        "leaderboard/test_statistics.py",
    ),
    _mutant(
        "leaderboard/statistics/cluster_robust.py",
        "weights = inflation /",
        "weights = 1.0 /",
        "leaderboard/test_statistics.py",
    ),
    _mutant(
        "leaderboard/statistics/cluster_robust.py",
        "4.0 * whole * one * zero",
        "2.0 * whole * one * zero",
        "leaderboard/test_statistics.py",
    ),
    _mutant(
        "leaderboard/statistics/cluster_robust.py",
        "+ skew / 6.0",
        "- skew / 6.0",
        "leaderboard/test_statistics.py",
    ),
    _mutant(
        "leaderboard/statistics/cluster_robust.py",
        "person.sort(axis=0)",
        "pass",
        "leaderboard/test_statistics.py",
    ),
    _mutant(
        "leaderboard/statistics/cluster_robust.py",
        "PAIRED_SKEW if is_paired else 1.0",
        "1.0",
        "leaderboard/test_statistics.py",
    ),
    _mutant(
        "leaderboard/statistics/cluster_robust.py",
        "balance = np.square(images)",
        "balance = 1.0 + 0.0 * np.square(images)",
        "leaderboard/test_statistics.py",
    ),
    _mutant(
        "leaderboard/statistics/statistics.py",
        "(a - b)[both]",
        "(b - a)[both]",
        "leaderboard/test_statistics.py",
    ),
    _mutant(
        "leaderboard/statistics/statistics.py",
        "(-found.mean, -high, -low)",
        "(-found.mean, -low, -high)",
        "leaderboard/test_statistics.py",
    ),
    _mutant(
        "leaderboard/statistics/design.py",
        "or self.effective < self.people / 2",
        "",
        "leaderboard/test_statistics.py",
    ),
    _mutant(
        "leaderboard/integrity/overlap.py",
        "np.max(vectors @ embeddings.T, axis=1)",
        "np.min(vectors @ embeddings.T, axis=1)",
        "leaderboard/test_integrity.py",
    ),
    _mutant(
        "leaderboard/tables/board.py",
        '"↑" if self.protocol.higher_is_better else "↓"',
        '"↓" if self.protocol.higher_is_better else "↑"',
        "leaderboard/test_store.py",
        "leaderboard/test_site.py",
    ),
)


def main() -> int:
    """Plant the mutants, print the survivors, and return the exit code."""
    given = _options()
    chosen = [m for m in MUTANTS if given.only in f"{m.file} {m.before} {m.after}"]
    with tempfile.TemporaryDirectory(prefix="mutants-") as scratch:
        copies = [_copy(Path(scratch) / str(number)) for number in range(given.jobs)]
        every = sorted({test for mutant in chosen for test in mutant.tests})
        if not given.no_baseline and not _tests_pass(copies[0], every, timeout=4 * TIMEOUT):
            print("the tests fail without any fault; make them pass first", file=sys.stderr)
            return 2
        with ThreadPoolExecutor(given.jobs) as pool:
            parts = [chosen[number :: given.jobs] for number in range(given.jobs)]
            jobs = [pool.submit(_run_all, part, copy) for part, copy in zip(parts, copies, strict=True)]
            outcomes = [outcome for job in jobs for outcome in job.result()]
    order = {mutant: number for number, mutant in enumerate(chosen)}
    outcomes.sort(key=lambda outcome: order[outcome.mutant])
    if given.json:
        print(json.dumps([asdict(outcome) for outcome in outcomes], indent=2))
    else:
        _print(outcomes)
    if any(outcome.verdict == "not planted" for outcome in outcomes):
        return 2
    return 1 if any(outcome.verdict == "survived" for outcome in outcomes) else 0


def _options() -> argparse.Namespace:
    form = partial(argparse.RawDescriptionHelpFormatter, width=110)
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=form)
    parser.add_argument("--only", default="", help="a word of the file or the text")
    parser.add_argument("--jobs", type=int, default=2, help="copies of the tree that are tested at a time")
    parser.add_argument("--no-baseline", action="store_true", help="take it that the tests pass as it is")
    parser.add_argument("--json", action="store_true", help="print JSON")
    return parser.parse_args()


def _copy(folder: Path) -> Path:
    """A copy of the tree, under the name of the package."""
    return Path(shutil.copytree(ROOT, folder / "refbench", ignore=LEFT_OUT, symlinks=True))


def _run_all(mutants: Sequence[Mutant], copy: Path) -> list[Outcome]:
    return [run_mutant(mutant, copy) for mutant in mutants]


def run_mutant(mutant: Mutant, copy: Path) -> Outcome:
    """Plant one mutant in ``copy``, run its tests, and take it out again."""
    start = time.monotonic()
    path = copy / mutant.file
    original = path.read_text("utf-8") if path.is_file() else ""
    absent = [test for test in mutant.tests if not (copy / test.partition("::")[0]).exists()]
    if original.count(mutant.before) != 1 or absent:
        return Outcome(mutant, "not planted", 0.0)
    path.write_text(original.replace(mutant.before, mutant.after), "utf-8")
    try:
        passed = _tests_pass(copy, mutant.tests)
    finally:
        path.write_text(original, "utf-8")
    verdict: Verdict = "survived" if passed else "noticed"
    outcome = Outcome(mutant, verdict, round(time.monotonic() - start, 1))
    print(f"{verdict} in {outcome.seconds} s: {mutant.file}: {mutant.after.strip()}", file=sys.stderr)
    return outcome


def _tests_pass(copy: Path, tests: Sequence[str], *, timeout: float = TIMEOUT) -> bool:
    """Whether the tests pass; an endless loop counts as noticed.

    Raises:
        RuntimeError: pytest found nothing to run, which says nothing of the mutant.
    """
    command = [sys.executable, "-B", "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", *tests]
    environment = os.environ | {"PYTHONPATH": str(copy.parent), "PYTHONDONTWRITEBYTECODE": "1"}
    try:
        done = subprocess.run(
            [*command, "-m", "not slow"], cwd=copy, env=environment, capture_output=True, timeout=timeout
        )
    except subprocess.TimeoutExpired:
        return False
    if done.returncode == 5:
        raise RuntimeError(f"no test was run: {' '.join(tests)}")
    return done.returncode == 0


def _print(outcomes: Sequence[Outcome]) -> None:
    print("| file | before | after | verdict | seconds |\n| --- | --- | --- | --- | --- |")
    for outcome in outcomes:
        before, after = (
            f"`{text.strip()}`" if text.strip() else "(nothing)"
            for text in (outcome.mutant.before, outcome.mutant.after)
        )
        print(f"| {outcome.mutant.file} | {before} | {after} | {outcome.verdict} | {outcome.seconds} |")
    counts = {v: sum(o.verdict == v for o in outcomes) for v in ("noticed", "survived", "not planted")}
    told = ", ".join(f"{count} {verdict}" for verdict, count in counts.items())
    print(f"\n{len(outcomes)} mutants: {told}")


if __name__ == "__main__":
    sys.exit(main())
