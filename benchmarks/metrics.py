"""How fast a submission is scored, beside the two ways people score today; the same images, weights, machine.

    python benchmarks/metrics.py --quick           # two images at 256x256, once
    python benchmarks/metrics.py --images 32       # steadier figures
    python benchmarks/metrics.py --memory          # peak memory at 100 and at 2,000 images

PSNR, SSIM, LPIPS on AlexNet and on VGG16, IDS and FID features of 512x512 images. Peer A is the way of a
published evaluation script: one image at a time, each metric its own object, a separate pass for FID. Peer B
is pyiqa, lpips and torch-fidelity in batches, files decoded by threads. The peers have a process of their own
with torch as it comes; ours runs as the command line does, with large pages for large tensors. Inception has
random weights where the published ones are absent. Rounds are taken in turn and the least time of each
counts; the end of FID, a matrix root, is left out everywhere. Exit code 1 when a goal falls short.
"""

from __future__ import annotations

import argparse
import io
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import redirect_stderr
from dataclasses import dataclass, replace
from functools import lru_cache, partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
import torch
from refbench.faces.align import FFHQ_512
from refbench.faces.recognisers.recognise import load_recogniser
from refbench.files import sha256_file
from refbench.images import read_rgb, write_png
from refbench.metrics.catalogue import select
from refbench.metrics.core.feature import Batch
from refbench.metrics.protocols import inception
from refbench.metrics.protocols.lpips import load_lpips
from refbench.metrics.scoring import engine
from refbench.metrics.scoring.engine import available_cores, deterministic
from refbench.metrics.scoring.score import Entry, score_many
from refbench.records.card import Card
from refbench.records.lq_set import LqInfo, write_info
from refbench.records.reference_set import ReferenceSet, SetInfo, Target, content_hash
from refbench.weights import weight_files
from report import Report, main

PROTOCOLS = (
    "psnr/rgb",
    "ssim/y-full@2",
    "lpips/alex-v0.1",
    "lpips/vgg-v0.1",
    "ids/mobilefacenet-5pt-v1",
    "fid/inception-tf-hq",
)
LARGE_PAGES = "THP_MEM_ALLOC_ENABLE"
CPU = torch.device("cpu")
DISTINCT = 100
POINTS = tuple((float(x), float(y)) for x, y in FFHQ_512)
OUTSIDE = "share outside the networks"
PEAK_OF = "--peak-of"
GOALS = {
    "ours over A": 1.6,
    "ours over B": 1.3,
    "ours, five together over A": 2.4,
    "ours, bfloat16 over A": 4.0,
    OUTSIDE: 0.08,
}


def measure(given: argparse.Namespace, report: Report) -> None:
    """Ours and the peers in turns on the same images; or peak memory."""
    count, rounds, size = (2, 1, 256) if given.quick else (given.images, given.rounds, 512)
    report.workload |= {"images": count, "size": size, "cores": available_cores(), "rounds": rounds}
    if given.memory:
        add_memory(report)
        return
    with tempfile.TemporaryDirectory() as scratch, random_inception(Path(scratch)):
        reference_set, folders = make_images(Path(scratch), count, submissions=5, size=size)
        left_out = ("ours over B", "ours, bfloat16 over A") if given.quick else ()
        for name in left_out:
            report.skip(name, "left out with --quick", goal=f"ratio >= {GOALS[name]}")
        times = run_in_turns(reference_set, folders, rounds, report=report, left_out=left_out)
        add_times(report, times, count)
        if not given.quick:
            for protocol, rate in each_alone(reference_set, folders).items():
                report.add(f"{protocol} alone", unit="images/s", ours=rate)


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--images", type=int, default=16, help="targets, 512x512; 2 with --quick")
    parser.add_argument("--rounds", type=int, default=3, help="1 with --quick")
    parser.add_argument("--memory", action="store_true", help="peak memory at 100 and 2,000 images")


def make_images(
    root: Path, count: int, submissions: int, *, size: int = 512
) -> tuple[ReferenceSet, list[Path]]:
    """A reference set of photo-like images, and damaged copies of them; from the hundredth on they recur."""
    generator = np.random.default_rng(0)
    points = tuple((x * size / 512, y * size / 512) for x, y in POINTS)
    targets, folders = [], [root / f"submission{index}" for index in range(submissions)]
    for index in range(count):
        key, twin = f"k{index:04d}", f"k{index % DISTINCT:04d}"
        if index < DISTINCT:
            coarse = torch.from_numpy(generator.uniform(0, 255, (1, 3, 16, 16)))
            large = torch.nn.functional.interpolate(coarse, (size, size), mode="bicubic")
            smooth = large[0].permute(1, 2, 0).numpy()
        for folder, noise in zip([root / "images", *folders], (2, 6, 7, 8, 9, 10), strict=False):
            if index < DISTINCT:
                pixels = np.clip(smooth + generator.normal(0, noise, smooth.shape), 0, 255)
                write_png(folder / f"{key}.png", pixels.astype(np.uint8))
            else:
                shutil.copyfile(folder / f"{twin}.png", folder / f"{key}.png")
        digest = sha256_file(root / "images" / f"{key}.png")
        other = (f"k{(index + 1) % count:04d}",)
        hq = f"images/{key}.png"
        targets.append(Target(key, "p0", "test", hq, digest, size, size, other, (0.2,), points))
    lq = LqInfo(
        origin="imported",
        recipe="none",
        recipe_id="none@1",
        fingerprint="",
        steps=None,
        seed=None,
        images=len(targets),
        lq_hash="0" * 64,
        versions={},
    )
    write_info(root / "lq" / "none", lq)
    named: dict[str, Any] = {"name": "bench", "content_hash": content_hash(targets), "image_size": size}
    info = SetInfo(**named, settings={}, versions={}, counts={})
    return ReferenceSet(root, info, tuple(targets)), folders


def random_inception(folder: Path) -> Any:
    """Inception's published weights, or random ones where they are absent."""
    if weight_files.find("inception-fid"):
        return patch.object(inception, "lru_cache", inception.lru_cache)
    from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3 as Network

    path = folder / "inception.pth"
    torch.save({}, path)
    with patch.object(Network, "load_state_dict", lambda self, state: None):
        torch.save(Network("x", ["2048"], feature_extractor_weights_path=path).state_dict(), path)
    real_find, real_path, real_digest = weight_files.find, weight_files.path, weight_files.digest
    replaced = {
        "find": lambda name: path if name == "inception-fid" else real_find(name),
        "path": lambda name: path if name == "inception-fid" else real_path(name),
        "digest": lambda name: "random" if name == "inception-fid" else real_digest(name),
    }
    return patch.multiple(weight_files, **replaced)


def ours(
    reference_set: ReferenceSet,
    folders: Sequence[Path],
    protocols: Sequence[str] = PROTOCOLS,
    *,
    precision: Any = "float32",
) -> None:
    entries = [
        Entry(
            "none", Card(model=folder.name), {t.key: folder / f"{t.key}.png" for t in reference_set.select()}
        )
        for folder in folders
    ]
    with redirect_stderr(io.StringIO()):
        score_many(reference_set, entries, protocols=protocols, precision=precision, device="cpu")


@lru_cache(maxsize=1)
def load_peers(inception_file: Path) -> dict[str, Any]:
    import pyiqa
    from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3

    return {
        "psnr": pyiqa.create_metric("psnr", device="cpu"),
        "ssim": pyiqa.create_metric("ssim", device="cpu"),
        "alex": load_lpips("alex", CPU).to(memory_format=torch.contiguous_format),
        "vgg": load_lpips("vgg", CPU).to(memory_format=torch.contiguous_format),
        "ids": load_recogniser("mobilefacenet"),
        "fid": FeatureExtractorInceptionV3("x", ["2048"], feature_extractor_weights_path=inception_file),
    }


def load_peers_only(inception_file: Path) -> None:
    """Load the peers in their process, while ours warms up in this one."""
    load_peers(inception_file)


def tensor(photos: Sequence[np.ndarray]) -> torch.Tensor:
    return torch.from_numpy(np.stack(photos).transpose(0, 3, 1, 2).copy()).float() / 255.0


@torch.inference_mode()
def peer_a(peers: dict[str, Any], reference_set: ReferenceSet, folder: Path) -> None:
    points = np.array(reference_set.targets[0].landmarks)[None]
    for target in reference_set.targets:
        photos = [
            read_rgb(path) for path in (folder / f"{target.key}.png", reference_set.hq_path(target.key))
        ]
        restored, hq = (tensor([photo]) for photo in photos)
        peers["psnr"](restored, hq)
        peers["ssim"](restored, hq)
        peers["alex"](restored, hq, normalize=True)
        peers["vgg"](restored, hq, normalize=True)
        for photo in photos:
            peers["ids"].embed([photo], points)
    for image_folder in (folder, reference_set.root / "images"):
        for path in sorted(image_folder.glob("*.png")):
            peers["fid"](torch.from_numpy(read_rgb(path).transpose(2, 0, 1).copy())[None])


@torch.inference_mode()
def peer_b(peers: dict[str, Any], reference_set: ReferenceSet, folder: Path, *, size: int = 4) -> None:
    keys = [target.key for target in reference_set.targets]
    with ThreadPoolExecutor(available_cores()) as pool:
        mine = list(pool.map(read_rgb, [folder / f"{key}.png" for key in keys]))
        true = list(pool.map(read_rgb, [reference_set.hq_path(key) for key in keys]))
    for start in range(0, len(keys), size):
        part = slice(start, start + size)
        restored, hq = tensor(mine[part]), tensor(true[part])
        peers["psnr"](restored, hq)
        peers["ssim"](restored, hq)
        peers["alex"](restored, hq, normalize=True)
        peers["vgg"](restored, hq, normalize=True)
        for photos in (mine[part], true[part]):
            peers["ids"].embed(photos, np.array([reference_set.targets[0].landmarks] * len(photos)))
            peers["fid"](torch.from_numpy(np.stack(photos).transpose(0, 3, 1, 2).copy()))


def run_peer(name: str, inception_file: Path, reference_set: ReferenceSet, *, folder: Path) -> float:
    """Run a peer in this process; CPU seconds."""
    peers = load_peers(inception_file)
    used = time.process_time()
    {"A": peer_a, "B": peer_b}[name](peers, reference_set, folder)
    return time.process_time() - used


@dataclass
class Times:
    """The least wall and CPU seconds of each run, and the share of ours outside the networks."""

    wall: dict[str, float]
    cpu: dict[str, float]
    outside: float = 1.0


def run_in_turns(
    reference_set: ReferenceSet,
    folders: Sequence[Path],
    rounds: int,
    *,
    report: Report,
    left_out: Sequence[str] = (),
) -> Times:
    """Every run once a round, but for those of the goals left out; a peer that is absent is skipped."""
    with ProcessPoolExecutor(1, get_context("spawn")) as peers:
        with patch.dict(os.environ, {LARGE_PAGES: "0"}):
            loading = peers.submit(load_peers_only, weight_files.path("inception-fid"))
        names: Sequence[str] = [name for name in "AB" if not left_out or name == "A"]
        try:
            loading.result()
        except ModuleNotFoundError as error:
            names = ()
            for name, goal in GOALS.items():
                if name != OUTSIDE:
                    report.skip(name, f"{error.name} is not installed", goal=f"ratio >= {goal}")
        return timed_runs(reference_set, folders, rounds, peers=peers, names=names, is_quick=bool(left_out))


def timed_runs(
    reference_set: ReferenceSet,
    folders: Sequence[Path],
    rounds: int,
    *,
    peers: ProcessPoolExecutor,
    names: Sequence[str],
    is_quick: bool = False,
) -> Times:
    one = folders[:1]
    inside = Stopwatch()
    first, second = reference_set.targets[:2]
    small = replace(reference_set, targets=(first, replace(second, references=())))

    def peer(name: str, chosen: ReferenceSet) -> float:
        wanted = (name, weight_files.path("inception-fid"), chosen)
        return peers.submit(run_peer, *wanted, folder=one[0]).result()

    runs: dict[str, Callable[[], float | None]] = {
        **{name: partial(peer, name, reference_set) for name in names},
        "ours": lambda: ours(reference_set, one),
        "ours, five together": lambda: ours(reference_set, folders),
        "the networks alone": networks_alone(reference_set, one[0]),
    }
    if not is_quick:
        runs["ours, bfloat16"] = lambda: ours(reference_set, one, precision="bfloat16")
        ours(small, one, precision="bfloat16")
    times = Times(dict.fromkeys(runs, float("inf")), dict.fromkeys(runs, float("inf")))
    ours(small, one)
    for name in () if is_quick else names:
        peer(name, replace(small, targets=(first,)))
    for _ in range(rounds):
        for name, run in runs.items():
            with inside.counting(name == "ours"):
                start, used = time.perf_counter(), time.process_time()
                elsewhere = run()
                spent = (time.process_time() - used) if elsewhere is None else elsewhere
            times.wall[name] = min(times.wall[name], time.perf_counter() - start)
            times.cpu[name] = min(times.cpu[name], spent)
            if name == "ours":
                times.outside = min(times.outside, 1.0 - inside.seconds / spent)
    return times


def add_times(report: Report, times: Times, count: int) -> None:
    """Seconds an image and submission of each run against each peer, and the goals."""
    images = {name: count * (5 if "five" in name else 1) for name in times.wall}
    wall = {name: seconds / images[name] for name, seconds in times.wall.items()}
    cpu = {name: seconds / images[name] for name, seconds in times.cpu.items()}
    for name, goal in GOALS.items():
        if name == OUTSIDE:
            title, figure = "ours, outside the networks, of CPU time", times.outside
            report.add(title, unit="share", ours=figure, goal=f"ours <= {goal}", judged_when_quick=False)
            continue
        mine, _, theirs = name.partition(" over ")
        if theirs in wall and mine in wall:
            report.add(
                f"{mine}, an image, against {theirs}",
                unit="s",
                ours=wall[mine],
                peer=wall[theirs],
                goal=f"ratio >= {goal}",
                judged_when_quick=False,
            )
    for name in wall:
        report.add(f"{name}, an image, CPU", unit="s", ours=cpu[name])
    report.add("the networks alone, an image", unit="s", ours=wall["the networks alone"])


class Stopwatch:
    """CPU seconds inside networks, over all threads."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def counting(self, wanted: bool) -> Any:
        """Count within this context, if wanted."""
        self.seconds = 0.0
        real = engine.Engine.extract

        def timed(this: Any, feature: Any, batch: Any) -> Any:
            batch.pixels  # noqa: B018  the conversion of pixels is not the network's time
            start = time.thread_time()
            result = real(this, feature, batch)
            if feature.name != "pixels":
                self.seconds += time.thread_time() - start
            return result

        return patch.object(engine.Engine, "extract", timed if wanted else real)


def networks_alone(reference_set: ReferenceSet, folder: Path) -> Callable[[], None]:
    """The forward passes of one submission and the HQ side on prepared batches: no scorer can be faster."""
    metrics = select(PROTOCOLS)
    features = {metric.feature.name: metric.feature for metric in metrics if metric.feature.name != "pixels"}
    loaded = [feature.load(CPU) for feature in features.values()]
    points = np.array(reference_set.targets[0].landmarks)[None]
    paths = [
        p for t in reference_set.targets for p in (reference_set.hq_path(t.key), folder / f"{t.key}.png")
    ]
    prepared = [Batch([read_rgb(path)], points, CPU) for path in paths]
    for batch in prepared:
        batch.pixels  # noqa: B018

    @torch.inference_mode()
    def forward(extract: Any, batch: Batch) -> None:
        extract(batch)

    def run() -> None:
        with deterministic(None) as pool:
            jobs = [pool.submit(forward, extract, batch) for batch in prepared for extract in loaded]
            for job in jobs:
                job.result()

    return run


def each_alone(reference_set: ReferenceSet, folders: Sequence[Path]) -> dict[str, float]:
    rates = {}
    for protocol in PROTOCOLS:
        ours(reference_set, folders[:1], [protocol])
        start = time.perf_counter()
        ours(reference_set, folders[:1], [protocol])
        rates[protocol] = round(len(reference_set.targets) / (time.perf_counter() - start), 2)
    return rates


def add_memory(report: Report) -> None:
    """Peak memory in processes of their own: 2,000 images may need a tenth more than 100."""
    peaks = {}
    for count in (100, 2000):
        command = [sys.executable, __file__, PEAK_OF, str(count)]
        done = subprocess.run(command, check=True, capture_output=True, text=True, env=os.environ)
        peaks[count] = float(done.stdout)
        report.add(f"peak memory, {count} images", unit="MiB", ours=peaks[count])
    grown = peaks[2000] / peaks[100]
    report.add("peak memory, 2,000 images over 100", unit="times", ours=grown, goal="ours <= 1.1")


def print_peak(count: int) -> None:
    with tempfile.TemporaryDirectory() as scratch:
        reference_set, folders = make_images(Path(scratch), count, submissions=1)
        ours(reference_set, folders, ("psnr/rgb", "ssim/y-full@2", "lpips/alex-v0.1", "fd/alexnet-relu5-v1"))
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)


if __name__ == "__main__":
    if LARGE_PAGES not in os.environ:
        os.execve(sys.executable, [sys.executable, *sys.argv], os.environ | {LARGE_PAGES: "1"})
    if sys.argv[1:2] == [PEAK_OF]:
        sys.exit(print_peak(int(sys.argv[2])))
    sys.exit(main(measure, __doc__, arguments))
