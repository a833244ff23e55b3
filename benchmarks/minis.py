"""Do the minis restore, and do references help? Measured on people who were never trained on.

    python benchmarks/minis.py [SET] [--out FOLDER] [--recipe refldm-severe-128] [--quick] [--json]

One image of each person of a split, at 128 pixels, with 95 % intervals by identity. Identity similarity is by
MobileFaceNet, which no mini was trained with; that by dlib, which was in the loss, stands beside it. The
peers are the LQ and the bicubic input, the LDM, and each model without references or with another person's;
the goals are what the minis are bundled for: the interval of each difference lies above 0. Without SET, the
bundled sample people, who are not real; ``--quick`` restores by what takes no time and judges no claim.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import cv2
import numpy as np
import torch
from inputs import sample_set
from refbench.files import sha256_json
from refbench.images import read_rgb
from refbench.leaderboard.statistics.statistics import means_with_intervals, paired_difference
from refbench.metrics.catalogue import find
from refbench.metrics.core.feature import Batch
from refbench.metrics.distances.frechet import LowRankMoments, frechet_distance
from refbench.metrics.scoring.engine import load
from refbench.metrics.scoring.score import Entry, score_many
from refbench.models.checkpoints.minis import FOLDER, SIZE, load_mini
from refbench.models.restorers.restore import restore_images
from refbench.models.restorers.restorer import Restorer
from refbench.records.card import Card, RestorerCard
from refbench.records.record import Record
from refbench.records.reference_set import ReferenceSet, Target
from refbench.records.run_manifest import Job
from report import Report, main
from torch import Tensor

LPIPS, IDS, FRECHET = "lpips/alex-v0.1", "ids/mobilefacenet-5pt-v1", "fd/alexnet-relu5-v1"
TRAINED_WITH = "ids/dlib-resnet-5pt-v1"
PER_IMAGE = (LPIPS, IDS, TRAINED_WITH, "psnr/rgb")
DRAWS = 200


@dataclass(frozen=True)
class Condition:
    """How images are restored: by what, with how many references, and whose.

    References come in the set's order, of which the nearest is the first; ``drawn`` takes them by chance.
    """

    name: str
    model: str
    references: int = 0
    wrong: bool = False
    drawn: bool = False


@dataclass(frozen=True)
class Claim:
    """That one condition is better than another by a measure."""

    says: str
    better: str
    worse: str
    measure: str = IDS


LQ, BICUBIC, CEILING, LDM = "LQ", "bicubic", "autoencoder of HQ (ceiling)", "LDM"
NULL, OTHERS = "ReF-LDM, null references", "ReF-LDM, another person's"
REFLDM = {n: f"ReF-LDM, {n} reference{'s' * (n > 1)}" for n in (1, 2, 3)}
DRAWN = {n: f"ReF-LDM, {n} drawn by chance" for n in (1, 2, 3)}
NO_CONTEXT, OTHERS_CONTEXT = "composite context, none", "composite context, another person's"
COMPOSITE = {n: f"composite context, {n} reference{'s' * (n > 1)}" for n in (1, 3)}
CONDITIONS = (
    Condition(LQ, "lq"),
    Condition(BICUBIC, "bicubic"),
    Condition(CEILING, "ceiling"),
    Condition(LDM, "ldm"),
    Condition(NULL, "refldm"),
    *(Condition(name, "refldm", count) for count, name in REFLDM.items()),
    *(Condition(name, "refldm", count, drawn=True) for count, name in DRAWN.items()),
    Condition(OTHERS, "refldm", 1, wrong=True),
    Condition(NO_CONTEXT, "composite-context"),
    *(Condition(name, "composite-context", count) for count, name in COMPOSITE.items()),
    Condition(OTHERS_CONTEXT, "composite-context", 1, wrong=True),
)
CLAIMS = (
    *(
        Claim(f"{model} beats {floor}", model, floor, measure)
        for model in (REFLDM[1], COMPOSITE[1])
        for floor in (LQ, BICUBIC)
        for measure in (LPIPS, IDS, FRECHET)
    ),
    Claim("references help ReF-LDM", REFLDM[1], NULL),
    Claim("ReF-LDM with references beats LDM", REFLDM[1], LDM),
    Claim("three references beat the nearest", REFLDM[3], REFLDM[1]),
    Claim("three references beat one of them, drawn by chance", DRAWN[3], DRAWN[1]),
    Claim("another person's reference lowers it, ReF-LDM", REFLDM[1], OTHERS),
    Claim("references help composite context", COMPOSITE[1], NO_CONTEXT),
    Claim("another person's reference lowers it, composite context", COMPOSITE[1], OTHERS_CONTEXT),
)


class Bicubic:
    """The LQ image shrunk to what it holds (a quarter) and enlarged again by bicubic interpolation."""

    card = RestorerCard(model="bicubic", version="0", references_used=0)

    def restore(
        self, lq: Tensor, references: Sequence[Tensor], generators: Sequence[torch.Generator]
    ) -> Tensor:
        """Restore one batch; see `refbench.models.Restorer`."""
        pictures = []
        for image in lq:
            pixels = image.permute(1, 2, 0).numpy()
            side = pixels.shape[0]
            small = cv2.resize(pixels, (side // 4, side // 4), interpolation=cv2.INTER_AREA)
            large = cv2.resize(small, (side, side), interpolation=cv2.INTER_CUBIC)
            pictures.append(torch.from_numpy(large).permute(2, 0, 1))
        return torch.stack(pictures).clamp(0, 1)


def measure(given: argparse.Namespace, report: Report) -> None:
    """Restore one image of each person under every condition, score, and judge the claims."""
    with tempfile.TemporaryDirectory() as scratch:
        out = given.out or Path(scratch)
        if given.set:
            place, conditions = ReferenceSet.read(given.set), CONDITIONS
        else:
            place = sample_set(
                out / "set", 6 if given.quick else 40, size=SIZE, recipes=[given.recipe], aligned=True
            )
            conditions = CONDITIONS
        if given.quick:
            conditions = tuple(c for c in CONDITIONS if c.name in (LQ, BICUBIC, CEILING))
        if place.info.image_size != SIZE:
            size = place.info.image_size
            raise SystemExit(f"{given.set} has images of {size} pixels; build it with --size {SIZE}")
        targets = chosen(place, given.split, given.images, least=given.least)[: 6 if given.quick else None]
        keys, people = [target.key for target in targets], np.array([target.identity for target in targets])
        report.workload |= {"set": place.info.name, "recipe": given.recipe, "people": len(keys)}
        most = min(len(target.references) for target in targets)
        images = {
            condition.name: restored(
                condition, place, targets, recipe=given.recipe, models=given.models, out=out
            )
            for condition in conditions
            if condition.references <= most and (most >= max(DRAWN) or not condition.drawn)
        }
        scores = per_image(place, given.recipe, keys, images=images)
        vectors = {name: frechet_vectors([paths[key] for key in keys]) for name, paths in images.items()}
        hq = frechet_vectors([place.hq_path(key) for key in keys])
        draws = drawn_distances(vectors, hq, people, count=20 if given.quick else DRAWS)
        for name in images:
            for protocol, (mean, half) in row(
                scores[name], people, vectors[name], hq=hq, draws=draws[name]
            ).items():
                report.add(f"{name}: {protocol}", unit=f"± {half:.3g}", ours=mean)
        for claim in CLAIMS:
            add_claim(report, claim, scores, draws=draws, people=people)


def add_claim(
    report: Report,
    claim: Claim,
    scores: Mapping[str, Mapping[str, np.ndarray]],
    *,
    draws: Mapping[str, np.ndarray],
    people: np.ndarray,
) -> None:
    """Whether the interval of the difference lies above 0."""
    name = f"{claim.says}, {claim.measure}: lower end of the difference"
    if not {claim.better, claim.worse} <= scores.keys():
        report.skip(name, "a condition was not run", goal="ours >= 0")
        return
    low = judge(claim, scores, draws, people=people)
    report.add(name, unit="", better="higher", ours=low, goal="ours >= 0", judged_when_quick=False)


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("set", type=Path, nargs="?", help="reference set at 128 pixels; else sample people")
    parser.add_argument("--recipe", default="refldm-severe-128")
    parser.add_argument("--split", default="test")
    parser.add_argument("--images", type=int, default=200, help="at most, one of each person")
    parser.add_argument("--least", type=int, default=1, help="references that every image has")
    parser.add_argument("--models", type=Path, default=FOLDER)
    parser.add_argument("--out", type=Path, help="keep restored images here; a stopped run goes on")


def chosen(reference_set: ReferenceSet, split: str, images: int, *, least: int) -> list[Target]:
    """One image of each of so many people, with as many references as there are, at least ``least``."""
    first: dict[str, Target] = {}
    for target in reference_set.select(split):
        if len(target.references) >= least:
            first.setdefault(target.identity, target)
    return [first[person] for person in sorted(first)][:images]


def restorer(condition: Condition, models: Path) -> Restorer:
    if condition.model == "bicubic":
        return Bicubic()
    if condition.model == "ceiling":
        return load_mini("autoencoder", folder=models)
    if condition.model == "ldm":
        return load_mini("ldm", folder=models)
    named = {("refldm", True): "mini", ("composite-context", True): "multi"}
    preset = named.get((condition.model, condition.references > 0), "null")
    words = f"{preset},references={condition.references}" if condition.references else preset
    return load_mini(condition.model, words, folder=models)


def restored(
    condition: Condition,
    place: ReferenceSet,
    targets: Sequence[Target],
    *,
    recipe: str,
    models: Path,
    out: Path,
) -> Mapping[str, Path]:
    lq = partial(place.lq_path, recipe)
    if condition.model == "lq":
        return {target.key: lq(target.key) for target in targets}
    others = [*targets[1:], targets[0]]
    jobs = []
    for target, other in zip(targets, others, strict=True):
        keys = (other if condition.wrong else target).references
        if condition.drawn:
            keys = tuple(sorted(keys, key=lambda key: sha256_json([target.key, key])))
        keys = keys[: condition.references]
        source = place.hq_path(target.key) if condition.model == "ceiling" else lq(target.key)
        jobs.append(Job(target.key, source, tuple(place.hq_path(key) for key in keys)))
    report = restore_images(jobs, restorer(condition, models), out / condition.name)
    assert not report.failures, report.failures
    return {target.key: out / condition.name / f"{target.key}.png" for target in targets}


def per_image(
    place: ReferenceSet, recipe: str, keys: Sequence[str], *, images: Mapping[str, Mapping[str, Path]]
) -> dict[str, dict[str, np.ndarray]]:
    """Of each condition and protocol the values in the order of ``keys``."""
    kept = set(keys)
    some = tuple(replace(t, split="test" if t.key in kept else "train") for t in place.targets)
    entries = [Entry(recipe, Card(model=name), paths) for name, paths in images.items()]
    records = score_many(
        ReferenceSet(place.root, place.info, some),
        entries,
        protocols=PER_IMAGE,
        references="all",
        device="cpu",
    )

    def column(record: Record, protocol: str) -> np.ndarray:
        table = record.scores[record.scores.protocol == protocol].set_index("key")["value"]
        return table.reindex(keys).to_numpy(float)

    return {
        name: {protocol: column(record, protocol) for protocol in PER_IMAGE}
        for name, record in zip(images, records, strict=True)
    }


def frechet_vectors(paths: Sequence[Path]) -> np.ndarray:
    extract = load(find(FRECHET).feature, torch.device("cpu"))
    rows = []
    for path in paths:
        image = torch.from_numpy(read_rgb(path).copy()).permute(2, 0, 1)[None].float() / 255
        with torch.inference_mode():
            rows.append(extract(Batch.of(image, None))[0].double().numpy())
    return np.concatenate(rows)


def distance(restored: np.ndarray, hq: np.ndarray) -> float:
    return frechet_distance(LowRankMoments.of(restored.copy()), LowRankMoments.of(hq.copy()))


def drawn_distances(
    vectors: Mapping[str, np.ndarray], hq: np.ndarray, people: np.ndarray, *, count: int = DRAWS
) -> dict[str, np.ndarray]:
    """Fréchet distances of sets of people drawn with replacement, the same draws for all conditions."""
    generator = np.random.default_rng(0)
    draws = [generator.integers(0, len(people), len(people)) for _ in range(count)]
    return {name: np.array([distance(rows[d], hq[d]) for d in draws]) for name, rows in vectors.items()}


def row(
    scores: Mapping[str, np.ndarray],
    people: np.ndarray,
    vectors: np.ndarray,
    *,
    hq: np.ndarray,
    draws: np.ndarray,
) -> dict[str, list[float]]:
    """Means with half the width of their intervals."""
    means = means_with_intervals(np.stack([scores[name] for name in PER_IMAGE], 1), people)
    half = (means.high - means.low) / 2
    found = {name: [float(m), float(h)] for name, m, h in zip(PER_IMAGE, means.mean, half, strict=True)}
    low, high = np.percentile(draws, [2.5, 97.5])
    return found | {FRECHET: [distance(vectors, hq), float(high - low) / 2]}


def judge(
    claim: Claim,
    scores: Mapping[str, Mapping[str, np.ndarray]],
    draws: Mapping[str, np.ndarray],
    *,
    people: np.ndarray,
) -> float:
    """Lower end of the 95 % interval of the difference by which the claim holds."""
    if claim.measure == FRECHET:
        return float(np.percentile(draws[claim.worse] - draws[claim.better], 2.5))
    sign = -1 if claim.measure == LPIPS else 1
    better, worse = (sign * scores[name][claim.measure] for name in (claim.better, claim.worse))
    return paired_difference(better, worse, people).low


if __name__ == "__main__":
    sys.exit(main(measure, __doc__, arguments))
