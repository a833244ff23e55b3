"""What a board of 50 models x 857 images weighs, takes to publish, and needs until its first sort.

    python benchmarks/site.py [--models 50] [--images 857] [--people 150] [--pictures] [--quick] [--json]

Records are made up. The weight of a page is what a browser reads to show it, before any picture. Times to
show and to sort are taken inside Chromium where it is present. ``--pictures`` adds drawn faces of 12 people
to see that pictures do not weigh on the pages.

The peer is scipy: intervals of all means by ``stats.bootstrap`` over people and p values of all pairs by
``stats.permutation_test``, with the draws that Holm's correction needs; ours are closed forms, which draw
nothing. A few are timed, and the rest is counted as the same. Exit code 1 when a goal falls short;
``--quick`` is a smaller board, under the same goals but the peer's.
"""

from __future__ import annotations

import argparse
import resource
import shutil
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd
from refbench.leaderboard.examples.example import write_example
from refbench.leaderboard.examples.synthetic import SyntheticImages, make_synthetic_records
from refbench.leaderboard.site.publish import publish_site
from refbench.leaderboard.statistics.ranking import make_board
from refbench.leaderboard.store.settings import BoardSettings
from refbench.leaderboard.store.store import Store
from refbench.metrics.catalogue import OFFLINE, PROTOCOLS
from report import Report, main
from scipy import stats

FASTER = 10.0
DRAWS = 9_999
CHROMIUM = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
)
SORT = """() => {
  const button = document.querySelector('.benchmark:not([hidden]) th[data-c="0"] button');
  const start = performance.now(); button.click(); document.body.offsetHeight;
  return performance.now() - start;
}"""


def weigh(site: Path) -> dict[str, int]:
    """Bytes of the front page with its style, script and fonts, and of the whole site by kind."""
    front = [site / "index.html", *(site / "assets" / name for name in ("site.css", "site.js", "icon.svg"))]
    fonts = list((site / "assets").glob("*.woff2"))
    kinds = {
        "models": "models/*",
        "downloads": "downloads/**/*",
        "records": "records/**/*",
        "pictures": "pictures/**/*",
    }
    sizes = {
        name: sum(p.stat().st_size for p in site.glob(pattern) if p.is_file())
        for name, pattern in kinds.items()
    }
    return {
        "front_page": sum(path.stat().st_size for path in [*front, *fonts]),
        "of_that_fonts": sum(path.stat().st_size for path in fonts),
        "largest_model_page": max((path.stat().st_size for path in site.glob("models/*.html")), default=0),
        **{f"all_{name}": size for name, size in sizes.items()},
    }


def time_browser(site: Path) -> tuple[float, float]:
    """Milliseconds until the front page is shown and until a click has sorted its table."""
    from playwright.sync_api import sync_playwright

    path = shutil.which("chromium") or shutil.which("google-chrome")
    if path is None:
        raise FileNotFoundError("no Chromium on this machine")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=list(CHROMIUM))
        page = browser.new_page(viewport={"width": 1280, "height": 900})
        page.goto((site / "index.html").resolve().as_uri())
        entry = page.evaluate("performance.getEntriesByType('navigation')[0].toJSON()")
        sorts = sorted(page.evaluate(SORT) for _ in range(5))
        browser.close()
    return entry["loadEventEnd"], sorts[2]


def time_statistics(store: Store) -> float:
    """CPU seconds of ours: means with intervals, all pairs, groups, of all tables."""
    start = time.process_time()
    make_board(store.stored(), PROTOCOLS, BoardSettings())
    return time.process_time() - start


def time_peer(store: Store, times: int = 4) -> float:
    """CPU seconds that scipy would need for the same intervals and pairs, from ``times`` of each."""
    stored = store.stored()
    tables = len({entry.track for entry in stored})
    models = len(stored) // tables
    pairs = models * (models - 1) // 2
    swaps = max(DRAWS, 50 * pairs - 1)
    table = make_board(stored[:2], PROTOCOLS, BoardSettings()).tables[0]
    column = next(iter(table.values))
    values = np.asarray(table.values[column], dtype=np.float64)
    people = pd.Series([table.identity_of[key] for key in table.keys])
    sums = [pd.Series(values[:, i]).groupby(people).sum().to_numpy() for i in (0, 1)]
    counts = people.groupby(people).size().to_numpy().astype(np.float64)

    def mean(total: np.ndarray, count: np.ndarray, axis: int) -> np.ndarray:
        return np.asarray(total.sum(axis=axis) / count.sum(axis=axis))

    def gap(difference: np.ndarray, axis: int) -> np.ndarray:
        return np.asarray(difference.sum(axis=axis))

    start = time.process_time()
    for _ in range(times):
        stats.bootstrap((sums[0], counts), mean, paired=True, n_resamples=DRAWS, method="basic")
    interval = (time.process_time() - start) / times
    start = time.process_time()
    for _ in range(times):
        stats.permutation_test(
            (sums[0] - sums[1],), gap, permutation_type="samples", n_resamples=swaps, vectorized=True
        )
    pair = (time.process_time() - start) / times
    return tables * len(table.values) * (models * interval + pairs * pair)


def measure(given: argparse.Namespace, report: Report) -> None:
    """Publish a board of made-up records and weigh it."""
    if given.quick:
        given.models, given.images, given.people = 8, 100, 20
    declared = {name: PROTOCOLS[name] for name in OFFLINE}
    report.workload |= {"models": given.models, "images": given.images, "pictures": given.pictures}
    with tempfile.TemporaryDirectory() as scratch:
        root = Path(scratch)
        store, sets, submissions = Store(root / "store"), [], []
        if given.pictures:
            store, chosen, submissions = write_example(root, declared, given.models, identities=12, size=512)
            sets = [chosen]
        else:
            for record in make_synthetic_records(
                declared, given.models, SyntheticImages.make(given.images, given.people)
            ):
                store.add(record)
        start, busy = time.monotonic(), time.process_time()
        site = publish_site(store, root / "site", sets, submissions=submissions).parent
        wall, busy = time.monotonic() - start, time.process_time() - busy
        memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        sizes = weigh(site)
        report.add("front page", unit="bytes", ours=sizes.pop("front_page"), goal="ours <= 300000")
        for name, size in sizes.items():
            report.add(name.replace("_", " "), unit="bytes", ours=size)
        with report.skipping("front page shown", unit="ms", goal="ours <= 1000"):
            shown, sort = time_browser(site)
            report.add("front page shown", unit="ms", ours=shown, goal="ours <= 1000")
            report.add("first sort", unit="ms", ours=sort, goal="ours <= 100")
        report.add("publish, processor", unit="s", ours=busy, goal="ours <= 30")
        report.add("publish, wall", unit="s", ours=wall)
        report.add("peak memory", unit="MiB", ours=memory, goal="ours <= 1024")
        report.add(
            "statistics, processor, against scipy",
            unit="s",
            ours=time_statistics(store),
            peer=time_peer(store, 2 if given.quick else 4),
            goal=f"ratio >= {FASTER:g}",
            judged_when_quick=False,
        )


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--models", type=int, default=50, help="8 with --quick")
    parser.add_argument("--images", type=int, default=857, help="100 with --quick")
    parser.add_argument("--people", type=int, default=150, help="20 with --quick")
    parser.add_argument("--pictures", action="store_true", help="with drawn faces of 12 people")


if __name__ == "__main__":
    sys.exit(main(measure, __doc__, arguments))
