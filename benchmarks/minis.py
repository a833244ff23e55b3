"""Do the minis restore, and do references help? Measured on people who were never trained on.

    python benchmarks/minis.py SET --recipe refldm-severe-128 [--images 100] [--models FOLDER] --out FOLDER

One image each of people of the test split, at 128 pixels. Printed with 95 % intervals by identity: LPIPS,
identity similarity by a recogniser that no mini was trained with, and a Fréchet distance; then the paired
differences that the models stand for, and whether they hold. A run that was stopped goes on.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import cv2
import numpy as np
import torch
from refbench.builders.manifest import ReferenceSet, Target
from refbench.leaderboard.statistics import means_with_intervals, paired_difference
from refbench.metrics.record import Card, Record
from refbench.metrics.score import Entry, score_many
from refbench.models.composite_restorer import CompositeContextRestorer, CompositeSampling
from refbench.models.minis import FOLDER, SIZE, AtSize, load_mini
from refbench.models.refldm_restorer import RefLdmRestorer, RefLdmSampling
from refbench.models.restore import restore_images
from refbench.models.restorer import Job, RestorerCard
from torch import Tensor

LPIPS, IDS, FRECHET = "lpips/alex-v0.1", "ids/dlib-resnet-5pt-v1", "fd/alexnet-relu5-v1"
PROTOCOLS = ("psnr/rgb", LPIPS, IDS, FRECHET)
STEPS = 20
HEAD = (
    "| | LPIPS (lower is better) | identity similarity | Fréchet distance | PSNR |\n"
    "| --- | --- | --- | --- | --- |"
)


@dataclass(frozen=True)
class Condition:
    """How images are restored: by what, with how many references, and whose."""

    name: str
    model: str
    references: int = 0
    wrong: bool = False


CONDITIONS = (
    Condition("LQ", "lq"),
    Condition("bicubic", "bicubic"),
    Condition("autoencoder of HQ (ceiling)", "ceiling"),
    Condition("LDM", "ldm"),
    Condition("ReF-LDM, null references", "refldm"),
    Condition("ReF-LDM, 1 reference", "refldm", 1),
    Condition("ReF-LDM, 2 references", "refldm", 2),
    Condition("ReF-LDM, 3 references", "refldm", 3),
    Condition("ReF-LDM, another's reference", "refldm", 1, wrong=True),
    Condition("composite context, none", "composite-context"),
    Condition("composite context, 1 reference", "composite-context", 1),
    Condition("composite context, 3 references", "composite-context", 3),
    Condition("composite context, another's", "composite-context", 1, wrong=True),
)
COMPARED = (
    ("references help ReF-LDM", "ReF-LDM, 1 reference", "ReF-LDM, null references"),
    ("ReF-LDM beats LDM", "ReF-LDM, 3 references", "LDM"),
    ("three references beat one", "ReF-LDM, 3 references", "ReF-LDM, 1 reference"),
    ("another's reference hurts ReF-LDM", "ReF-LDM, 1 reference", "ReF-LDM, another's reference"),
    ("references help composite context", "composite context, 1 reference", "composite context, none"),
    ("another's hurts composite context", "composite context, 1 reference", "composite context, another's"),
    ("ReF-LDM beats LQ", "ReF-LDM, 3 references", "LQ"),
    ("ReF-LDM beats bicubic", "ReF-LDM, 3 references", "bicubic"),
    ("composite context beats LQ", "composite context, 3 references", "LQ"),
    ("composite context beats bicubic", "composite context, 3 references", "bicubic"),
)


class Bicubic:
    """The LQ image shrunk to what it holds (a quarter) and enlarged again by bicubic interpolation."""

    card = RestorerCard("bicubic", "0", 0, None, "", "")

    def restore(
        self, lq: Tensor, references: Sequence[Tensor], generators: Sequence[torch.Generator]
    ) -> Tensor:
        """Restore one batch; see `models.restorer.Restorer`."""
        pictures = []
        for image in lq:
            pixels = image.permute(1, 2, 0).numpy()
            side = pixels.shape[0]
            small = cv2.resize(pixels, (side // 4, side // 4), interpolation=cv2.INTER_AREA)
            large = cv2.resize(small, (side, side), interpolation=cv2.INTER_CUBIC)
            pictures.append(torch.from_numpy(large).permute(2, 0, 1))
        return torch.stack(pictures).clamp(0, 1)


def chosen(reference_set: ReferenceSet, images: int, least: int) -> list[Target]:
    """One image of each of so many people, with as many references as there are, at least ``least``."""
    first: dict[str, Target] = {}
    for target in reference_set.select("test"):
        if len(target.references) >= least:
            first.setdefault(target.identity, target)
    return [first[person] for person in sorted(first)][:images]


def restorer(condition: Condition, models: Path) -> object:
    if condition.model == "bicubic":
        return Bicubic()
    if condition.model == "ceiling":
        return load_mini("autoencoder", folder=models)
    loaded = load_mini(condition.model, "null" if condition.model != "ldm" else None, folder=models).restorer
    assert isinstance(loaded, RefLdmRestorer | CompositeContextRestorer)
    common = {"steps": STEPS, "solver": "dpm++", "references": condition.references}
    sampling = RefLdmSampling(**common) if isinstance(loaded, RefLdmRestorer) else CompositeSampling(**common)
    card = replace(loaded.card, references_used=condition.references, notes=sampling.describe())
    return AtSize(type(loaded)(loaded.model, sampling, card))


def restored(
    condition: Condition, place: ReferenceSet, targets: Sequence[Target], recipe: str, models: Path, out: Path
) -> Mapping[str, Path]:
    lq = partial(place.lq_path, recipe)
    if condition.model == "lq":
        return {target.key: lq(target.key) for target in targets}
    others = [*targets[1:], targets[0]]
    jobs = []
    for target, other in zip(targets, others, strict=True):
        keys = (other if condition.wrong else target).references[: condition.references]
        source = place.hq_path(target.key) if condition.model == "ceiling" else lq(target.key)
        jobs.append(Job(target.key, source, tuple(place.hq_path(key) for key in keys)))
    report = restore_images(jobs, restorer(condition, models), out)
    assert not report.failures, report.failures
    return {target.key: out / f"{target.key}.png" for target in targets}


def column(record: Record, protocol: str, keys: Sequence[str]) -> np.ndarray:
    table = record.scores[record.scores.protocol == protocol].set_index("key")["value"]
    return table.reindex(keys).to_numpy(float)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("set", type=Path)
    parser.add_argument("--recipe", default="refldm-severe-128")
    parser.add_argument("--images", type=int, default=100)
    parser.add_argument("--least", type=int, default=1, help="references that every image has")
    parser.add_argument("--models", type=Path, default=FOLDER)
    parser.add_argument("--out", type=Path, required=True)
    given = parser.parse_args()
    place = ReferenceSet.read(given.set)
    if place.info.image_size != SIZE:
        parser.error(f"{given.set} has images of {place.info.image_size} pixels; build it with --size {SIZE}")
    targets = chosen(place, given.images, given.least)
    keys, people = [target.key for target in targets], np.array([target.identity for target in targets])
    most = min(len(target.references) for target in targets)
    there = [
        condition
        for condition in CONDITIONS
        if condition.references <= most
        and (condition.model in ("lq", "bicubic") or (given.models / _file(condition)).exists())
    ]
    entries = []
    for condition in there:
        images = restored(condition, place, targets, given.recipe, given.models, given.out / condition.name)
        entries.append(Entry(given.recipe, Card(model=condition.name), images))
    kept = set(keys)
    others = tuple(t if t.key in kept else replace(t, split="other") for t in place.targets)
    records = score_many(ReferenceSet(place.root, place.info, others), "test", entries, PROTOCOLS)
    scores = {c.name: record for c, record in zip(there, records, strict=True)}
    print(f"{place.info.name} {given.recipe}, {len(keys)} people, one image each; 95 % intervals\n")
    print(HEAD)
    rows = {}
    for name, record in scores.items():
        values = np.stack([column(record, protocol, keys) for protocol in (LPIPS, IDS, "psnr/rgb")], 1)
        means = means_with_intervals(values, people)
        half = means.high - means.mean
        frechet = record.info.set_scores[FRECHET].value
        shown = [f"{m:.3f} ± {h:.3f}" for m, h in zip(means.mean[:2], half[:2], strict=True)]
        print(f"| {name} | {shown[0]} | {shown[1]} | {frechet:.4g} | {means.mean[2]:.2f} |")
        rows[name] = {"lpips": [means.mean[0], half[0]], "ids": [means.mean[1], half[1]], "fd": frechet}
    print("\n| claim | what | difference of the means | p | holds |\n| --- | --- | --- | --- | --- |")
    for claim, better, worse in COMPARED:
        if better not in scores or worse not in scores:
            continue
        for protocol, sign in ((IDS, 1), (LPIPS, -1)):
            pair = (sign * column(scores[name], protocol, keys) for name in (better, worse))
            found = paired_difference(*pair, people)
            held = "yes" if found.low > 0 else "no"
            gap = f"{found.mean:+.4f} ({found.low:+.4f} to {found.high:+.4f})"
            print(f"| {claim} | {protocol} | {gap} | {found.p:.2g} | {held} |")
    (given.out / "summary.json").write_text(json.dumps(rows, indent=2) + "\n")


def _file(condition: Condition) -> str:
    return f"{'autoencoder' if condition.model == 'ceiling' else condition.model}.safetensors"


if __name__ == "__main__":
    main()
