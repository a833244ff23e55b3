"""How fast faces are found, aligned and embedded, how much of it is outside the networks, and a peer.

    python benchmarks/faces.py [--photos FOLDER] [--threads N] [--pack FOLDER] [--quick] [--json]

Every photo is decoded, its faces found, the largest aligned to 512 pixels and embedded, one after the other.
*align + embed* leaves finding out. Time inside a network is that between its call and its return.

- `mobilefacenet`: the embedded recogniser.
- `webface-r50`: the papers'. Where its file is absent, an IResNet-50 with random weights stands in: as fast.
- `FaceAnalysis`: insightface's own pipeline on the same photos and threads, where ``--pack`` names a folder
  of its networks (a detector and a recogniser, ONNX).

Without ``--photos``, scikit-image's face at 250, 512 and 1024 pixels. Exit code 1 if more than 15 % of
align + embed by `webface-r50` is outside the networks. On one thread, times are of that thread's processor
time, which a busy machine disturbs least; else they are wall time.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from refbench.faces.align import align_face
from refbench.faces.detectors.detect import MTCNN, choose_face, find_faces, load_detector
from refbench.faces.recognisers.recognise import RECOGNISERS, Recogniser, load_recogniser
from refbench.faces.recognisers.registry import custom_recogniser
from refbench.images import find_photos, read_rgb, write_png
from refbench.weights import weight_files
from report import Report, main
from torch import Tensor, nn

GOAL = 0.15
STAGES = ("decode", "find", "align", "embed")


@dataclass
class Clock:
    """Seconds per stage, and how many of them were inside a network."""

    now: Callable[[], float]
    spent: dict[str, float] = field(default_factory=lambda: dict.fromkeys(STAGES, 0.0))
    inside: dict[str, float] = field(default_factory=lambda: dict.fromkeys(STAGES, 0.0))
    stage: str = ""
    entered: float = 0.0

    def watch(self, network: nn.Module) -> None:
        """Count the time between a network's call and its return."""
        network.register_forward_pre_hook(lambda *_: setattr(self, "entered", self.now()))
        network.register_forward_hook(lambda *_: self._left())

    def run(self, stage: str, work: Callable[[], Any]) -> Any:
        """Do a stage's work."""
        self.stage, start = stage, self.now()
        result = work()
        self.spent[stage] += self.now() - start
        return result

    def outside(self, *stages: str) -> float:
        """Share of the time of some stages that was outside the networks."""
        return 1.0 - sum(self.inside[s] for s in stages) / sum(self.spent[s] for s in stages)

    def _left(self) -> None:
        self.inside[self.stage] += self.now() - self.entered


class Block(nn.Module):
    """The residual block of ArcFace's IResNet."""

    def __init__(self, before: int, after: int, stride: int) -> None:
        super().__init__()
        self.way = nn.Sequential(
            nn.BatchNorm2d(before),
            nn.Conv2d(before, after, 3, 1, 1, bias=False),
            nn.BatchNorm2d(after),
            nn.PReLU(after),
            nn.Conv2d(after, after, 3, stride, 1, bias=False),
            nn.BatchNorm2d(after),
        )
        self.short = nn.Identity()
        if stride > 1:
            self.short = nn.Sequential(nn.Conv2d(before, after, 1, stride, bias=False), nn.BatchNorm2d(after))

    def forward(self, x: Tensor) -> Tensor:
        """Pictures (B, C, H, W) through both ways."""
        result: Tensor = self.way(x) + self.short(x)
        return result


def iresnet50() -> nn.Module:
    """IResNet-50 for 112-pixel crops with random weights."""
    torch.manual_seed(0)
    layers: list[nn.Module] = [nn.Conv2d(3, 64, 3, 1, 1, bias=False), nn.BatchNorm2d(64), nn.PReLU(64)]
    before = 64
    for after, blocks in ((64, 3), (128, 4), (256, 14), (512, 3)):
        layers += [Block(before if n == 0 else after, after, 2 if n == 0 else 1) for n in range(blocks)]
        before = after
    head = (nn.BatchNorm2d(512), nn.Flatten(), nn.Linear(512 * 49, 512), nn.BatchNorm1d(512))
    return nn.Sequential(*layers, *head).eval()


def stand_in(folder: Path) -> Recogniser:
    """`webface-r50` with random weights."""
    path = folder / "iresnet50.pt"
    torch.jit.trace(iresnet50(), torch.zeros(1, 3, 112, 112)).save(str(path))
    return load_recogniser(custom_recogniser(path, crop=RECOGNISERS["webface-r50"].crop.name))


def pipeline(paths: Sequence[Path], recogniser: Recogniser, threads: int, *, rounds: int) -> dict[str, float]:
    """Milliseconds per stage and photo, the best of the rounds; rates, and shares outside the networks."""
    best: Clock | None = None
    detector: Any = load_detector(MTCNN)
    clock = Clock(time.thread_time if threads == 1 else time.perf_counter)
    for network in (detector.proposal, detector.refinement, detector.output, recogniser.module):
        clock.watch(network)
    for _ in range(rounds):
        clock.spent, clock.inside = dict.fromkeys(STAGES, 0.0), dict.fromkeys(STAGES, 0.0)
        for path in paths:
            once(path, detector, recogniser, clock=clock)
        if best is None or sum(clock.spent.values()) < sum(best.spent.values()):
            best = Clock(clock.now, clock.spent, clock.inside)
    assert best is not None
    told = {f"{stage} ms": 1000 * best.spent[stage] / len(paths) for stage in STAGES}
    for name, stages in {"align + embed": STAGES[2:], "find + align + embed": STAGES[1:]}.items():
        told[f"{name} per second"] = len(paths) / sum(best.spent[stage] for stage in stages)
        told[f"{name} outside networks"] = best.outside(*stages)
    return told


def once(path: Path, detector: Any, recogniser: Recogniser, *, clock: Clock) -> None:
    photo = clock.run("decode", lambda: read_rgb(path))
    faces = clock.run("find", lambda: find_faces(detector, photo))
    if not faces:
        raise SystemExit(f"{path}: no face was found; name photos of faces")
    face = choose_face(faces, photo)
    aligned = clock.run("align", lambda: align_face(photo, face.landmarks))
    clock.run("embed", lambda: recogniser.embed([aligned.pixels], aligned.landmarks[None]))


def face_analysis(paths: Sequence[Path], pack: Path, threads: int, *, rounds: int) -> float:
    """insightface's own pipeline: find + align + embed, photos a second."""
    import onnxruntime
    from insightface.app import FaceAnalysis

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    app = FaceAnalysis(
        name=str(pack),
        allowed_modules=["detection", "recognition"],
        providers=["CPUExecutionProvider"],
        session_options=options,
    )
    app.prepare(ctx_id=-1)
    photos = [np.ascontiguousarray(read_rgb(path)[..., ::-1]) for path in paths]
    best = float("inf")
    for _ in range(rounds):
        start = time.process_time() if threads == 1 else time.perf_counter()
        for photo in photos:
            app.get(photo, max_num=1)
        best = min(best, (time.process_time() if threads == 1 else time.perf_counter()) - start)
    return len(paths) / best


def samples(folder: Path) -> list[Path]:
    """scikit-image's face, shifted a little, at three sizes."""
    from skimage.data import astronaut

    photo, paths = np.asarray(astronaut(), dtype=np.uint8), []
    for size in (250, 512, 1024):
        for shift in range(4):
            moved = np.roll(photo, 6 * shift, axis=1)
            method = cv2.INTER_AREA if size < 512 else cv2.INTER_CUBIC
            paths.append(folder / f"{size}-{shift}.png")
            write_png(paths[-1], np.asarray(cv2.resize(moved, (size, size), interpolation=method)))
    return paths


def measure(given: argparse.Namespace, report: Report) -> None:
    """The pipeline by each recogniser, and insightface's own where its networks are given."""
    warnings.simplefilter("ignore", FutureWarning)
    torch.set_num_threads(given.threads)
    cv2.setNumThreads(given.threads)
    rounds, most = (1, 4) if given.quick else (3, 60)
    with tempfile.TemporaryDirectory() as work:
        paths = find_photos(given.photos) if given.photos else samples(Path(work))
        paths = paths[:: max(1, len(paths) // most)][:most]
        report.workload |= {"photos": len(paths), "threads": given.threads, "rounds": rounds}
        there = weight_files.find("webface-r50") is not None
        papers = "webface-r50" if there else "webface-r50, random weights"
        rates = {}
        for name in ("mobilefacenet", papers):
            with report.skipping(name):
                recogniser = stand_in(Path(work)) if "random" in name else load_recogniser(name)
                told = pipeline(paths, recogniser, given.threads, rounds=rounds)
                rates[name] = told["find + align + embed per second"]
                for figure, value in told.items():
                    add(report, name, figure, value=value, judged=name == papers)
        name = "find + align + embed, against insightface's FaceAnalysis"
        if given.pack is None:
            report.skip(name, "no networks are named; --pack FOLDER", unit="photos/s")
        else:
            with report.skipping(name, unit="photos/s"):
                peer = face_analysis(paths, given.pack, given.threads, rounds=rounds)
                report.add(name, unit="photos/s", better="higher", ours=rates["mobilefacenet"], peer=peer)


def add(report: Report, recogniser: str, figure: str, *, value: float, judged: bool) -> None:
    """One row of a recogniser; the share of align + embed outside the networks has the goal."""
    if figure.endswith("outside networks"):
        goal = f"ours <= {GOAL}" if judged and not figure.startswith("find") else None
        report.add(f"{recogniser}: {figure}", unit="share", ours=value, goal=goal, judged_when_quick=False)
    elif figure.endswith("per second"):
        report.add(f"{recogniser}: {figure.removesuffix(' per second')}", unit="photos/s", ours=value)
    else:
        report.add(f"{recogniser}: {figure.removesuffix(' ms')}", unit="ms", ours=value)


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--photos", type=Path, help="up to 60 photos of faces, spread over this folder")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--pack", type=Path, help="folder of insightface's networks")


if __name__ == "__main__":
    sys.exit(main(measure, __doc__, arguments))
