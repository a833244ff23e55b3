"""What a board of 50 models x 857 images weighs, takes to publish, and needs until its first sort.

    python benchmarks/site.py [--models 50] [--images 857] [--people 150] [--pictures]

Records are made up. The weight of a page is what a browser reads to show it, before any picture. Times to
show and to sort are taken inside Chromium where it is present. ``--pictures`` adds drawn faces of 12 people
to see that pictures do not weigh on the pages.
"""

from __future__ import annotations

import argparse
import json
import resource
import shutil
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from refbench.leaderboard.example import write_example
from refbench.leaderboard.publish import publish_site
from refbench.leaderboard.store import Store
from refbench.leaderboard.synthetic import People, make_records
from refbench.metrics.catalogue import OFFLINE, PROTOCOLS

GOAL = 300_000
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


def time_browser(site: Path) -> dict[str, Any]:
    """Milliseconds until the front page is shown and until a click has sorted its table."""
    path = shutil.which("chromium") or shutil.which("google-chrome")
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        path = None
    if path is None:
        return {"browser": "none"}
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=list(CHROMIUM))
        page = browser.new_page(viewport={"width": 1280, "height": 900})
        page.goto((site / "index.html").resolve().as_uri())
        entry = page.evaluate("performance.getEntriesByType('navigation')[0].toJSON()")
        sorts = sorted(page.evaluate(SORT) for _ in range(5))
        browser.close()
    return {"shown_ms": round(entry["loadEventEnd"]), "sorted_ms": round(sorts[2], 1)}


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--models", type=int, default=50)
    parser.add_argument("--images", type=int, default=857)
    parser.add_argument("--people", type=int, default=150)
    parser.add_argument("--pictures", action="store_true")
    given = parser.parse_args()
    declared = {name: PROTOCOLS[name] for name in OFFLINE}
    with tempfile.TemporaryDirectory() as scratch:
        root = Path(scratch)
        store, sets, submissions = Store(root / "store"), [], []
        if given.pictures:
            store, chosen, submissions = write_example(root, declared, given.models, 12, 512)
            sets = [chosen]
        else:
            for record in make_records(declared, given.models, People.make(given.images, given.people)):
                store.add(record)
        start, busy = time.monotonic(), time.process_time()
        site = publish_site(store, root / "site", sets, submissions).parent
        result = {
            "models": given.models,
            "images": given.images,
            "benchmarks": 2,
            "publish_seconds": round(time.monotonic() - start, 1),
            "publish_cpu_seconds": round(time.process_time() - busy, 1),
            "peak_memory_mib": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024),
            **weigh(site),
            **time_browser(site),
        }
    print(json.dumps(result, indent=2))
    return int(result["front_page"] > GOAL)


if __name__ == "__main__":
    sys.exit(main())
