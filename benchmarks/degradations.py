"""How fast LQ is made at 512x512, beside the plain way, and where the time of a whole run goes.

    python benchmarks/degradations.py [--quick] [--json] [--photos FOLDER]

The plain way is a 41x41 `cv2.filter2D` in float64 over the whole picture, then `cv2.resize`, noise, JPEG and
`cv2.resize`, as it is usually written. Both ways carry out the same draws on the same pictures in turns, on
one thread; each time is the least of the repeats, in seconds of that thread's CPU time, which a busy machine
disturbs least. The whole run is `synthesise_lq`: read and decode, degrade, encode PNG, write.

Exit code 1 when a goal falls short: 4 times the plain way for refldm-severe, 2.5 times for refldm-moderate,
99.9 % of the values within one level of it, no more than half of the time in PNG encoding, and six
tenths of a core's rate for each further core.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

import cv2
import numpy as np
from refbench.degradations.engine.degrade import apply_plan
from refbench.degradations.engine.parallel import single_threaded
from refbench.degradations.lq.synthesise import synthesise_lq
from refbench.degradations.operations.blurring import blur_kernel
from refbench.degradations.recipes.lookup import load_recipe
from refbench.degradations.recipes.plan import Plan, make_plan
from refbench.images import RGB, encode_png, find_photos, read_rgb, write_png
from report import Report, main

SIZE = 512
GOALS = {"refldm-severe": 4.0, "refldm-moderate": 2.5}
WITHIN_ONE_LEVEL = 0.999
PNG_SHARE = 0.5
SCALING = 0.6


@dataclass(frozen=True)
class Pairs:
    """Ours and the plain way over the same draws, in images a second, and how near they are."""

    plain: float
    ours: float
    within_one_level: float


@dataclass(frozen=True)
class Run:
    """A whole run of `synthesise_lq`: images a second, and CPU milliseconds of each part per image."""

    one_worker: float
    all_workers: float
    workers: int
    milliseconds: dict[str, float]

    @property
    def png_share(self) -> float:
        """Share of the CPU time that goes into PNG encoding."""
        return self.milliseconds["encode PNG"] / sum(self.milliseconds.values())


def measure(given: argparse.Namespace, report: Report) -> None:
    """Both ways on the same draws, then the whole run."""
    draws, repeats, images = (12, 2, 16) if given.quick else (150, 3, 160)
    pictures = read_pictures(given.photos)
    report.workload |= {"size": SIZE, "draws": draws, "images": images}
    with single_threaded():
        for name, goal in GOALS.items():
            pair = compare(name, pictures, draws, repeats=repeats)
            report.add(
                f"degrade, {name}, against the plain way",
                unit="images/s",
                better="higher",
                ours=pair.ours,
                peer=pair.plain,
                goal=f"ratio >= {goal:g}",
                judged_when_quick=False,
            )
            share = pair.within_one_level
            title = f"{name}, values within one level of the plain way"
            report.add(title, unit="share", ours=share, goal=f"ours >= {WITHIN_ONE_LEVEL}")
        for setting, told in png_settings(pictures).items():
            for unit, figure in told.items():
                report.add(f"PNG encoder, {setting}", unit=unit, ours=figure)
    for name in GOALS:
        run = whole_run(name, pictures, images)
        report.add(f"whole run, {name}, one worker", unit="images/s", ours=run.one_worker)
        report.add(f"whole run, {name}, {run.workers} workers", unit="images/s", ours=run.all_workers)
        for part, milliseconds in run.milliseconds.items():
            report.add(f"whole run, {name}, {part}", unit="ms", ours=milliseconds)
        report.add(f"{name}, PNG encoding", unit="share", ours=run.png_share, goal=f"ours <= {PNG_SHARE}")
        report.add(
            f"{name}, {run.workers} workers against one",
            unit="images/s",
            better="higher",
            ours=run.all_workers,
            peer=run.one_worker,
            goal=f"ratio >= {1 + SCALING * (run.workers - 1):g}",
            judged_when_quick=False,
        )


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--photos", type=Path, help="pictures to use instead of scikit-image's face")


def read_pictures(folder: Path | None) -> list[RGB]:
    """Up to eight pictures, the middle square of each at 512x512."""
    if folder is not None:
        photos = [read_rgb(path) for path in find_photos(folder)[:8]]
    else:
        from skimage.data import astronaut

        photos = [np.asarray(astronaut(), dtype=np.uint8)]
    return [middle_square(photo) for photo in photos]


def middle_square(photo: RGB) -> RGB:
    side = min(photo.shape[:2])
    top, left = ((length - side) // 2 for length in photo.shape[:2])
    square = np.ascontiguousarray(photo[top : top + side, left : left + side])
    return np.asarray(cv2.resize(square, (SIZE, SIZE), interpolation=cv2.INTER_AREA), dtype=np.uint8)


def compare(name: str, pictures: list[RGB], draws: int, *, repeats: int) -> Pairs:
    recipe = load_recipe(name)
    plain_seconds = ours_seconds = 0.0
    near: list[float] = []
    for number in range(draws):
        hq = pictures[number % len(pictures)]
        plan = make_plan(recipe, 0, str(number))
        theirs, ours = [], []
        for _ in range(repeats):
            seconds, expected = timed(lambda hq=hq, plan=plan: plain_way(hq, plan))
            theirs.append(seconds)
            seconds, got = timed(lambda hq=hq, plan=plan: apply_plan(hq, plan))
            ours.append(seconds)
        plain_seconds += min(theirs)
        ours_seconds += min(ours)
        near.append(float((np.abs(expected.astype(np.int16) - got) <= 1).mean()))
    return Pairs(draws / plain_seconds, draws / ours_seconds, float(np.mean(near)))


def timed(work: Callable[[], RGB]) -> tuple[float, RGB]:
    start = time.thread_time()
    result = work()
    return time.thread_time() - start, result


def plain_way(hq: RGB, plan: Plan) -> RGB:
    values: dict[str, Mapping[str, Any]] = {step.operation.name: step.values for step in plan.steps}
    image = hq[..., ::-1] / 255.0
    image = cv2.filter2D(image, -1, blur_kernel(values["blur"]), borderType=cv2.BORDER_REFLECT_101)
    height, width = (int(length // values["downscale"]["by"]) for length in hq.shape[:2])
    image = cv2.resize(image, (width, height), interpolation=cv2.INTER_LINEAR)
    normal = plan.draw.generator("gaussian_noise").standard_normal(image.shape, dtype=np.float32)
    image = np.clip(image + normal * values["gaussian_noise"]["sigma"] / 255.0, 0.0, 1.0)
    quality = [cv2.IMWRITE_JPEG_QUALITY, int(values["jpeg"]["quality"])]
    encoded = cv2.imencode(".jpg", np.rint(image * 255.0).astype(np.uint8), quality)[1]
    image = cv2.imdecode(encoded, cv2.IMREAD_COLOR) / 255.0
    image = cv2.resize(image, hq.shape[1::-1], interpolation=cv2.INTER_LINEAR)
    rounded = np.clip(np.rint(image * 255.0), 0, 255).astype(np.uint8)
    return np.ascontiguousarray(rounded[..., ::-1])


def whole_run(name: str, pictures: list[RGB], images: int) -> Run:
    recipe = load_recipe(name)
    cores = os.cpu_count() or 1
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        paths = {}
        for number in range(images):
            path = root / f"hq{number % len(pictures)}.png"
            if not path.exists():
                write_png(path, pictures[number % len(pictures)])
            paths[f"{number:05}"] = path
        best = {1: 0.0, cores: 0.0}
        for turn in range(3):
            for workers in best:
                start = time.perf_counter()
                synthesise_lq(paths, recipe, root / f"lq{workers}-{turn}", seed=0, workers=workers)
                best[workers] = max(best[workers], images / (time.perf_counter() - start))
        return Run(best[1], best[cores], cores, parts(recipe.name, paths, root))


def parts(name: str, paths: Mapping[str, Path], root: Path) -> dict[str, float]:
    """Milliseconds of CPU time per image and part of the work, medians over up to 32 images."""
    recipe = load_recipe(name)
    seconds: dict[str, list[float]] = {"read and decode": [], "degrade": [], "encode PNG": [], "write": []}

    def note(part: str, start: float) -> float:
        now = time.thread_time()
        seconds[part].append(now - start)
        return now

    with single_threaded():
        for key, path in list(paths.items())[:32]:
            now = time.thread_time()
            hq = read_rgb(path)
            now = note("read and decode", now)
            lq = apply_plan(hq, make_plan(recipe, 0, key))
            now = note("degrade", now)
            data = encode_png(lq)
            now = note("encode PNG", now)
            (root / "written.png").write_bytes(data)
            note("write", now)
    return {part: 1000 * median(measured) for part, measured in seconds.items()}


def png_settings(pictures: list[RGB]) -> dict[str, dict[str, float]]:
    """Milliseconds and kilobytes of one severe LQ picture under settings of OpenCV's PNG encoder."""
    lq = [apply_plan(pictures[0], make_plan(load_recipe("refldm-severe"), 0, str(n))) for n in range(8)]
    settings: dict[str, list[int]] = {
        f"level {level}": [cv2.IMWRITE_PNG_COMPRESSION, level] for level in (0, 1, 3, 6)
    }
    told = {"used": {"milliseconds": [], "kilobytes": []}} | {
        s: {"milliseconds": [], "kilobytes": []} for s in settings
    }
    for picture in lq:
        for setting, flags in {"used": None, **settings}.items():
            start = time.thread_time()
            data = (
                encode_png(picture) if flags is None else cv2.imencode(".png", picture[..., ::-1], flags)[1]
            )
            told[setting]["milliseconds"].append(1000 * (time.thread_time() - start))
            told[setting]["kilobytes"].append(len(data) / 1000)
    return {name: {unit: median(numbers) for unit, numbers in of.items()} for name, of in told.items()}


if __name__ == "__main__":
    sys.exit(main(measure, __doc__, arguments))
