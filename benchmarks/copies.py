"""Are copies found that were stored again, and are honest restorations left alone?

    python benchmarks/copies.py [SET] [--recipe refldm-severe] [--images 24] [--quick] [--json]

Outputs are made of the set's own images: LQ, HQ, the first reference and a restoration (half of what is
missing is brought) are stored again in eighteen ways, and each must be told as a copy of what it is;
restorations must not. The share of outputs that are told is printed; from a quarter on, a submission is
flagged. Without a goal are light filters that bring nothing, told where they change next to nothing, and
formats so lossy that they take noise away as a restoration does. Exit code 1 when a goal falls short: a
quarter of the copies, at most an eighth of the restorations.
"""

from __future__ import annotations

import argparse
import io
import sys
import tempfile
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path

import cv2
import numpy as np
import torch
from inputs import sample_set
from PIL import Image
from refbench.images import RGB, read_rgb, to_uint8, write_png
from refbench.leaderboard.integrity.copies import MIN_COPY_SHARE, find_copies
from refbench.models.checkpoints.registry import load_restorer
from refbench.models.restorers.baselines import Classical
from refbench.records.reference_set import ReferenceSet
from report import Report, main

Change = Callable[[RGB], RGB]
FOUND = MIN_COPY_SHARE
ACCUSED = MIN_COPY_SHARE / 2
LOSSY = ("JPEG 50", "WebP 60")


def stored(kind: str, quality: int) -> Change:
    """Through a lossy format."""

    def change(pixels: RGB) -> RGB:
        held = io.BytesIO()
        Image.fromarray(pixels).save(held, kind, quality=quality)
        return np.array(Image.open(held).convert("RGB"))

    return change


def resized(factor: float) -> Change:
    """Made smaller and large again."""

    def change(pixels: RGB) -> RGB:
        height, width = pixels.shape[:2]
        small = cv2.resize(
            pixels, (round(width * factor), round(height * factor)), interpolation=cv2.INTER_AREA
        )
        return np.asarray(cv2.resize(small, (width, height), interpolation=cv2.INTER_CUBIC))

    return change


def blurred(sigma: float) -> Change:
    """Blurred by a Gaussian."""
    return lambda pixels: np.asarray(cv2.GaussianBlur(pixels, (0, 0), sigma))


def noisy(sigma: float) -> Change:
    """With white noise."""
    return lambda pixels: level(pixels + np.random.default_rng(0).normal(0, sigma, pixels.shape))


def level(values: np.ndarray) -> RGB:
    """Rounded to 8 bits."""
    return np.clip(np.rint(values), 0, 255).astype(np.uint8)


def sharpened(amount: float, sigma: float) -> Change:
    """Unsharp masking."""
    return lambda p: level(p + amount * (p.astype(np.float32) - cv2.GaussianBlur(p, (0, 0), sigma)))


def mini(lq: RGB, hq: RGB) -> RGB:
    """By the bundled latent diffusion model."""
    image = torch.from_numpy(lq.copy()).permute(2, 0, 1)[None].float() / 255
    restored = loaded("ldm-mini").restore(image, [image[:0]], [torch.Generator().manual_seed(0)])
    return to_uint8(restored[0].permute(1, 2, 0).numpy())


loaded = cache(load_restorer)

AGAIN: Mapping[str, Change] = {
    "JPEG 95": stored("JPEG", 95),
    "JPEG 85": stored("JPEG", 85),
    "JPEG 75": stored("JPEG", 75),
    "JPEG 50": stored("JPEG", 50),
    "WebP 95": stored("WEBP", 95),
    "WebP 80": stored("WEBP", 80),
    "WebP 60": stored("WEBP", 60),
    "resized by 0.9 and back": resized(0.9),
    "resized by 0.75 and back": resized(0.75),
    "resized by 0.5 and back": resized(0.5),
    "blurred, 0.5 pixels": blurred(0.5),
    "blurred, 1.2 pixels": blurred(1.2),
    "noise of 1 level": noisy(1),
    "noise of 4 levels": noisy(4),
    "contrast 4 % up": lambda pixels: level(pixels * 1.04 + 3.0),
    "gamma 0.95": lambda pixels: level(255 * (pixels / 255) ** 0.95),
    "shifted by a pixel": lambda pixels: np.roll(pixels, 1, 1),
    "blur, noise, JPEG 85": lambda pixels: stored("JPEG", 85)(noisy(1.5)(blurred(0.6)(pixels))),
}
HONEST: Mapping[str, Callable[[RGB, RGB], RGB]] = {
    "Classical": lambda lq, hq: level(255 * Classical().restore_pixels(lq)),
    "unsharp mask": lambda lq, hq: sharpened(1.0, 4)(lq),
    "ldm-mini": mini,
    "8 % of what is missing": lambda lq, hq: cv2.addWeighted(hq, 0.08, lq, 0.92, 0),
    "half of what is missing": lambda lq, hq: cv2.addWeighted(hq, 0.5, lq, 0.5, 0),
    "70 % of what is missing": lambda lq, hq: cv2.addWeighted(hq, 0.7, lq, 0.3, 0),
}
FILTERS: Mapping[str, Callable[[RGB, RGB], RGB]] = {
    "median 5x5": lambda lq, hq: cv2.medianBlur(lq, 5),
    "bilateral": lambda lq, hq: cv2.bilateralFilter(lq, 7, 25, 5),
    "non-local means, 3": lambda lq, hq: cv2.fastNlMeansDenoisingColored(lq, None, 3, 3, 5, 13),
    "unsharp mask, faint": lambda lq, hq: sharpened(0.5, 2)(lq),
}


def outputs(chosen: ReferenceSet, recipe: str, keys: list[str], *, out: Path) -> dict[str, dict[str, Path]]:
    """Submissions by "what: how", each with images by key."""
    targets = {target.key: target for target in chosen.targets}
    made: dict[str, dict[str, Path]] = {}

    def keep(name: str, key: str, pixels: RGB) -> None:
        path = out / name.replace(" ", "-").replace("/", "-") / f"{key}.png"
        write_png(path, np.ascontiguousarray(pixels))
        made.setdefault(name, {})[key] = path

    for key in keys:
        hq, lq = read_rgb(chosen.hq_path(key)), read_rgb(chosen.lq_path(recipe, key))
        reference = read_rgb(chosen.hq_path(targets[key].references[0]))
        restored = cv2.addWeighted(hq, 0.5, lq, 0.5, 0)
        for how, again in AGAIN.items():
            for what, source in (("LQ", lq), ("HQ", hq), ("a reference", reference), ("another", restored)):
                keep(f"{what}: {how}", key, again(source))
        for how, restore in {**HONEST, **FILTERS}.items():
            keep(f"honest: {how}", key, restore(lq, hq))
    return made


def shares(chosen: ReferenceSet, recipe: str, made: Mapping[str, dict[str, Path]]) -> dict[str, float]:
    """Share of each submission's outputs that are told; each is looked at alone, or with its source."""
    wanted = {"LQ": "copy of LQ", "HQ": "copy of HQ", "a reference": "copy of a reference"}
    rows = {}
    for name, images in made.items():
        what = name.partition(":")[0]
        beside = {"source": made["honest: half of what is missing"]} if what == "another" else {}
        found = find_copies(chosen, recipe, {"one": images, **beside}, least=0.0)["one"]
        told = [flag for flag in found if flag.kind == wanted.get(what, flag.kind)]
        rows[name] = sum(flag.images for flag in told) / len(images)
    return rows


def measure(given: argparse.Namespace, report: Report) -> None:
    """Make the outputs, look for copies, and judge the shares."""
    with tempfile.TemporaryDirectory() as scratch:
        root = Path(scratch)
        count = 2 if given.quick else given.images
        side = 256 if given.quick else 512
        chosen = (
            ReferenceSet.read(given.set)
            if given.set
            else sample_set(root / "set", -(-count // 2), size=side, recipes=[given.recipe])
        )
        every = [t.key for t in chosen.select("test") if chosen.lq_path(given.recipe, t.key).is_file()]
        keys = every[:: max(1, len(every) // count)][:count]
        report.workload |= {"set": chosen.info.name, "recipe": given.recipe, "images": len(keys)}
        rows = shares(chosen, given.recipe, outputs(chosen, given.recipe, keys, out=root))
    for name, share in rows.items():
        what, how = name.split(": ")
        if what == "honest":
            goal = f"ours <= {ACCUSED}" if how in HONEST else None
            report.add(f"{how}, told as a copy", unit="share", ours=share, goal=goal, judged_when_quick=False)
        else:
            goal = None if name.endswith(LOSSY) else f"ours >= {FOUND}"
            title = f"copy of {what}, {how}"
            report.add(title, unit="share", ours=share, better="higher", goal=goal, judged_when_quick=False)


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("set", type=Path, nargs="?", help="reference set; by default of the sample people")
    parser.add_argument("--recipe", default="refldm-severe")
    parser.add_argument("--images", type=int, default=24, help="2 with --quick, too few to judge")


if __name__ == "__main__":
    sys.exit(main(measure, __doc__, arguments))
