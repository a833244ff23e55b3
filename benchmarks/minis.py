"""Do the minis restore, and do references help? Measured on people who were never trained on.

    python benchmarks/minis.py SET --out FOLDER [--recipe refldm-severe-128] [--split test] [--json]

One image of each person of a split, at 128 pixels, with 95 % intervals by identity. Identity similarity is by
MobileFaceNet, which no mini was trained with; that by dlib, which was in the loss, stands beside it. The
peers are the LQ and the bicubic input, the LDM, and each model without references or with another person's;
the goals are what the minis are bundled for, and exit code 1 says that one is missed. A run that was stopped
goes on.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path

import cv2
import numpy as np
import torch
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
from torch import Tensor

LPIPS, IDS, FRECHET = "lpips/alex-v0.1", "ids/mobilefacenet-5pt-v1", "fd/alexnet-relu5-v1"
TRAINED_WITH = "ids/dlib-resnet-5pt-v1"
PER_IMAGE = (LPIPS, IDS, TRAINED_WITH, "psnr/rgb")
DRAWS = 200
HEAD = (
    "| | LPIPS (lower) | identity similarity | by dlib (in the loss) | Fréchet distance | PSNR |\n"
    "| --- | --- | --- | --- | --- | --- |"
)


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


def main() -> int:
    given = read_options()
    place = ReferenceSet.read(given.set)
    if place.info.image_size != SIZE:
        raise SystemExit(
            f"{given.set} has images of {place.info.image_size} pixels; build it with --size {SIZE}"
        )
    targets = chosen(place, given.split, given.images, least=given.least)
    keys, people = [target.key for target in targets], np.array([target.identity for target in targets])
    most = min(len(target.references) for target in targets)
    images = {
        condition.name: restored(
            condition, place, targets, recipe=given.recipe, models=given.models, out=given.out
        )
        for condition in CONDITIONS
        if condition.references <= most and (most >= max(DRAWN) or not condition.drawn)
    }
    scores = per_image(place, given.recipe, keys, images=images)
    vectors = {name: frechet_vectors([paths[key] for key in keys]) for name, paths in images.items()}
    hq = frechet_vectors([place.hq_path(key) for key in keys])
    draws = drawn_distances(vectors, hq, people)
    rows = {name: row(scores[name], people, vectors[name], hq=hq, draws=draws[name]) for name in images}
    judged = [
        judge(claim, scores, draws, people=people)
        for claim in CLAIMS
        if {claim.better, claim.worse} <= images.keys()
    ]
    about = {"set": place.info.name, "split": given.split, "recipe": given.recipe, "people": len(keys)}
    if given.json:
        print(json.dumps(about | {"least": given.least, "rows": rows, "claims": judged}, indent=2))
    else:
        print_tables(about, rows, judged)
    return 0 if all(claim["holds"] for claim in judged) else 1


def read_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("set", type=Path)
    parser.add_argument("--recipe", default="refldm-severe-128")
    parser.add_argument("--split", default="test")
    parser.add_argument("--images", type=int, default=200, help="at most, one of each person")
    parser.add_argument("--least", type=int, default=1, help="references that every image has")
    parser.add_argument("--models", type=Path, default=FOLDER)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--json", action="store_true", help="print JSON")
    return parser.parse_args()


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
    vectors: Mapping[str, np.ndarray], hq: np.ndarray, people: np.ndarray
) -> dict[str, np.ndarray]:
    """Fréchet distances of sets of people drawn with replacement, the same draws for all conditions."""
    generator = np.random.default_rng(0)
    draws = [generator.integers(0, len(people), len(people)) for _ in range(DRAWS)]
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
) -> dict[str, object]:
    """The difference by which the claim holds, above 0 for yes, with its interval."""
    told = asdict(claim)
    if claim.measure == FRECHET:
        gaps = draws[claim.worse] - draws[claim.better]
        low, high = np.percentile(gaps, [2.5, 97.5])
        return told | {"difference": float(gaps.mean()), "low": low, "high": high, "holds": bool(low > 0)}
    sign = -1 if claim.measure == LPIPS else 1
    better, worse = (sign * scores[name][claim.measure] for name in (claim.better, claim.worse))
    found = paired_difference(better, worse, people)
    told |= {"difference": found.mean, "low": found.low, "high": found.high, "p": found.p}
    return told | {"holds": bool(found.low > 0)}


def print_tables(
    about: Mapping[str, object],
    rows: Mapping[str, Mapping[str, list[float]]],
    judged: Sequence[Mapping[str, object]],
) -> None:
    print(
        f"{', '.join(f'{name} {value}' for name, value in about.items())}, one image each; 95 % intervals\n"
    )
    print(HEAD)
    shown: Mapping[str, Callable[[float], str]] = {
        LPIPS: "{:.3f}".format,
        IDS: "{:.3f}".format,
        TRAINED_WITH: "{:.4f}".format,
        FRECHET: "{:.1f}".format,
        "psnr/rgb": "{:.2f}".format,
    }
    for name, found in rows.items():
        cells = [f"{show(found[p][0])} ± {show(found[p][1])}" for p, show in shown.items()]
        print(f"| {name} | {' | '.join(cells)} |")
    print("\n| goal | by | difference | p | met |\n| --- | --- | --- | --- | --- |")
    for claim in judged:
        gap = f"{claim['difference']:+.4g} ({claim['low']:+.4g} to {claim['high']:+.4g})"
        p = f"{claim['p']:.2g}" if "p" in claim else ""
        print(f"| {claim['says']} | {claim['measure']} | {gap} | {p} | {'yes' if claim['holds'] else 'no'} |")


if __name__ == "__main__":
    sys.exit(main())
